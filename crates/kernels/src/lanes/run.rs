//! Running an instruction with the batch in the lanes.

use super::{Start, Task, Work};
use crate::context::{Context, Part};
use crate::copy::{row_copy, transpose};
use crate::map::combine;
use crate::simd::{Kernel, Simd, entry};
use crate::{Isa, Real};
use std::marker::PhantomData;

/// The most features that one product computes.
pub const MOST: usize = 8;
/// Sums over the batch that are taken together.
const SUMS: usize = 4;
/// Features from which on a block is fetched by turning squares of it.
const TURN: usize = 6;

/// The kernel for a task; products of so many features each.
pub fn kernel<T: Real>(task: &Task<T>, features: usize, isa: Isa) -> Part<Work<T>, T> {
    match task {
        Task::Load { .. } => entry::<T, Load<T>>(isa),
        Task::Spread { .. } => entry::<T, Spread<T>>(isa),
        Task::Number { .. } => entry::<T, Number<T>>(isa),
        Task::Repeat { .. } => entry::<T, Repeat<T>>(isa),
        Task::Product { .. } => match features {
            1 => entry::<T, Product<T, 1>>(isa),
            2 => entry::<T, Product<T, 2>>(isa),
            3 => entry::<T, Product<T, 3>>(isa),
            4 => entry::<T, Product<T, 4>>(isa),
            5 => entry::<T, Product<T, 5>>(isa),
            6 => entry::<T, Product<T, 6>>(isa),
            7 => entry::<T, Product<T, 7>>(isa),
            _ => entry::<T, Product<T, MOST>>(isa),
        },
        Task::Fold { .. } => entry::<T, Folding<T>>(isa),
        Task::Dots { .. } => entry::<T, Dots<T>>(isa),
        Task::Sums { .. } => entry::<T, Sums<T>>(isa),
        Task::Store { .. } => entry::<T, Store<T>>(isa),
    }
}

/// The kernel `$Name` of the task `$Task`, where `$at(offset)` is a place in lanes.
macro_rules! task {
    ($Name:ident $(<$N:ident>)?, $Task:ident { $($field:ident),* }, |$S:ident, $context:ident, $frame:ident, $at:ident| $body:expr) => {
        struct $Name<T $(, const $N: usize)?>(PhantomData<T>);

        impl<T: Real $(, const $N: usize)?> Kernel<T> for $Name<T $(, $N)?> {
            type A = Work<T>;
            type B = Context<T>;

            #[inline(always)]
            unsafe fn run<$S: Simd<T = T>>(work: *const Work<T>, $context: *const Context<T>, _: usize) {
                // SAFETY: the caller's: the places were checked, blocks lie in the memory at `base`, and the kernel was chosen by the task.
                unsafe {
                    let (work, $context) = (&*work, &*$context);
                    let $frame = &work.frame;
                    let Task::$Task { $($field),* } = work.task else { std::hint::unreachable_unchecked() };
                    macro_rules! $at {
                        ($offset:expr) => { $frame.base.add($offset) };
                    }
                    $body
                }
            }
        }
    };
}

task!(Load, Load { x, row, col, features, y }, |S, context, frame, at| {
    load::<S>(at!(y), frame.row, context.at(x), row, col, frame.rows, features);
});

task!(Spread, Spread { x, features, y }, |S, context, frame, at| {
    let x = context.at(x);
    for j in 0..features {
        fill::<S>(at!(y + j * frame.row), frame.row, S::splat(*x.add(j)));
    }
});

task!(Number, Number { x, y }, |S, context, frame, at| {
    S::store(at!(y), S::splat(*context.at(x)));
});

task!(Repeat, Repeat { x, features, y }, |S, _context, frame, at| {
    for j in 0..features {
        row_copy::<S>(at!(y + j * frame.row), at!(x), frame.row);
    }
});

task!(Product<N>, Product { w, k_step, j_step, k, x, start, y }, |S, context, frame, at| {
    let mut acc = [S::zero(); N];
    let first = context.at(w);
    let row = frame.row;
    let mut i = 0;
    loop {
        if let Start::Bias(place, step) = start {
            let bias = context.at(place);
            for n in 0..N {
                acc[n] = S::splat(*bias.add(n * step));
            }
        }
        let (mut w, mut x) = (first, at!(x + i));
        for _ in 0..k {
            let v = S::load(x);
            for n in 0..N {
                acc[n] = S::fma(S::splat(*w.add(n * j_step)), v, acc[n]);
            }
            w = w.wrapping_add(k_step);
            x = x.wrapping_add(row);
        }
        for n in 0..N {
            S::store(at!(y + n * row + i), acc[n]);
        }
        i += S::LANES;
        if i >= row {
            break;
        }
        acc = [S::zero(); N];
    }
});

task!(Folding, Fold { fold, scale, x, features, y }, |S, _context, frame, at| {
    let (row, scale) = (frame.row, S::splat(scale));
    let mut i = 0;
    while i < row {
        let mut acc = S::load(at!(x + i));
        for j in 1..features {
            acc = combine::<S>(fold, acc, S::load(at!(x + j * row + i)));
        }
        S::store(at!(y + i), S::mul(acc, scale));
        i += S::LANES;
    }
});

task!(Dots, Dots { a, b, m, n, y }, |S, context, frame, at| {
    dots::<S>(at!(a), at!(b), m, n, frame.rows, frame.row, context.at(y));
});

task!(Sums, Sums { x, features, all, scale, y }, |S, context, frame, at| {
    if all {
        total::<S>(at!(x), features, scale, frame.rows, frame.row, context.at(y));
    } else {
        sums::<S>(at!(x), features, scale, frame.rows, frame.row, context.at(y));
    }
});

task!(Store, Store { x, features, y }, |S, context, frame, at| {
    if features == 1 {
        row_copy::<S>(context.at(y), at!(x), frame.rows);
    } else {
        transpose::<S>(context.at(y), features, at!(x), frame.row, frame.rows, features);
    }
});

/// Writes one vector to all of a row.
#[inline(always)]
unsafe fn fill<S: Simd>(y: *mut S::T, row: usize, v: S::V) {
    // SAFETY: the caller's: rows are whole vectors.
    unsafe {
        let mut i = 0;
        while i < row {
            S::store(y.add(i), v);
            i += S::LANES;
        }
    }
}

/// Fetches `features` of `rows` samples.
#[inline(always)]
unsafe fn load<S: Simd>(
    y: *mut S::T,
    row: usize,
    x: *const S::T,
    step: usize,
    col: usize,
    rows: usize,
    features: usize,
) {
    // SAFETY: the caller's.
    unsafe {
        if col == 1 && features >= TURN && step != 1 {
            transpose::<S>(y, row, x, step, features, rows);
            return;
        }
        for j in 0..features {
            let x = x.add(j * col);
            let mut i = 0;
            while i < rows {
                let some = S::first(rows - i);
                let v =
                    if step == 1 { S::load_some(x.add(i), some) } else { S::gather(x.add(i * step), step, rows - i) };
                S::store(y.add(j * row + i), v);
                i += S::LANES;
            }
        }
    }
}

/// The sum of `f(i)` over the vectors of a row, 0 behind the last sample.
macro_rules! over_samples {
    ($S:ty, $rows:expr, |$i:ident| $f:expr) => {{
        let rows: usize = $rows;
        let mut acc = <$S>::zero();
        let mut $i = 0;
        while $i + <$S>::LANES <= rows {
            acc = <$S>::add(acc, $f);
            $i += <$S>::LANES;
        }
        if $i < rows {
            acc = <$S>::add(acc, <$S>::select(<$S>::first(rows - $i), $f, <$S>::zero()));
        }
        acc
    }};
}

/// Sums of `a[i]·b[j]`.
#[inline(always)]
unsafe fn dots<S: Simd>(a: *const S::T, b: *const S::T, m: usize, n: usize, rows: usize, row: usize, y: *mut S::T) {
    // SAFETY: the caller's.
    unsafe {
        let (mut first, mut second, last) = (a, b, b.add(n * row));
        let one = S::T::from_f64(1.0);
        let mut done = 0;
        while done < m * n {
            let count = SUMS.min(m * n - done);
            let mut v = [S::zero(); SUMS];
            for q in 0..SUMS {
                if q < count {
                    v[q] = over_samples!(S, rows, |i| S::mul(S::load(first.add(i)), S::load(second.add(i))));
                    second = second.add(row);
                    if second == last {
                        second = b;
                        first = first.add(row);
                    }
                }
            }
            S::store_sums(y.add(done), &v, count, one);
            done += count;
        }
    }
}

/// Sums of each feature.
#[inline(always)]
unsafe fn sums<S: Simd>(x: *const S::T, features: usize, scale: S::T, rows: usize, row: usize, y: *mut S::T) {
    // SAFETY: the caller's.
    unsafe {
        let mut done = 0;
        while done < features {
            let count = SUMS.min(features - done);
            let mut v = [S::zero(); SUMS];
            for q in 0..SUMS {
                if q < count {
                    v[q] = over_samples!(S, rows, |i| S::load(x.add((done + q) * row + i)));
                }
            }
            S::store_sums(y.add(done), &v, count, scale);
            done += count;
        }
    }
}

/// The sum of all features.
#[inline(always)]
unsafe fn total<S: Simd>(x: *const S::T, features: usize, scale: S::T, rows: usize, row: usize, y: *mut S::T) {
    // SAFETY: the caller's.
    unsafe {
        let mut sum = S::zero();
        for j in 0..features {
            sum = S::add(sum, over_samples!(S, rows, |i| S::load(x.add(j * row + i))));
        }
        *y = S::sum(sum) * scale;
    }
}
