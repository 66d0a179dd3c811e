//! Softmax and its logarithm over rows, shifted by each row's maximum.

use crate::context::{Context, Part, Place};
use crate::instr::Softmax;
use crate::simd::{Kernel, Simd, entry};
use crate::{Isa, Real};
use std::marker::PhantomData;

/// Elements that a part is worth.
const PART: usize = 8 * 1024;

/// A softmax ready to run.
pub struct SoftmaxPlan<T> {
    rows: usize,
    cols: usize,
    x: Place,
    y: Place,
    log: bool,
    rows_per_part: usize,
    /// How many pieces that may run side by side.
    pub parts: usize,
    run: Part<SoftmaxPlan<T>, T>,
}

impl<T: Real> SoftmaxPlan<T> {
    pub fn new(s: &Softmax, isa: Isa) -> SoftmaxPlan<T> {
        let parts = if s.rows * s.cols == 0 { 0 } else { (s.rows * s.cols / PART).clamp(1, 16).min(s.rows) };
        let rows_per_part = s.rows.div_ceil(parts.max(1));
        SoftmaxPlan {
            rows: s.rows,
            cols: s.cols,
            x: s.x.into(),
            y: s.y.into(),
            log: s.log,
            rows_per_part,
            parts: if parts == 0 { 0 } else { s.rows.div_ceil(rows_per_part) },
            run: entry::<T, Rows<T>>(isa),
        }
    }

    /// Runs one part.
    ///
    /// # Safety
    /// The instruction was checked against the memory of the context.
    #[inline]
    pub unsafe fn run(&self, context: &Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe { (self.run)(self, context, part) }
    }
}

struct Rows<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for Rows<T> {
    type A = SoftmaxPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const SoftmaxPlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            let n = plan.cols;
            let first = part * plan.rows_per_part;
            let low = S::number(f64::NEG_INFINITY);
            for row in first..(first + plan.rows_per_part).min(plan.rows) {
                let x = context.at(plan.x).add(row * n).cast_const();
                let y = context.at(plan.y).add(row * n);
                let mut max = low;
                let mut j = 0;
                while j < n {
                    let some = S::first(n - j);
                    max = S::max(max, S::select(some, S::load_some(x.add(j), some), low));
                    j += S::LANES;
                }
                let mut lanes = [T::default(); 16];
                S::store(lanes.as_mut_ptr(), max);
                let mut best = lanes[0];
                for &lane in &lanes[1..S::LANES] {
                    // NaN wins: it is the one thing that does not equal itself.
                    #[allow(clippy::eq_op)]
                    if lane > best || lane != lane {
                        best = lane;
                    }
                }
                let max = S::splat(best);
                let mut sum = S::zero();
                let mut j = 0;
                while j < n {
                    let some = S::first(n - j);
                    let e = T::exp::<S>(S::sub(S::load_some(x.add(j), some), max));
                    sum = S::add(sum, S::select(some, e, S::zero()));
                    if !plan.log {
                        S::store_some(y.add(j), e, some);
                    }
                    j += S::LANES;
                }
                let sum = S::splat(S::sum(sum));
                let (scale, shift) = (S::div(S::number(1.0), sum), T::log::<S>(sum));
                let mut j = 0;
                while j < n {
                    let some = S::first(n - j);
                    let v = if plan.log {
                        S::sub(S::sub(S::load_some(x.add(j), some), max), shift)
                    } else {
                        S::mul(S::load_some(y.add(j), some), scale)
                    };
                    S::store_some(y.add(j), v, some);
                    j += S::LANES;
                }
            }
        }
    }
}
