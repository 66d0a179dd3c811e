//! The inner kernels: a tile of the result stays in registers while all pieces of the inner axis run.

use crate::simd::{Entry, Kernel, Simd};
use crate::tiles::{Family, family};
use crate::{Isa, Real};

/// A piece of the inner axis: where it starts in both factors, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Segment {
    pub a: usize,
    pub b: usize,
    pub len: usize,
}

/// One tile: `y[i, j] = Σ over segments, Σₖ a[i·a_row + k·a_col]·b[k·b_row + j]`, from each segment's start.
#[derive(Clone, Copy)]
pub struct Tile<T> {
    pub a: *const T,
    pub a_row: usize,
    pub a_col: usize,
    pub b: *const T,
    pub b_row: usize,
    pub y: *mut T,
    pub y_row: usize,
    pub segments: usize,
    /// Add to what `y` holds.
    pub add: bool,
}

/// A kernel: a tile, its segments, and how many columns it has (for the ones that end within a vector).
pub type Micro<T> = Entry<Tile<T>, Segment>;

/// So few sums in registers are not enough to hide how long a multiply-add takes.
const FEW: usize = 6;

struct Block<const ROWS: usize, const VECTORS: usize, const EDGE: bool>;

impl<T: Real, const ROWS: usize, const VECTORS: usize, const EDGE: bool> Kernel<T> for Block<ROWS, VECTORS, EDGE> {
    type A = Tile<T>;
    type B = Segment;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(tile: *const Tile<T>, segments: *const Segment, width: usize) {
        // SAFETY: the caller's: the tile lies inside the factors and the result.
        unsafe {
            let t = &*tile;
            let some = S::first(width);
            let load = |p: *const T| if EDGE { S::load_some(p, some) } else { S::load(p) };
            let mut acc = [[S::zero(); VECTORS]; ROWS];
            // Sums of their own for every other step of the inner axis, where there are too few of them to wait for each other.
            let mut odd = acc;
            let few = ROWS * VECTORS <= FEW;
            let (a_row, a_col, b_row) = (t.a_row, t.a_col, t.b_row);
            for s in 0..t.segments {
                let segment = &*segments.add(s);
                let (mut a, mut b) = (t.a.wrapping_add(segment.a), t.b.wrapping_add(segment.b));
                let mut left = segment.len;
                while few && left >= 2 {
                    for sums in [&mut acc, &mut odd] {
                        for j in 0..VECTORS {
                            let v = load(b.add(j * S::LANES));
                            for i in 0..ROWS {
                                sums[i][j] = S::fma(S::splat(*a.add(i * a_row)), v, sums[i][j]);
                            }
                        }
                        a = a.wrapping_add(a_col);
                        b = b.wrapping_add(b_row);
                    }
                    left -= 2;
                }
                for _ in 0..left {
                    let mut v = [S::zero(); VECTORS];
                    for j in 0..VECTORS {
                        v[j] = load(b.add(j * S::LANES));
                    }
                    for i in 0..ROWS {
                        let x = S::splat(*a.add(i * a_row));
                        for j in 0..VECTORS {
                            acc[i][j] = S::fma(x, v[j], acc[i][j]);
                        }
                    }
                    a = a.wrapping_add(a_col);
                    b = b.wrapping_add(b_row);
                }
            }
            for i in 0..ROWS {
                for j in 0..VECTORS {
                    acc[i][j] = if few { S::add(acc[i][j], odd[i][j]) } else { acc[i][j] };
                }
            }
            let (y, y_row) = (t.y, t.y_row);
            if t.add {
                for i in 0..ROWS {
                    for j in 0..VECTORS {
                        acc[i][j] = S::add(load(y.add(i * y_row + j * S::LANES)), acc[i][j]);
                    }
                }
            }
            for i in 0..ROWS {
                for j in 0..VECTORS {
                    let p = y.add(i * y_row + j * S::LANES);
                    if EDGE { S::store_some(p, acc[i][j], some) } else { S::store(p, acc[i][j]) }
                }
            }
        }
    }
}

/// The kernels of one instruction set.
pub fn kernels<T: Real>(isa: Isa) -> Family<Micro<T>> {
    family!(Block, T, isa)
}
