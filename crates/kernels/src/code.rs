//! A checked list of instructions, ready to run.

use crate::instr::{Instr, Loc};
use crate::reference::{self, Memory};
use crate::verify::{CodeError, check, check_scalar};
use crate::{Isa, Pool, Real};

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
#[derive(Debug)]
pub struct Code<T> {
    instrs: Vec<Instr<T>>,
    sizes: Sizes,
    scalars: Vec<Loc>,
    isa: Isa,
}

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
        assert!(isa.is_available(), "this processor has no {isa}");
        let _ = threads;
        for (i, instr) in instrs.iter().enumerate() {
            check(i, instr, &sizes)?;
        }
        for (i, &loc) in scalars.iter().enumerate() {
            check_scalar(instrs.len(), i, loc, &sizes)?;
        }
        Ok(Code { instrs, sizes, scalars, isa })
    }

    /// Runs `steps` steps. Step `s` sees its own part of every input, the step counter `first_step + s`, and random numbers
    /// of (seed, first_step + s); after it, each scalar is added to its sum.
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
        let _ = pool;
        let Bindings { arena, consts, state, inputs } = memory;
        assert!(arena.len() >= self.sizes.arena && consts.len() >= self.sizes.consts, "the memory fits the code");
        assert!(state.len() >= self.sizes.state && inputs.len() == self.sizes.inputs.len(), "the memory fits the code");
        assert!(inputs.iter().zip(&self.sizes.inputs).all(|(x, n)| x.len() == steps * n), "inputs for every step");
        assert_eq!(sums.len(), self.scalars.len(), "a sum for every scalar");
        for s in 0..steps {
            let now: Vec<&[T]> = inputs.iter().zip(&self.sizes.inputs).map(|(x, n)| &x[s * n..(s + 1) * n]).collect();
            let mut memory = Memory { arena: &mut *arena, consts, state: &mut *state, inputs: &now };
            for instr in &self.instrs {
                reference::execute(instr, &mut memory, seed, first_step + s as u64)?;
            }
            for (sum, &loc) in sums.iter_mut().zip(&self.scalars) {
                *sum += memory.read(loc, 0).to_f64();
            }
        }
        Ok(())
    }

    /// The instructions.
    pub fn instrs(&self) -> &[Instr<T>] {
        &self.instrs
    }

    /// The instruction set.
    pub fn isa(&self) -> Isa {
        self.isa
    }
}
