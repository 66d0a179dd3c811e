//! What a kernel sees of a run.

use crate::instr::{Loc, Space};
use crate::simd::Entry;

/// A resolved location.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    base: usize,
    pub offset: usize,
}

impl Place {
    /// The place so many elements behind it.
    pub fn further(self, elements: usize) -> Place {
        Place { offset: self.offset + elements, ..self }
    }
}

/// How many memories come before the inputs.
pub const FIRST_INPUT: usize = 3;

impl From<Loc> for Place {
    fn from(loc: Loc) -> Place {
        let base = match loc.space {
            Space::Arena => 0,
            Space::Const => 1,
            Space::State => 2,
            Space::Input(i) => FIRST_INPUT + usize::from(i),
        };
        Place { base, offset: loc.offset }
    }
}

/// The memory of a run as one thread sees it.
#[derive(Clone, Copy)]
pub struct Context<T> {
    /// Where each memory starts; inputs at the current step.
    pub bases: *const *mut T,
    /// The random seed.
    pub seed: u64,
    /// The step counter.
    pub step: u64,
    /// This thread's slots.
    pub slots: *mut Slot<T>,
    /// This thread's scratch memory.
    pub scratch: *mut T,
    /// Scratch memory of all threads.
    pub shared: *mut T,
}

impl<T> Context<T> {
    /// Where a place is.
    ///
    /// # Safety
    /// The place was checked against the memories of the run.
    #[inline(always)]
    pub unsafe fn at(&self, place: Place) -> *mut T {
        // SAFETY: the caller's.
        unsafe { (*self.bases.add(place.base)).add(place.offset) }
    }
}

/// An operand of a tile instruction: `step` elements further for every lane, so 0 repeats one vector.
#[derive(Clone, Copy, Debug)]
pub struct Slot<T> {
    /// The first element.
    pub at: *mut T,
    /// 0 or 1.
    pub step: u32,
    /// Set if nothing may be touched but the elements themselves; else there is room for whole vectors.
    pub exact: bool,
}

/// A plan's part `n` on one thread.
pub type Part<P, T> = Entry<P, Context<T>>;
