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

impl<T: Real> SoftmaxPlan<T> {
    /// Rows that fit a vector: as many rows as lanes at once, transposed, so that every lane has a row of its own.
    #[inline(always)]
    unsafe fn short_rows<S: Simd<T = T>>(&self, context: &Context<T>, first: usize, last: usize) {
        // SAFETY: the caller's; `n` is at most the number of lanes, which is at most 16.
        unsafe {
            let n = self.cols;
            let some = S::first(n);
            let mut row = first;
            while row < last {
                let x = context.at(self.x).add(row * n).cast_const();
                let y = context.at(self.y).add(row * n);
                let rows = S::LANES.min(last - row);
                let mut v = [S::zero(); 16];
                for i in 0..rows {
                    v[i] = S::load_some(x.add(i * n), some);
                }
                S::transpose(&mut v);
                let mut max = v[0];
                for &x in &v[1..n] {
                    max = S::max(max, x);
                }
                let mut sum = S::zero();
                let mut e = v;
                for j in 0..n {
                    e[j] = T::exp::<S>(S::sub(v[j], max));
                    sum = S::add(sum, e[j]);
                }
                if self.log {
                    let shift = T::log::<S>(sum);
                    for j in 0..n {
                        e[j] = S::sub(S::sub(v[j], max), shift);
                    }
                } else {
                    let scale = S::div(S::number(1.0), sum);
                    for j in 0..n {
                        e[j] = S::mul(e[j], scale);
                    }
                }
                S::transpose(&mut e);
                for i in 0..rows {
                    S::store_some(y.add(i * n), e[i], some);
                }
                row += rows;
            }
        }
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
            if n <= S::LANES {
                plan.short_rows::<S>(context, first, (first + plan.rows_per_part).min(plan.rows));
                return;
            }
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
