//! A checked list of instructions, ready to run.

use crate::arrange::{Arranged, arrange};
use crate::context::{FIRST_INPUT, Place, Slot};
use crate::instr::{Instr, Loc, Space};
use crate::node::{Node, Op, place_meetings};
use crate::pool::Barrier;
use crate::verify::{Access, CodeError, check, check_scalar};
use crate::walk::Walk;
use crate::{Buffer, Isa, Pool, Real};
use std::cell::UnsafeCell;
use std::fmt;
use std::ops::Range;
use std::time::Instant;

/// How many elements each memory has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    /// Intermediate values.
    pub arena: usize,
    /// Constants.
    pub consts: usize,
    /// Values that live from step to step.
    pub state: usize,
    /// Each input, for one step.
    pub inputs: Vec<usize>,
}

/// The memory of a run.
#[derive(Debug)]
pub struct Bindings<'a, T> {
    /// At least [`Sizes::arena`] elements: zeros, or what an earlier run of the same code left.
    pub arena: &'a mut [T],
    /// At least [`Sizes::consts`] elements.
    pub consts: &'a [T],
    /// At least [`Sizes::state`] elements.
    pub state: &'a mut [T],
    /// Input `i` holds exactly [`Sizes::inputs`]`[i]` elements for every step, one step after the other.
    pub inputs: &'a [&'a [T]],
}

/// A guard that met a number that is not finite.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("step {step}: guard {id} met {value}")]
pub struct Tripped {
    /// The step, counted as `first_step` is.
    pub step: u64,
    /// The guard's own number.
    pub id: u32,
    /// What it met.
    pub value: f64,
}

/// A list of instructions whose every access has been checked, with the scratch memory that it needs to run.
///
/// ```
/// use gradus_kernels::instr::{Instr, Loc, Map, Operand, Space, Store};
/// use gradus_kernels::{Bindings, Code, Expr, Isa, Pool, Sizes, Term};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let at = |space| Loc { space, offset: 0 };
/// let square = Map {
///     dims: vec![3],
///     expr: Expr::build(1, |x: &[Term]| x[0].square()),
///     inputs: vec![Operand { loc: at(Space::Input(0)), strides: vec![1] }],
///     stores: vec![Store { value: 1, loc: at(Space::State), reduce: None }],
/// };
/// let sizes = Sizes { state: 3, inputs: vec![3], ..Sizes::default() };
/// let mut code = Code::<f32>::new(vec![Instr::Map(square)], sizes, vec![], Isa::detect(), 1)?;
/// let mut state = [0.0; 3];
/// let memory = Bindings { arena: &mut [], consts: &[], state: &mut state, inputs: &[&[1.0, 2.0, 3.0]] };
/// code.run(memory, 0, 0, 1, &mut [], &Pool::new(1))?;
/// assert_eq!(state, [1.0, 4.0, 9.0]);
/// # Ok(())
/// # }
/// ```
pub struct Code<T> {
    instrs: Vec<Instr<T>>,
    sizes: Sizes,
    isa: Isa,
    nodes: Vec<Node<T>>,
    scalars: Vec<Place>,
    /// Threads must meet before the scalars are read.
    wait_last: bool,
    parallel: bool,
    threads: Vec<Thread<T>>,
    shared: Buffer<T>,
    /// Values that lie in lanes, which slots point to.
    _lanes: Buffer<T>,
    /// Vectors of equal lanes, which slots point to.
    _constants: Vec<(u64, Buffer<T>)>,
}

/// The work of [`Code`] for one element type, compiled in this crate once and not again in every crate that uses it.
pub trait Compiled: Sized {
    /// [`Code::new`].
    fn prepare(
        instrs: Vec<Instr<Self>>,
        sizes: Sizes,
        scalars: Vec<Loc>,
        outputs: &[Range<usize>],
        isa: Isa,
        threads: usize,
    ) -> Result<Code<Self>, CodeError>;

    /// [`Code::run`].
    fn walk(
        code: &mut Code<Self>,
        memory: Bindings<'_, Self>,
        seed: u64,
        first_step: u64,
        steps: usize,
        sums: &mut [f64],
        how: How<'_>,
    ) -> Result<(), Tripped>;
}

/// A stretch of time that a thread worked at one instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Its number in [`Code::instrs`].
    pub instr: usize,
    /// When it began.
    pub start: Instant,
    /// When it ended.
    pub end: Instant,
}

/// How a run goes.
pub enum How<'a> {
    /// On the threads of a pool.
    Threads(&'a Pool),
    /// On the threads of a pool, and each writes down what it did when.
    Traced(&'a Pool, &'a mut [Vec<Span>]),
}

macro_rules! compile {
    ($($T:ty),*) => { $(
        impl Compiled for $T {
            #[inline(never)]
            fn prepare(
                instrs: Vec<Instr<$T>>,
                sizes: Sizes,
                scalars: Vec<Loc>,
                outputs: &[Range<usize>],
                isa: Isa,
                threads: usize,
            ) -> Result<Code<$T>, CodeError> {
                Code::prepared(instrs, sizes, scalars, outputs, isa, threads)
            }

            #[inline(never)]
            fn walk(
                code: &mut Code<$T>,
                memory: Bindings<'_, $T>,
                seed: u64,
                first_step: u64,
                steps: usize,
                sums: &mut [f64],
                how: How<'_>,
            ) -> Result<(), Tripped> {
                code.walked(memory, seed, first_step, steps, sums, how)
            }
        }
    )* };
}
compile!(f32, f64);

/// What one thread writes to.
pub(crate) struct Thread<T> {
    pub(crate) slots: Vec<Slot<T>>,
    pub(crate) scratch: Buffer<T>,
    pub(crate) bases: Vec<*mut T>,
}

// SAFETY: the pointers of slots lead to scratch memory that the code owns; all other pointers are set anew by every run, which
// takes the code by exclusive reference.
unsafe impl<T: Real> Send for Code<T> {}
// SAFETY: a shared reference gives access to the instructions only.
unsafe impl<T: Real> Sync for Code<T> {}

impl<T: Real> Code<T> {
    /// Checks the instructions and prepares them for an instruction set and at most `threads` threads.
    ///
    /// `scalars` are elements to report after every step.
    ///
    /// # Errors
    /// If an instruction reaches outside its memory, writes where it must not, or is malformed.
    ///
    /// # Panics
    /// If this processor lacks the instruction set ([`Isa::is_available`]).
    pub fn new(
        instrs: Vec<Instr<T>>,
        sizes: Sizes,
        scalars: Vec<Loc>,
        isa: Isa,
        threads: usize,
    ) -> Result<Code<T>, CodeError> {
        let all = 0..sizes.arena;
        T::prepare(instrs, sizes, scalars, &[all], isa, threads)
    }

    /// The same, but only these elements of the arena are looked at after a run: whatever else an instruction leaves there for others may
    /// lie anywhere, and the arena may hold anything in its place.
    ///
    /// # Errors
    /// As [`Code::new`].
    ///
    /// # Panics
    /// As [`Code::new`].
    pub fn sparing(
        instrs: Vec<Instr<T>>,
        sizes: Sizes,
        scalars: Vec<Loc>,
        outputs: &[Range<usize>],
        isa: Isa,
        threads: usize,
    ) -> Result<Code<T>, CodeError> {
        T::prepare(instrs, sizes, scalars, outputs, isa, threads)
    }

    #[inline(always)]
    fn prepared(
        instrs: Vec<Instr<T>>,
        sizes: Sizes,
        scalars: Vec<Loc>,
        outputs: &[Range<usize>],
        isa: Isa,
        threads: usize,
    ) -> Result<Code<T>, CodeError> {
        assert!(isa.is_available(), "this processor has no {isa}");
        let touched: Vec<Vec<Access>> =
            instrs.iter().enumerate().map(|(i, instr)| check(i, instr, &sizes)).collect::<Result<_, _>>()?;
        let reads: Vec<Access> = scalars
            .iter()
            .enumerate()
            .map(|(i, &loc)| check_scalar(instrs.len(), i, loc, &sizes))
            .collect::<Result<_, _>>()?;
        let output = |range: &Range<usize>| Access { space: Space::Arena, range: range.clone(), write: false };
        let kept: Vec<Access> = reads.iter().cloned().chain(outputs.iter().map(output)).collect();
        let Arranged { mut nodes, shared, lanes } = arrange(&instrs, &touched, &kept, isa, threads);
        let accesses: Vec<&[Access]> = nodes.iter().map(|node| &touched[node.instr][..]).collect();
        let wait_last = place_meetings(&mut nodes, &accesses, &reads);

        let parallel = nodes.iter().any(|n| n.parts > 1);
        let threads = if parallel { threads.max(1) } else { 1 };
        let scratch = nodes.iter().map(|n| n.op.scratch()).max().unwrap_or(0);
        let mut buffers: Vec<Buffer<T>> = (0..threads).map(|_| Buffer::zeroed(scratch)).collect();
        let mut slots: Vec<(Vec<Slot<T>>, *mut T)> = buffers.iter_mut().map(|b| (Vec::new(), b.as_mut_ptr())).collect();
        let mut constants: Vec<(u64, Buffer<T>)> = Vec::new();
        let mut constant = |x: f64| {
            let at = constants.iter().position(|c| c.0 == x.to_bits()).unwrap_or_else(|| {
                let mut lanes = Buffer::zeroed(16);
                lanes.fill(T::from_f64(x));
                constants.push((x.to_bits(), lanes));
                constants.len() - 1
            });
            constants[at].1.as_mut_ptr()
        };
        let mut lanes = Buffer::zeroed(lanes);
        for node in &mut nodes {
            node.op.place_slots(&mut slots, &mut constant);
            if let Op::Lanes(plan) = &mut node.op {
                plan.place(lanes.as_mut_ptr(), &mut constant);
            }
        }
        let threads = slots
            .into_iter()
            .zip(buffers)
            .map(|((slots, _), scratch)| Thread {
                slots,
                scratch,
                bases: vec![std::ptr::null_mut(); FIRST_INPUT + sizes.inputs.len()],
            })
            .collect();
        Ok(Code {
            instrs,
            sizes,
            isa,
            nodes,
            scalars: scalars.into_iter().map(Place::from).collect(),
            wait_last,
            parallel,
            threads,
            shared: Buffer::zeroed(shared),
            _lanes: lanes,
            _constants: constants,
        })
    }

    /// Runs `steps` steps. Step `s` sees its own part of every input, the step counter `first_step + s`, and random numbers
    /// of (seed, first_step + s); after it, each scalar is added to its sum.
    ///
    /// Any number of threads gives the same bits. Nothing is allocated, and no other thread is woken for a code that is too
    /// small to gain.
    ///
    /// # Errors
    /// If a guard trips: nothing after it has been computed, and the sums lack that step.
    ///
    /// # Panics
    /// If the memory is smaller than [`Sizes`] says, or a user's function panics.
    pub fn run(
        &mut self,
        memory: Bindings<'_, T>,
        seed: u64,
        first_step: u64,
        steps: usize,
        sums: &mut [f64],
        pool: &Pool,
    ) -> Result<(), Tripped> {
        T::walk(self, memory, seed, first_step, steps, sums, How::Threads(pool))
    }

    /// Runs as [`Code::run`] does, and adds to `spans[i]` what thread `i` did when, in order. Reading the clock takes some 30 ns an
    /// instruction.
    ///
    /// # Errors
    /// If a guard trips.
    ///
    /// # Panics
    /// As [`Code::run`]; if there are not as many lists as threads.
    pub fn run_traced(
        &mut self,
        memory: Bindings<'_, T>,
        seed: u64,
        first_step: u64,
        steps: usize,
        sums: &mut [f64],
        pool: &Pool,
        spans: &mut [Vec<Span>],
    ) -> Result<(), Tripped> {
        assert_eq!(spans.len(), pool.threads(), "a list for every thread");
        T::walk(self, memory, seed, first_step, steps, sums, How::Traced(pool, spans))
    }

    #[inline(always)]
    fn walked(
        &mut self,
        memory: Bindings<'_, T>,
        seed: u64,
        first_step: u64,
        steps: usize,
        sums: &mut [f64],
        how: How<'_>,
    ) -> Result<(), Tripped> {
        let Bindings { arena, consts, state, inputs } = memory;
        assert!(arena.len() >= self.sizes.arena && consts.len() >= self.sizes.consts, "the memory fits the code");
        assert!(state.len() >= self.sizes.state && inputs.len() == self.sizes.inputs.len(), "the memory fits the code");
        assert!(inputs.iter().zip(&self.sizes.inputs).all(|(x, n)| x.len() == steps * n), "inputs for every step");
        assert_eq!(sums.len(), self.scalars.len(), "a sum for every scalar");
        let threads = match &how {
            How::Threads(pool) | How::Traced(pool, _) if self.parallel => self.threads.len().min(pool.threads()),
            _ => 1,
        };
        let spaces = [arena.as_mut_ptr(), consts.as_ptr().cast_mut(), state.as_mut_ptr()];
        for thread in &mut self.threads[..threads] {
            thread.bases[..FIRST_INPUT].copy_from_slice(&spaces);
            for (base, input) in thread.bases[FIRST_INPUT..].iter_mut().zip(inputs) {
                *base = input.as_ptr().cast_mut();
            }
        }
        let shared = self.shared.as_mut_ptr();
        let owned = self.threads.as_mut_ptr();
        let walk = Walk {
            nodes: &self.nodes,
            inputs: &self.sizes.inputs,
            scalars: &self.scalars,
            wait_last: self.wait_last,
            seed,
            first_step,
            steps,
            shared,
            threads: owned,
            barrier: Barrier::new(threads),
            sums: sums.as_mut_ptr(),
            tripped: UnsafeCell::new(None),
            spans: std::ptr::null_mut(),
        };
        match how {
            How::Threads(pool) => walk.all::<false>(threads, pool),
            How::Traced(pool, spans) => Walk { spans: spans.as_mut_ptr(), ..walk }.all::<true>(threads, pool),
        }
    }

    /// The instructions.
    pub fn instrs(&self) -> &[Instr<T>] {
        &self.instrs
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Whether some instruction is cut into parts, so that more threads can help.
    pub fn is_parallel(&self) -> bool {
        self.parallel
    }
}

impl<T: Real> fmt::Debug for Code<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Code")
            .field("isa", &self.isa)
            .field("sizes", &self.sizes)
            .field("instrs", &self.instrs)
            .finish_non_exhaustive()
    }
}
