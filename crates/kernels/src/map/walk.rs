//! Moving tiles: filling a register from a strided view or with coordinates, and folding a tile into a result.

use super::layout::{Layout, RANK};
use crate::Real;
use crate::instr::Fold;
use crate::simd::Simd;

/// Calls for every innermost row of a tile: its place in the tile, its offset in a view, its length, its stride.
macro_rules! rows {
    ($layout:expr, $steps:expr, $strides:expr, |$at:ident, $offset:ident, $len:ident, $stride:ident| $body:expr) => {{
        let (layout, strides): (&Layout, &[usize]) = ($layout, $strides);
        let last = layout.dims.len() - 1;
        let $len = if last == layout.axis { $steps } else { *layout.dims.get_unchecked(last) };
        let $stride = *strides.get_unchecked(last);
        let count = $steps * layout.inner / $len;
        let mut index = [0usize; RANK];
        let mut $offset = 0;
        for row in 0..count {
            let $at = row * $len;
            $body;
            let mut d = last;
            while d > layout.axis {
                d -= 1;
                *index.get_unchecked_mut(d) += 1;
                $offset += *strides.get_unchecked(d);
                let size = *layout.dims.get_unchecked(d);
                if d == layout.axis || *index.get_unchecked(d) < size {
                    break;
                }
                $offset -= size * *strides.get_unchecked(d);
                *index.get_unchecked_mut(d) = 0;
            }
        }
    }};
}

/// Copies `n` elements. May write up to a vector too far.
#[inline(always)]
unsafe fn copy<S: Simd>(y: *mut S::T, x: *const S::T, n: usize) {
    // SAFETY: the caller's.
    unsafe {
        let mut i = 0;
        while i + S::LANES <= n {
            S::store(y.add(i), S::load(x.add(i)));
            i += S::LANES;
        }
        if i < n {
            S::store(y.add(i), S::load_some(x.add(i), S::first(n - i)));
        }
    }
}

/// Fills a register with a tile of a view.
///
/// # Safety
/// The view is valid for the tile at `x`; the register has room for a tile and one more vector.
#[inline(always)]
pub unsafe fn gather<S: Simd>(y: *mut S::T, x: *const S::T, layout: &Layout, steps: usize, strides: &[usize]) {
    // SAFETY: the caller's.
    unsafe {
        rows!(layout, steps, strides, |at, offset, len, stride| {
            let (y, x) = (y.add(at), x.add(offset));
            match stride {
                0 => {
                    let v = S::splat(*x);
                    let mut i = 0;
                    while i < len {
                        S::store(y.add(i), v);
                        i += S::LANES;
                    }
                }
                1 => copy::<S>(y, x, len),
                _ => {
                    for i in 0..len {
                        *y.add(i) = *x.add(i * stride);
                    }
                }
            }
        });
    }
}

/// Fills a register with coordinates along a dimension of `size`, each of which lasts for `stride` elements: counted once, then repeated.
pub fn coordinates<T: Real>(y: &mut [T], start: usize, stride: usize, size: usize) {
    let (mut lasts, mut at) = (stride - start % stride, start / stride % size);
    let counted = y.len().min(stride * size);
    for y in &mut y[..counted] {
        *y = T::from_f64(at as f64);
        lasts -= 1;
        if lasts == 0 {
            (lasts, at) = (stride, if at + 1 == size { 0 } else { at + 1 });
        }
    }
    let mut done = counted;
    while done < y.len() {
        let more = done.min(y.len() - done);
        y.copy_within(..more, done);
        done += more;
    }
}

/// The neutral element of a fold.
#[inline(always)]
pub fn neutral(fold: Fold) -> f64 {
    match fold {
        Fold::Sum => 0.0,
        Fold::Max => f64::NEG_INFINITY,
        Fold::Min => f64::INFINITY,
    }
}

#[inline(always)]
pub unsafe fn combine<S: Simd>(fold: Fold, a: S::V, b: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        match fold {
            Fold::Sum => S::add(a, b),
            Fold::Max => S::max(a, b),
            Fold::Min => S::min(a, b),
        }
    }
}

/// Folds `n` elements: four vectors side by side, then halves.
#[inline(always)]
unsafe fn fold_row<S: Simd>(fold: Fold, x: *const S::T, n: usize) -> S::T {
    // SAFETY: the caller's.
    unsafe {
        let start = S::number(neutral(fold));
        let mut i = 0;
        let mut acc = start;
        if n >= 4 * S::LANES {
            let mut sums = [start; 4];
            while i + 4 * S::LANES <= n {
                let mut k = 0;
                while k < 4 {
                    sums[k] = combine::<S>(fold, sums[k], S::load(x.add(i + k * S::LANES)));
                    k += 1;
                }
                i += 4 * S::LANES;
            }
            acc = combine::<S>(fold, combine::<S>(fold, sums[0], sums[1]), combine::<S>(fold, sums[2], sums[3]));
        }
        while i + S::LANES <= n {
            acc = combine::<S>(fold, acc, S::load(x.add(i)));
            i += S::LANES;
        }
        if i < n {
            let some = S::first(n - i);
            acc = combine::<S>(fold, acc, S::select(some, S::load_some(x.add(i), some), start));
        }
        if let Fold::Sum = fold {
            return S::sum(acc);
        }
        let mut lanes = [S::T::default(); 16];
        S::store(lanes.as_mut_ptr(), acc);
        let mut best = lanes[0];
        for &x in &lanes[1..S::LANES] {
            // NaN wins: it is the one thing that does not equal itself.
            #[allow(clippy::eq_op)]
            let better = x != x || if let Fold::Max = fold { x > best } else { x < best };
            #[allow(clippy::eq_op)]
            if better && best == best {
                best = x;
            }
        }
        best
    }
}

#[inline(always)]
unsafe fn combine_one<S: Simd>(fold: Fold, y: *mut S::T, x: S::T) {
    // SAFETY: the caller's.
    unsafe {
        if let Fold::Sum = fold {
            *y = *y + x;
            return;
        }
        #[allow(clippy::eq_op)]
        let better = x != x || if let Fold::Max = fold { x > *y } else { x < *y };
        #[allow(clippy::eq_op)]
        if better && *y == *y {
            *y = x;
        }
    }
}

/// Folds a tile into the result at `y`, whose strides are 0 along what is folded.
///
/// # Safety
/// The result's view is valid for the tile at `y`; the tile at `x` is contiguous.
#[inline(always)]
pub unsafe fn fold<S: Simd>(
    fold: Fold,
    y: *mut S::T,
    x: *const S::T,
    layout: &Layout,
    steps: usize,
    strides: &[usize],
) {
    // SAFETY: the caller's.
    unsafe {
        if layout.repeats_rows(strides) {
            fold_columns::<S>(fold, y, x, steps, layout.inner);
            return;
        }
        if strides[layout.axis..].iter().all(|&stride| stride == 0) {
            combine_one::<S>(fold, y, fold_row::<S>(fold, x, steps * layout.inner));
            return;
        }
        rows!(layout, steps, strides, |at, offset, len, stride| {
            let (y, x) = (y.add(offset), x.add(at));
            if stride == 0 {
                combine_one::<S>(fold, y, fold_row::<S>(fold, x, len));
            } else {
                fold_columns::<S>(fold, y, x, 1, len);
            }
        });
    }
}

/// Folds the rows of `x: [rows, cols]` into `y: [cols]`, even and odd rows apart.
#[inline(always)]
unsafe fn fold_columns<S: Simd>(fold: Fold, y: *mut S::T, x: *const S::T, rows: usize, cols: usize) {
    // A closure would not share this function's instruction set.
    macro_rules! vector {
        ($j:ident, $load:ident $(, $some:ident)?) => {{
            let mut even = S::$load(y.add($j) $(, $some)?);
            let mut i = 0;
            if rows > 1 {
                let mut odd = S::number(neutral(fold));
                while i + 2 <= rows {
                    even = combine::<S>(fold, even, S::$load(x.add(i * cols + $j) $(, $some)?));
                    odd = combine::<S>(fold, odd, S::$load(x.add((i + 1) * cols + $j) $(, $some)?));
                    i += 2;
                }
                even = combine::<S>(fold, even, odd);
            }
            if i < rows {
                even = combine::<S>(fold, even, S::$load(x.add(i * cols + $j) $(, $some)?));
            }
            even
        }};
    }
    // SAFETY: the caller's.
    unsafe {
        let mut j = 0;
        while j + S::LANES <= cols {
            let sum = vector!(j, load);
            S::store(y.add(j), sum);
            j += S::LANES;
        }
        if j < cols {
            let some = S::first(cols - j);
            let sum = vector!(j, load_some, some);
            S::store_some(y.add(j), sum, some);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coordinates_count_and_repeat() {
        for (start, stride, size) in [(0, 1, 10), (7, 1, 10), (0, 3, 4), (5, 3, 4), (47, 4, 3), (2, 50, 2), (99, 1, 1)]
        {
            for n in [1, 2, 12, 37, 100] {
                let mut y = vec![f32::NAN; n];
                coordinates(&mut y, start, stride, size);
                let want: Vec<f32> = (start..start + n).map(|i| (i / stride % size) as f32).collect();
                assert_eq!(y, want, "{start} {stride} {size}");
            }
        }
    }
}
