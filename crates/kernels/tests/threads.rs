//! One thread and many give the same bits, guards stop all threads, and a panic reaches the caller.

mod common;

use common::*;
use gradus_kernels::instr::*;
use gradus_kernels::{Bindings, Code, Expr, Inst, Isa, Pool, Random, Sizes, Term, Tripped, Unary};
use gradus_tensor::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const M: usize = 200;
const N: usize = 150;

fn at(space: Space, offset: usize) -> Loc {
    Loc { space, offset }
}

fn map(dims: &[usize], x: &[(Loc, &[usize])], expr: Expr, stores: &[(u16, Loc, Option<Reduce>)]) -> Instr<f32> {
    Instr::Map(Map {
        dims: dims.to_vec(),
        expr,
        inputs: x.iter().map(|(loc, strides)| Operand { loc: *loc, strides: strides.to_vec() }).collect(),
        stores: stores.iter().map(|&(value, loc, reduce)| Store { value, loc, reduce }).collect(),
    })
}

/// A chain of instructions that are cut into parts, each using what the one before made, and small ones between.
fn chain() -> (Vec<Instr<f32>>, Sizes, Vec<Loc>) {
    let (a, b, c, d, e) = (0, M * N, 2 * M * N, 2 * M * N + M * M, 3 * M * N + M * M);
    let arena = |offset| at(Space::Arena, offset);
    let reduce = |from, to| Some(Reduce { fold: Fold::Sum, from, to, scale: 1e-3 });
    let mut noisy = Expr::build(1, |x: &[Term]| {
        let noise = x[0].leaf(Inst::Random(Random::Normal, 3));
        (&x[0] + &(&noise * 0.1)).unary(Unary::Tanh)
    });
    let noisy_value = noisy.result();
    noisy.push(Inst::Unary(Unary::Square, noisy_value));
    let square = noisy.result();
    let transposed = |loc, rows: usize| Factor { loc, batch: 0, row: 1, col: rows };
    let plain = |loc, cols: usize| Factor { loc, batch: 0, row: cols, col: 1 };
    let product = |m, n, k, a, b, epilogue: Expr, loc| {
        let value = epilogue.result();
        Instr::MatMul(MatMul {
            batch: 1,
            m,
            n,
            k,
            a,
            b,
            epilogue,
            inputs: vec![],
            stores: vec![Store { value, loc, reduce: None }],
        })
    };
    let instrs = vec![
        // The input and the state, scaled, into a.
        map(
            &[M, N],
            &[(at(Space::Input(0), 0), &[N, 1]), (at(Space::State, 0), &[N, 1])],
            Expr::build(2, |x: &[Term]| &x[0] + &(&x[1] * 0.5)),
            &[(3, arena(a), None)],
        ),
        map(&[M * N], &[(arena(a), &[1])], noisy, &[(noisy_value, arena(b), None), (square, arena(e), reduce(0, 1))]),
        product(M, M, N, plain(arena(b), N), transposed(at(Space::State, 0), N), Expr::identity(), arena(c)),
        map(
            &[M, M],
            &[(arena(c), &[M, 1])],
            Expr::identity(),
            &[(0, arena(e + 1), reduce(0, 1)), (0, arena(e + 1 + M), reduce(1, 2))],
        ),
        product(
            M,
            N,
            M,
            transposed(arena(c), M),
            plain(arena(b), N),
            Expr::build(1, |x: &[Term]| (&x[0] * 0.01).unary(Unary::Sigmoid)),
            arena(d),
        ),
        Instr::Softmax(Softmax { rows: M, cols: N, x: arena(d), y: arena(d), log: false }),
        Instr::Copy(Copy {
            dims: vec![N, M],
            source: Operand { loc: arena(d), strides: vec![1, N] },
            target: Operand { loc: arena(a), strides: vec![M, 1] },
        }),
        map(
            &[M * N],
            &[(at(Space::State, 0), &[1]), (arena(a), &[1]), (arena(e), &[0])],
            Expr::build(3, |x: &[Term]| &x[0] - &(&x[1] * &x[2])),
            &[(4, at(Space::State, 0), None)],
        ),
        Instr::Guard { loc: arena(e), id: 9 },
    ];
    let sizes = Sizes { arena: e + 2 * M + 2, consts: 0, state: M * N, inputs: vec![M * N] };
    (instrs, sizes, vec![arena(e), arena(e + 1), arena(e + 2 + M)])
}

fn run(
    isa: Isa,
    threads: usize,
    pool: &Pool,
    steps: usize,
    input: &[f32],
) -> (Vec<f32>, Vec<f64>, Result<(), Tripped>) {
    run_with(isa, threads, input, |code, memory, sums| code.run(memory, 1, 10, steps, sums, pool))
}

fn run_with(
    isa: Isa,
    threads: usize,
    input: &[f32],
    run: impl FnOnce(&mut Code<f32>, Bindings<'_, f32>, &mut [f64]) -> Result<(), Tripped>,
) -> (Vec<f32>, Vec<f64>, Result<(), Tripped>) {
    let (instrs, sizes, scalars) = chain();
    let mut code = Code::new(instrs, sizes.clone(), scalars, isa, threads).expect("valid");
    assert!(code.is_parallel());
    let mut rng = Rng::new(5, 0, 0);
    let (mut arena, mut state) =
        (vec![0.0; sizes.arena], (0..sizes.state).map(|_| rng.normal() as f32).collect::<Vec<_>>());
    let mut sums = vec![0.0; 3];
    let memory = Bindings { arena: &mut arena, consts: &[], state: &mut state, inputs: &[input] };
    let result = run(&mut code, memory, &mut sums);
    (state, sums, result)
}

#[test]
fn a_traced_run_gives_the_same_bits_and_tells_who_did_what() {
    let mut rng = Rng::new(1, 0, 0);
    let steps = 3;
    let input: Vec<f32> = (0..steps * M * N).map(|_| rng.normal() as f32).collect();
    let instrs = chain().0.len();
    let plain = run(Isa::detect(), 1, &Pool::new(1), steps, &input);
    for threads in [1, 3] {
        let pool = Pool::new(threads);
        let mut spans = vec![vec![]; threads];
        let traced = run_with(Isa::detect(), threads, &input, |code, memory, sums| {
            code.run_traced(memory, 1, 10, steps, sums, &pool, &mut spans)
        });
        assert!(traced == plain, "{threads}");
        assert!(spans.iter().flatten().all(|span| span.start <= span.end && span.instr < instrs));
        for own in &spans {
            assert!(own.windows(2).all(|pair| pair[0].end <= pair[1].start), "{own:?}");
        }
        // Every instruction of every step, and the small ones on the first thread alone.
        let count = |own: &[gradus_kernels::Span], i: usize| own.iter().filter(|span| span.instr == i).count();
        for i in 0..instrs {
            assert!(spans.iter().map(|own| count(own, i)).sum::<usize>() >= steps, "{i}");
        }
        assert!(spans[1..].iter().all(|own| count(own, instrs - 1) == 0));
        assert!(threads == 1 || spans[1..].iter().any(|own| !own.is_empty()));
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let mut rng = Rng::new(1, 0, 0);
    let steps = 4;
    let input: Vec<f32> = (0..steps * M * N).map(|_| rng.normal() as f32).collect();
    for isa in Isa::available() {
        let (state, sums, result) = run(isa, 1, &Pool::new(1), steps, &input);
        assert_eq!(result, Ok(()));
        assert!(state.iter().all(|x| x.is_finite()) && sums.iter().all(|x| x.is_finite() && *x != 0.0));
        for threads in [2, 3] {
            let pool = Pool::new(threads);
            for _ in 0..5 {
                let other = run(isa, threads, &pool, steps, &input);
                assert!(state.iter().zip(&other.0).all(|(x, y)| x.to_bits() == y.to_bits()), "{isa} {threads}");
                assert!(sums.iter().zip(&other.1).all(|(x, y)| x.to_bits() == y.to_bits()), "{isa} {threads}");
            }
        }
    }
}

#[test]
fn random_instructions_give_the_same_bits() {
    let world = World::<f32>::new(&mut Rng::new(1, 0, 0));
    let (one, three) = (Pool::new(1), Pool::new(3));
    let mut rng = Rng::new(8, 0, 0);
    for _ in 0..60 {
        let mut map = common::map(&mut rng);
        // More work than the random maps have, so that they are cut.
        if map.dims.len() < 3 && map.stores.iter().all(|s| s.reduce.is_none()) {
            map.expr = Expr::build(map.inputs.len(), |x| x.iter().fold(x[0].clone(), |a, b| &a.exp() - b));
            map.stores.truncate(1);
            map.stores[0].value = map.expr.result();
        }
        let mut have: Vec<World<f32>> = vec![world.clone(), world.clone()];
        for (pool, world) in [&one, &three].into_iter().zip(&mut have) {
            let instrs = vec![Instr::Map(map.clone())];
            let mut code = Code::new(instrs, sizes(), vec![], Isa::detect(), 3).expect("valid");
            code.run(world.bindings(&mut Vec::new()), 1, 0, 1, &mut [], pool).expect("no guard");
        }
        assert!(have[0].arena.iter().zip(&have[1].arena).all(|(x, y)| x.to_bits() == y.to_bits()), "{map:#?}");
    }
}

/// Convolutions directly and by tiles, every side, cut into several parts.
#[test]
fn convolutions_give_the_same_bits() {
    let world = World::<f32>::new(&mut Rng::new(1, 0, 0));
    let pools = [Pool::new(1), Pool::new(3)];
    let (batch, channels, filters) = (14, 16, 16);
    for stride in [1, 2] {
        let slide = Slide { input: 16, output: 16 / stride, size: 3, stride, dilation: 1, before: 1 };
        for side in [Side::Output, Side::Input, Side::Weight] {
            let mut places = Places::new();
            let mut rng = Rng::new(7, 0, 0);
            let mut place =
                |of: Side, len: usize| if side == of { places.output(len) } else { places.operand(&mut rng, len) };
            let x = place(Side::Input, batch * slide.input.pow(2) * channels);
            let w = place(Side::Weight, 9 * channels * filters);
            let y = place(Side::Output, batch * slide.output.pow(2) * filters);
            let slides = [Slide::NONE, slide, slide];
            let conv = Instr::Conv(Conv { side, batch, groups: 1, channels, filters, slides, x, w, y });
            for isa in Isa::available() {
                let mut have = [world.clone(), world.clone()];
                for (pool, world) in pools.iter().zip(&mut have) {
                    let mut code = Code::new(vec![conv.clone()], sizes(), vec![], isa, 3).expect("valid");
                    assert!(code.is_parallel());
                    code.run(world.bindings(&mut Vec::new()), 1, 0, 1, &mut [], pool).expect("no guard");
                }
                let [one, three] = have.map(|world| world.arena);
                assert!(one.iter().zip(&three).all(|(x, y)| x.to_bits() == y.to_bits()), "{isa} {conv:#?}");
            }
        }
    }
}

#[test]
fn a_guard_stops_every_thread_before_anything_later_is_written() {
    let large = 1 << 18;
    let fill = |value| Instr::<f32>::Fill { loc: at(Space::Arena, 0), len: large, value };
    let instrs = vec![
        map(&[1], &[(at(Space::Input(0), 0), &[1])], Expr::identity(), &[(0, at(Space::State, 0), None)]),
        fill(1.0),
        Instr::Guard { loc: at(Space::State, 0), id: 4 },
        fill(2.0),
    ];
    let sizes = Sizes { arena: large, consts: 0, state: 1, inputs: vec![1] };
    let input = [1.0, 2.0, f32::INFINITY, 4.0];
    for threads in 1..4 {
        let pool = Pool::new(threads);
        for _ in 0..20 {
            let mut code = Code::new(instrs.clone(), sizes.clone(), vec![at(Space::State, 0)], Isa::detect(), threads)
                .expect("valid");
            let (mut arena, mut state, mut sums) = (vec![0.0; large], [0.0], [0.0]);
            let memory = Bindings { arena: &mut arena, consts: &[], state: &mut state, inputs: &[&input] };
            let tripped = code.run(memory, 0, 100, 4, &mut sums, &pool).expect_err("trips");
            assert_eq!((tripped.step, tripped.id, tripped.value), (102, 4, f64::INFINITY));
            assert_eq!(sums, [3.0]);
            assert!(arena.iter().all(|&x| x == 1.0));
        }
    }
}

struct Picky;

impl HostKernel<f32> for Picky {
    fn run(&self, x: &[&[f32]], y: &mut [f32]) {
        assert!(x[0][0] < 2.0, "too large");
        y[0] = 2.0 * x[0][0];
    }
}

#[test]
fn a_panic_in_a_call_reaches_the_caller() {
    let large = 1 << 18;
    let call =
        Call { kernel: Arc::new(Picky), inputs: vec![(at(Space::Input(0), 0), 1)], output: (at(Space::State, 0), 1) };
    let instrs = vec![
        Instr::Fill { loc: at(Space::Arena, 0), len: large, value: 1.0 },
        Instr::Call(call),
        Instr::Fill { loc: at(Space::Arena, 0), len: large, value: 2.0 },
    ];
    let sizes = Sizes { arena: large, consts: 0, state: 1, inputs: vec![1] };
    for threads in 1..4 {
        let pool = Pool::new(threads);
        let mut code = Code::new(instrs.clone(), sizes.clone(), vec![], Isa::detect(), threads).expect("valid");
        let (mut arena, mut state) = (vec![0.0; large], [0.0]);
        for (input, fine) in [([0.5, 1.0], true), ([1.0, 3.0], false), ([1.5, 1.5], true)] {
            let memory = Bindings { arena: &mut arena, consts: &[], state: &mut state, inputs: &[&input] };
            let result = catch_unwind(AssertUnwindSafe(|| code.run(memory, 0, 0, 2, &mut [], &pool)));
            assert_eq!(result.is_ok(), fine);
            assert_eq!(state[0], if fine { 2.0 * input[1] } else { 2.0 });
        }
    }
}
