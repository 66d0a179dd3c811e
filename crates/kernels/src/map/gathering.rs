//! The end of a map whose parts share results.

use super::walk;
use crate::context::{Context, Part, Place};
use crate::instr::Fold;
use crate::simd::{Kernel, Simd, entry};
use crate::{Isa, Real};
use std::marker::PhantomData;

/// Sums up what the parts of a map left.
pub struct Gathering<T> {
    stores: Vec<(Place, Fold, f64, usize, usize)>,
    parts: usize,
    run: Part<Gathering<T>, T>,
}

impl<T: Real> Gathering<T> {
    /// Of results given as (place, fold, factor, length, start of the parts' results in the shared memory).
    pub fn new(stores: Vec<(Place, Fold, f64, usize, usize)>, parts: usize, isa: Isa) -> Gathering<T> {
        Gathering { stores, parts, run: entry::<T, RunGathering<T>>(isa) }
    }

    /// Runs it.
    ///
    /// # Safety
    /// As for the map.
    #[inline]
    pub unsafe fn run(&self, context: &Context<T>) {
        // SAFETY: the caller's.
        unsafe { (self.run)(self, context, 0) }
    }
}

struct RunGathering<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for RunGathering<T> {
    type A = Gathering<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const Gathering<T>, context: *const Context<T>, _: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            for &(place, fold, scale, len, at) in &plan.stores {
                let (y, x) = (context.at(place), context.shared.add(at));
                let scale = S::number(scale);
                let mut i = 0;
                while i < len {
                    let some = S::first(len - i);
                    let mut acc = S::load_some(x.add(i), some);
                    for part in 1..plan.parts {
                        acc = walk::combine::<S>(fold, acc, S::load_some(x.add(part * len + i), some));
                    }
                    S::store_some(y.add(i), S::mul(acc, scale), some);
                    i += S::LANES;
                }
            }
        }
    }
}
