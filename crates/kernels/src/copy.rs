//! Strided copies: rows at a time where both sides are contiguous, square blocks through registers where only the axes differ.

use crate::context::{Context, Part, Place};
use crate::instr::Copy;
use crate::map::{RANK, merge};
use crate::simd::{Kernel, Simd, entry};
use crate::{Isa, Real};
use std::marker::PhantomData;

/// Elements that a part is worth.
const PART: usize = 32 * 1024;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Inner {
    /// Both sides run along the last dimension.
    Rows,
    /// The target runs along the last dimension, the source along this one.
    Transpose(usize),
    /// Neither.
    Elements,
}

/// A copy ready to run.
pub struct CopyPlan<T> {
    source: Place,
    target: Place,
    dims: Vec<usize>,
    from: Vec<usize>,
    to: Vec<usize>,
    inner: Inner,
    steps_per_part: usize,
    /// How many pieces that may run side by side.
    pub parts: usize,
    run: Part<CopyPlan<T>, T>,
}

impl<T: Real> CopyPlan<T> {
    pub fn new(copy: &Copy, isa: Isa) -> CopyPlan<T> {
        let mut order: Vec<usize> = (0..copy.dims.len()).filter(|&k| copy.dims[k] != 1).collect();
        order.sort_by_key(|&k| std::cmp::Reverse(copy.target.strides[k]));
        let pick = |from: &[usize]| order.iter().map(|&k| from[k]).collect::<Vec<_>>();
        let mut views = [pick(&copy.source.strides), pick(&copy.target.strides)];
        let dims = merge(&pick(&copy.dims), &mut views);
        let [from, to] = views;
        let last = dims.len() - 1;
        let inner = if to[last] != 1 {
            Inner::Elements
        } else if from[last] == 1 {
            Inner::Rows
        } else {
            (0..last).find(|&k| from[k] == 1).map_or(Inner::Elements, Inner::Transpose)
        };
        let total: usize = copy.dims.iter().product();
        let parts = (total / PART).clamp(1, 16).min(dims[0].max(1));
        let steps_per_part = dims[0].div_ceil(parts);
        let parts = if total == 0 { 0 } else { dims[0].div_ceil(steps_per_part) };
        CopyPlan {
            source: copy.source.loc.into(),
            target: copy.target.loc.into(),
            dims,
            from,
            to,
            inner,
            steps_per_part,
            parts,
            run: entry::<T, RunCopy<T>>(isa),
        }
    }

    /// Runs one part.
    ///
    /// # Safety
    /// The copy was checked against the memory of the context.
    #[inline]
    pub unsafe fn run(&self, context: &Context<T>, part: usize) {
        // SAFETY: the caller's.
        unsafe { (self.run)(self, context, part) }
    }
}

struct RunCopy<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for RunCopy<T> {
    type A = CopyPlan<T>;
    type B = Context<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(plan: *const CopyPlan<T>, context: *const Context<T>, part: usize) {
        // SAFETY: the caller's; coordinates stay below the sizes.
        unsafe {
            let (plan, context) = (&*plan, &*context);
            let rank = plan.dims.len();
            let (mut sizes, mut index) = ([1usize; RANK], [0usize; RANK]);
            sizes[..rank].copy_from_slice(&plan.dims);
            let first = part * plan.steps_per_part;
            sizes[0] = plan.steps_per_part.min(sizes[0] - first);
            let mut x = context.at(plan.source).add(first * plan.from[0]).cast_const();
            let mut y = context.at(plan.target).add(first * plan.to[0]);
            let last = rank - 1;
            let (row, swapped) = (sizes[last], if let Inner::Transpose(k) = plan.inner { k } else { last });
            // The dimensions of the inner block are walked by the block.
            let rows = sizes[swapped];
            sizes[last] = 1;
            sizes[swapped] = 1;
            'blocks: loop {
                match plan.inner {
                    Inner::Rows => row_copy::<S>(y, x, row),
                    Inner::Transpose(k) => transpose::<S>(y, plan.to[k], x, plan.from[last], rows, row),
                    Inner::Elements => {
                        for i in 0..row {
                            *y.add(i * plan.to[last]) = *x.add(i * plan.from[last]);
                        }
                    }
                }
                let mut k = rank;
                loop {
                    if k == 0 {
                        break 'blocks;
                    }
                    k -= 1;
                    index[k] += 1;
                    (x, y) = (x.add(plan.from[k]), y.add(plan.to[k]));
                    if index[k] < sizes[k] {
                        break;
                    }
                    (x, y) = (x.sub(plan.from[k] * sizes[k]), y.sub(plan.to[k] * sizes[k]));
                    index[k] = 0;
                }
            }
        }
    }
}

/// Copies `n` elements and no more.
#[inline(always)]
pub unsafe fn row_copy<S: Simd>(y: *mut S::T, x: *const S::T, n: usize) {
    // SAFETY: the caller's.
    unsafe {
        let mut i = 0;
        while i + S::LANES <= n {
            S::store(y.add(i), S::load(x.add(i)));
            i += S::LANES;
        }
        if i < n {
            let some = S::first(n - i);
            S::store_some(y.add(i), S::load_some(x.add(i), some), some);
        }
    }
}

/// `y[i·y_row + j] = x[j·x_row + i]` for i below `rows` and j below `cols`.
#[inline(always)]
pub unsafe fn transpose<S: Simd>(y: *mut S::T, y_row: usize, x: *const S::T, x_row: usize, rows: usize, cols: usize) {
    // SAFETY: the caller's: only the elements named are touched.
    unsafe {
        let mut j = 0;
        while j < cols {
            let width = S::LANES.min(cols - j);
            let across = S::first(width);
            let mut i = 0;
            while i < rows {
                let height = S::LANES.min(rows - i);
                let mut v = [S::zero(); 16];
                let (x, y) = (x.add(j * x_row + i), y.add(i * y_row + j));
                if width == S::LANES && height == S::LANES {
                    for k in 0..S::LANES {
                        v[k] = S::load(x.add(k * x_row));
                    }
                    S::transpose(&mut v);
                    for k in 0..S::LANES {
                        S::store(y.add(k * y_row), v[k]);
                    }
                } else {
                    let down = S::first(height);
                    for k in 0..S::LANES {
                        if k < width {
                            v[k] = S::load_some(x.add(k * x_row), down);
                        }
                    }
                    S::transpose(&mut v);
                    for k in 0..S::LANES {
                        if k < height {
                            S::store_some(y.add(k * y_row), v[k], across);
                        }
                    }
                }
                i += S::LANES;
            }
            j += S::LANES;
        }
    }
}
