//! Instructions whose values are positions: the largest of an axis, rows by index, sums of rows by index.

use crate::context::{Context, Part, Place};
use crate::copy::row_copy;
use crate::instr::{ArgMax, Gather, Loc, ScatterAdd, Space};
use crate::reference::whole;
use crate::simd::{Kernel, Simd, entry};
use crate::{Isa, Real};
use std::marker::PhantomData;

/// Elements that a part is worth.
const PART: usize = 32 * 1024;

/// An instruction ready to run.
pub struct IndexPlan<T> {
    outer: usize,
    mid: usize,
    inner: usize,
    count: usize,
    x: Place,
    index: Place,
    y: Place,
    /// Rows, of whatever is cut, to a part.
    rows_per_part: usize,
    rows: usize,
    /// How many pieces that may run side by side.
    pub parts: usize,
    run: Part<IndexPlan<T>, T>,
}

impl<T: Real> IndexPlan<T> {
    pub fn argmax(a: &ArgMax, isa: Isa) -> IndexPlan<T> {
        let (x, y) = (a.x.into(), a.y.into());
        IndexPlan {
            outer: a.outer,
            mid: a.mid,
            inner: a.inner,
            count: 0,
            x,
            index: x,
            y,
            ..IndexPlan::cut(a.outer, a.mid * a.inner, entry::<T, Largest<T>>(isa))
        }
    }

    pub fn gather(g: &Gather, isa: Isa) -> IndexPlan<T> {
        let run = entry::<T, Rows<T>>(isa);
        let (x, index, y) = (g.x.into(), g.index.into(), g.y.into());
        IndexPlan {
            outer: g.outer,
            mid: g.mid,
            inner: g.inner,
            count: g.count,
            x,
            index,
            y,
            ..IndexPlan::cut(g.outer * g.count, g.inner, run)
        }
    }

    pub fn scatter(s: &ScatterAdd, isa: Isa) -> IndexPlan<T> {
        let run = entry::<T, Sums<T>>(isa);
        let (x, index, y) = (s.x.into(), s.index.into(), s.y.into());
        IndexPlan {
            outer: s.outer,
            mid: s.mid,
            inner: s.inner,
            count: s.count,
            x,
            index,
            y,
            ..IndexPlan::cut(s.mid, s.outer * s.inner, run)
        }
    }

    fn cut(rows: usize, row: usize, run: Part<IndexPlan<T>, T>) -> IndexPlan<T> {
        let parts = if rows * row == 0 { 0 } else { (rows * row / PART).clamp(1, 16).min(rows) };
        let rows_per_part = rows.div_ceil(parts.max(1));
        let parts = if parts == 0 { 0 } else { rows.div_ceil(rows_per_part) };
        let none = Place::from(Loc { space: Space::Arena, offset: 0 });
        IndexPlan {
            outer: 0,
            mid: 0,
            inner: 0,
            count: 0,
            x: none,
            index: none,
            y: none,
            rows_per_part,
            rows,
            parts,
            run,
        }
    }

    fn range(&self, part: usize) -> std::ops::Range<usize> {
        let first = part * self.rows_per_part;
        first..(first + self.rows_per_part).min(self.rows)
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

struct Largest<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for Largest<T> {
    type A = IndexPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const IndexPlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            for o in plan.range(part) {
                for i in 0..plan.inner {
                    let x = context.at(plan.x).add(o * plan.mid * plan.inner + i);
                    let (mut best, mut at) = (*x, 0);
                    for k in 1..plan.mid {
                        let v = *x.add(k * plan.inner);
                        // NaN is the one thing that does not equal itself.
                        #[allow(clippy::eq_op)]
                        if best == best && (v > best || v != v) {
                            (best, at) = (v, k);
                        }
                    }
                    *context.at(plan.y).add(o * plan.inner + i) = T::from_f64(at as f64);
                }
            }
        }
    }
}

struct Rows<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for Rows<T> {
    type A = IndexPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const IndexPlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's; `whole` keeps the row inside the axis.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            for row in plan.range(part) {
                let (o, i) = (row / plan.count, row % plan.count);
                let y = context.at(plan.y).add(row * plan.inner);
                match whole((*context.at(plan.index).add(i)).to_f64(), plan.mid) {
                    Some(at) => row_copy::<S>(y, context.at(plan.x).add((o * plan.mid + at) * plan.inner), plan.inner),
                    None => (0..plan.inner).for_each(|j| *y.add(j) = T::from_f64(f64::NAN)),
                }
            }
        }
    }
}

struct Sums<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for Sums<T> {
    type A = IndexPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const IndexPlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's; a part touches the rows of its range only.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            let (range, n) = (plan.range(part), plan.inner);
            for o in 0..plan.outer {
                let y = context.at(plan.y).add(o * plan.mid * n);
                y.add(range.start * n).write_bytes(0, range.len() * n);
                for i in 0..plan.count {
                    let Some(at) = whole((*context.at(plan.index).add(i)).to_f64(), plan.mid) else { continue };
                    if !range.contains(&at) {
                        continue;
                    }
                    let (y, x) = (y.add(at * n), context.at(plan.x).add((o * plan.count + i) * n));
                    let mut j = 0;
                    while j < n {
                        let some = S::first(n - j);
                        S::store_some(
                            y.add(j),
                            S::add(S::load_some(y.add(j), some), S::load_some(x.add(j), some)),
                            some,
                        );
                        j += S::LANES;
                    }
                }
            }
        }
    }
}
