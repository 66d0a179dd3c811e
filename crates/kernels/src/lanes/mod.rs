//! Small products and maps with the batch in the lanes.
//!
//! A net with a few units to a layer leaves most lanes of a vector empty where a vector holds the features of one sample. Here a vector
//! holds one feature of all samples instead. A product with weights is then a few multiply-adds, each of one weight for the whole batch,
//! an epilogue is one loop over whole vectors, and a sum over the batch is the sum of a vector's lanes.
//!
//! Which instructions run this way, and what they leave for each other in lanes without a detour through memory, is decided once for the
//! whole list (see `plan`). An instruction becomes a short list of `Step`s (see `instrs` and `run`); the expressions of maps and epilogues are the
//! programs of `map`.

mod blocks;
mod instrs;
mod plan;
mod run;

use crate::Real;
use crate::context::{Context, Part, Place, Slot};
use crate::instr::Fold;
use crate::map::TileOp;
pub use plan::{Plans, plan};

/// An instruction that runs with the batch in the lanes.
pub struct LanesPlan<T> {
    steps: Vec<Step<T>>,
    sources: Vec<Source>,
    frame: Frame<T>,
    /// What the program's loops read and write.
    slots: Vec<Slot<T>>,
}

/// How values lie in lanes.
#[derive(Clone, Copy)]
struct Frame<T> {
    /// Samples of the batch.
    rows: usize,
    /// Elements from one feature to the next: the samples, rounded up to whole vectors.
    row: usize,
    /// Where values in lanes are kept.
    base: *mut T,
}

/// Where a slot leads to.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Source {
    Constant(f64),
    /// One vector.
    Number(usize),
    /// A vector for each feature, or several.
    Block(usize),
}

/// A part of an instruction.
enum Step<T> {
    /// One loop of a program, over so many elements.
    Loop { op: TileOp<T>, n: usize },
    /// Anything else.
    Lanes { run: Part<Work<T>, T>, work: Work<T> },
}

/// What a step does. Blocks of features in lanes are told by their offset.
struct Work<T> {
    task: Task<T>,
    frame: Frame<T>,
}

#[derive(Clone, Copy)]
enum Task<T> {
    /// Fetches features that lie `col` apart, of samples that lie `row` apart.
    Load { x: Place, row: usize, col: usize, features: usize, y: usize },
    /// Gives all samples the same features, which lie next to each other.
    Spread { x: Place, features: usize, y: usize },
    /// Puts one number into one vector.
    Number { x: Place, y: usize },
    /// Repeats one feature.
    Repeat { x: usize, features: usize, y: usize },
    /// `y[j] = start[j] + Σₖ w[k, j]·x[k]` for some features.
    Product { w: Place, k_step: usize, j_step: usize, k: usize, x: usize, start: Start, y: usize },
    /// Reduces all features to one.
    Fold { fold: Fold, scale: T, x: usize, features: usize, y: usize },
    /// `y[i, j] = Σ a[i]·b[j]` over the samples.
    Dots { a: usize, b: usize, m: usize, n: usize, y: Place },
    /// `y[j] = scale·Σ x[j]` over the samples; over the features too if there is one result.
    Sums { x: usize, features: usize, all: bool, scale: T, y: Place },
    /// Writes sample after sample to memory.
    Store { x: usize, features: usize, y: Place },
}

/// What a product's sums start from.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Start {
    Zero,
    /// Numbers of the features, so far apart.
    Bias(Place, usize),
}

impl<T: Real> LanesPlan<T> {
    /// Sets where values in lanes are kept.
    pub fn place(&mut self, base: *mut T, constant: &mut impl FnMut(f64) -> *mut T) {
        self.frame.base = base;
        for step in &mut self.steps {
            if let Step::Lanes { work, .. } = step {
                work.frame = self.frame;
            }
        }
        let slot = |source: &Source| match *source {
            Source::Constant(x) => Slot { at: constant(x), step: 0, exact: false },
            Source::Number(at) => Slot { at: base.wrapping_add(at), step: 0, exact: false },
            Source::Block(at) => Slot { at: base.wrapping_add(at), step: 1, exact: false },
        };
        self.slots = self.sources.iter().map(slot).collect();
    }

    /// Runs it.
    ///
    /// # Safety
    /// The instructions were checked against the memory of the context; the values in lanes were placed, and one thread alone works on them.
    #[inline(always)]
    pub unsafe fn run(&self, context: &Context<T>) {
        let slots = self.slots.as_ptr();
        for step in &self.steps {
            // SAFETY: the caller's.
            unsafe {
                match step {
                    Step::Loop { op, n } => (op.run)(slots, op, *n),
                    Step::Lanes { run, work } => run(work, context, 0),
                }
            }
        }
    }
}
