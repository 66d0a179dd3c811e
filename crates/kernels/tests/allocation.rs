//! A run allocates nothing.

mod common;

use common::*;
use gradus_kernels::instr::*;
use gradus_kernels::{Bindings, Code, Expr, Inst, Isa, Pool, Unary};
use gradus_tensor::Rng;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

struct Counting;

static COUNT: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator with a counter beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, p: *mut u8, layout: Layout) {
        // SAFETY: the caller's.
        unsafe { System.dealloc(p, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_run_allocates_nothing() {
    let mut rng = Rng::new(1, 0, 0);
    let at = |offset| Loc { space: Space::Arena, offset };
    let mut instrs: Vec<Instr<f32>> = Vec::new();
    for _ in 0..20 {
        instrs.push(Instr::Map(map(&mut rng)));
        let simple = rng.below(2) == 0;
        instrs.push(Instr::MatMul(matmul(&mut rng, simple)));
        instrs.push(Instr::Copy(copy(&mut rng)));
    }
    let (x, y, index) =
        (Loc { space: Space::Input(0), offset: 0 }, at(0), Loc { space: Space::Input(0), offset: 5000 });
    instrs.push(Instr::Softmax(Softmax { rows: 200, cols: 100, x, y, log: true }));
    instrs.push(Instr::ArgMax(ArgMax { outer: 20, mid: 10, inner: 1, x, y }));
    instrs.push(Instr::Gather(Gather { outer: 1, mid: 10, inner: 3, count: 9, x, index, y }));
    instrs.push(Instr::ScatterAdd(ScatterAdd { outer: 1, mid: 10, inner: 3, count: 9, x, index, y }));
    let mut expr = Expr::new();
    let step = expr.push(Inst::Step);
    let root = expr.push(Inst::Unary(Unary::Sqrt, step));
    instrs.push(Instr::StepScalars(StepScalars { expr, stores: vec![(root, y)] }));
    instrs.push(Instr::Guard { loc: y, id: 0 });
    instrs.push(Instr::Fill { loc: y, len: 100_000, value: 0.0 });
    for threads in [1, 2] {
        let mut code = Code::new(instrs.clone(), sizes(), vec![y], Isa::detect(), threads).expect("valid");
        let pool = Pool::new(threads);
        let World { mut arena, consts, mut state, input } = World::new(&mut rng);
        let mut run = |step| {
            let (arena, state) = (&mut arena[..], &mut state[..]);
            let memory = Bindings { arena, consts: &consts, state, inputs: &[&input] };
            code.run(memory, 1, step, 1, &mut [0.0], &pool).expect("finite");
        };
        run(0);
        let before = COUNT.load(Ordering::Relaxed);
        (1..4).for_each(run);
        assert_eq!(COUNT.load(Ordering::Relaxed), before, "{threads} threads");
    }
}
