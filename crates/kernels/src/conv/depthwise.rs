//! Depthwise convolutions: every channel has one filter of its own, so channels are the lanes and nothing is summed over them.

use super::micro::Segment;
use crate::simd::{Entry, Kernel, Simd, entry};
use crate::{Isa, Real};

/// Results that are computed together.
const PIXELS: usize = 4;

/// A row of results: `y[i, c] = Σ over segments: a[i·a_row + segment.a + c]·w[segment.b + c]`.
pub struct Row<T> {
    pub a: *const T,
    pub a_row: usize,
    pub w: *const T,
    pub y: *mut T,
    pub y_row: usize,
    pub pixels: usize,
    pub segments: usize,
}

/// One position of the weights: `y[c] += Σ over segments, Σᵢ a[segment.a + i·a_row + c]·b[segment.b + i·b_row + c]`.
pub struct Position<T> {
    pub a: *const T,
    pub a_row: usize,
    pub b: *const T,
    pub b_row: usize,
    pub y: *mut T,
    pub segments: usize,
}

/// The kernels of one instruction set; the last argument is the number of channels.
pub struct Depthwise<T> {
    pub row: Entry<Row<T>, Segment>,
    pub position: Entry<Position<T>, Segment>,
}

impl<T: Real> Depthwise<T> {
    pub fn new(isa: Isa) -> Depthwise<T> {
        Depthwise { row: entry::<T, RunRow>(isa), position: entry::<T, RunPosition>(isa) }
    }
}

struct RunRow;

impl<T: Real> Kernel<T> for RunRow {
    type A = Row<T>;
    type B = Segment;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(row: *const Row<T>, segments: *const Segment, channels: usize) {
        // SAFETY: the caller's: all that the row reads and writes is there.
        unsafe {
            let r = &*row;
            let mut c = 0;
            while c < channels {
                let some = S::first(channels - c);
                let mut i = 0;
                while i + PIXELS <= r.pixels {
                    let mut acc = [S::zero(); PIXELS];
                    for s in 0..r.segments {
                        let segment = &*segments.add(s);
                        let w = S::load_some(r.w.add(segment.b + c), some);
                        let a = r.a.add(segment.a + i * r.a_row + c);
                        for k in 0..PIXELS {
                            acc[k] = S::fma(S::load_some(a.add(k * r.a_row), some), w, acc[k]);
                        }
                    }
                    for k in 0..PIXELS {
                        S::store_some(r.y.add((i + k) * r.y_row + c), acc[k], some);
                    }
                    i += PIXELS;
                }
                while i < r.pixels {
                    let mut acc = S::zero();
                    for s in 0..r.segments {
                        let segment = &*segments.add(s);
                        let a = S::load_some(r.a.add(segment.a + i * r.a_row + c), some);
                        acc = S::fma(a, S::load_some(r.w.add(segment.b + c), some), acc);
                    }
                    S::store_some(r.y.add(i * r.y_row + c), acc, some);
                    i += 1;
                }
                c += S::LANES;
            }
        }
    }
}

struct RunPosition;

impl<T: Real> Kernel<T> for RunPosition {
    type A = Position<T>;
    type B = Segment;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(position: *const Position<T>, segments: *const Segment, channels: usize) {
        // SAFETY: the caller's: all that the position reads and writes is there.
        unsafe {
            let p = &*position;
            let mut c = 0;
            while c < channels {
                let some = S::first(channels - c);
                let mut acc = [S::load_some(p.y.add(c), some), S::zero()];
                for s in 0..p.segments {
                    let segment = &*segments.add(s);
                    let (a, b) = (p.a.add(segment.a + c), p.b.add(segment.b + c));
                    for i in 0..segment.len {
                        let x = S::load_some(a.add(i * p.a_row), some);
                        acc[i % 2] = S::fma(x, S::load_some(b.add(i * p.b_row), some), acc[i % 2]);
                    }
                }
                S::store_some(p.y.add(c), S::add(acc[0], acc[1]), some);
                c += S::LANES;
            }
        }
    }
}
