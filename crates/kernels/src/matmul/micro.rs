//! The inner kernels: a tile of the result stays in registers while the inner axis runs.
//!
//! `ROWS × VECTORS` accumulators; for every k, `VECTORS` vectors of the right factor times each of `ROWS` numbers of the left one.
//! Nothing is packed, and the left factor may have any strides.

use crate::prefetch::{For, LINE, fetch};
use crate::simd::{Entry, Kernel, Simd};
use crate::tiles::{Family, family};
use crate::{Isa, Real};

/// One tile of a product.
#[derive(Clone, Copy)]
pub struct Tile<T> {
    pub a: *const T,
    pub a_row: usize,
    pub a_col: usize,
    pub b: *const T,
    pub b_row: usize,
    pub k: usize,
    pub y: *mut T,
    pub y_row: usize,
    /// What is added to the scaled sum is made of this; null for nothing. Rows are `add_row` apart.
    pub add: *const T,
    pub add_row: usize,
    /// What the gate looks at; null for no gate.
    pub gate: *const T,
    pub gate_row: usize,
}

impl<T> Tile<T> {
    /// So many rows further down in the left factor and the result.
    #[inline(always)]
    pub fn down(&self, rows: usize) -> Tile<T> {
        Tile {
            a: self.a.wrapping_add(rows * self.a_row),
            y: self.y.wrapping_add(rows * self.y_row),
            add: further(self.add, rows * self.add_row),
            gate: further(self.gate, rows * self.gate_row),
            ..*self
        }
    }

    /// So many columns further to the right in the right factor and the result.
    #[inline(always)]
    pub fn right(&self, cols: usize) -> Tile<T> {
        Tile {
            b: self.b.wrapping_add(cols),
            y: self.y.wrapping_add(cols),
            add: further(self.add, cols),
            gate: further(self.gate, cols),
            ..*self
        }
    }
}

/// A null pointer stays null.
#[inline(always)]
fn further<T>(p: *const T, n: usize) -> *const T {
    if p.is_null() { p } else { p.wrapping_add(n) }
}

/// What happens to a sum before it is stored: `gate · relu(scale·clamp(acc) + keep·add + sign·sign(add))`.
#[derive(Clone, Copy, Debug)]
pub struct Finish<T> {
    pub clamped: bool,
    pub low: T,
    pub high: T,
    pub scale: T,
    pub scaled: bool,
    pub keep: T,
    pub sign: T,
    /// `add` is not added as it is.
    pub shaped: bool,
    pub relu: bool,
    /// The factor where the gate's operand is above 0, and elsewhere.
    pub above: T,
    pub below: T,
    /// Closed gates give 0 whatever comes.
    pub select: bool,
}

impl<T: Real> Finish<T> {
    /// Sums are stored as they are.
    pub fn nothing() -> Finish<T> {
        let (zero, one) = (T::from_f64(0.0), T::from_f64(1.0));
        Finish {
            clamped: false,
            low: zero,
            high: zero,
            scale: one,
            scaled: false,
            keep: one,
            sign: zero,
            shaped: false,
            relu: false,
            above: one,
            below: one,
            select: false,
        }
    }
}

/// A kernel: a tile, how to finish it, and how many columns it has (for the ones that end within a vector).
pub type Micro<T> = Entry<Tile<T>, Finish<T>>;

/// Rows whose addresses are found from one another. The compiler would do so for all rows of a tile, one addition after the other, which takes
/// longer than the products where these are one vector a row.
const GROUP: usize = 4;
/// Groups of the highest tile.
const GROUPS: usize = 4;

/// The same address, though the compiler cannot tell where it comes from.
#[inline(always)]
#[allow(clippy::pointers_in_nomem_asm_block)] // nothing is read through the pointer
fn on_its_own<T>(#[allow(unused_mut)] mut p: *const T) -> *const T {
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
    // SAFETY: no instruction at all.
    unsafe {
        std::arch::asm!("/* {0} */", inlateout(reg) p, options(pure, nomem, nostack, preserves_flags));
    }
    p
}

struct Block<const ROWS: usize, const VECTORS: usize, const EDGE: bool>;

impl<T: Real, const ROWS: usize, const VECTORS: usize, const EDGE: bool> Kernel<T> for Block<ROWS, VECTORS, EDGE> {
    type A = Tile<T>;
    type B = Finish<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(tile: *const Tile<T>, finish: *const Finish<T>, width: usize) {
        // SAFETY: the caller's: the tile lies inside the factors and the result.
        unsafe {
            let (t, finish) = (&*tile, &*finish);
            let some = S::first(width);
            let mut acc = [[S::zero(); VECTORS]; ROWS];
            let mut b = t.b;
            let (a_row, a_col, b_row) = (t.a_row, t.a_col, t.b_row);
            let mut a = [t.a; GROUPS];
            for g in (1..GROUPS).filter(|g| g * GROUP < ROWS && VECTORS == 1) {
                a[g] = on_its_own(t.a.wrapping_add(g * GROUP * a_row));
            }
            // Where the left factor is read down its columns, every k touches another line, of which the next tiles need the rest.
            let ahead = if t.a_row == 1 { LINE } else { 0 };
            for _ in 0..t.k {
                if VECTORS == 4 && ROWS > 1 {
                    fetch(a[0].wrapping_byte_add(ahead).addr(), For::Reading);
                }
                let mut v = [S::zero(); VECTORS];
                for j in 0..VECTORS {
                    v[j] = if EDGE { S::load_some(b.add(j * S::LANES), some) } else { S::load(b.add(j * S::LANES)) };
                }
                for i in 0..ROWS {
                    let (group, row) = if VECTORS == 1 { (i / GROUP, i % GROUP) } else { (0, i) };
                    let x = S::splat(*a[group].add(row * a_row));
                    for j in 0..VECTORS {
                        acc[i][j] = S::fma(x, v[j], acc[i][j]);
                    }
                }
                for a in &mut a {
                    *a = a.wrapping_add(a_col);
                }
                b = b.wrapping_add(b_row);
            }
            if finish.clamped {
                let (low, high) = (S::splat(finish.low), S::splat(finish.high));
                for i in 0..ROWS {
                    for j in 0..VECTORS {
                        acc[i][j] = S::min_or_b(high, S::max_or_b(low, acc[i][j]));
                    }
                }
            }
            if !t.add.is_null() {
                let scale = S::splat(finish.scale);
                let (keep, plus, minus) =
                    (S::splat(finish.keep), S::splat(finish.sign), S::sub(S::zero(), S::splat(finish.sign)));
                for i in 0..ROWS {
                    for j in 0..VECTORS {
                        let p = t.add.add(i * t.add_row + j * S::LANES);
                        let mut add = if EDGE { S::load_some(p, some) } else { S::load(p) };
                        if finish.shaped {
                            let below = S::select(S::lt(add, S::zero()), minus, S::zero());
                            let sign = S::select(S::lt(S::zero(), add), plus, below);
                            add = S::fma(keep, add, sign);
                        }
                        acc[i][j] = S::fma(scale, acc[i][j], add);
                    }
                }
            } else if finish.scaled {
                let scale = S::splat(finish.scale);
                for i in 0..ROWS {
                    for j in 0..VECTORS {
                        acc[i][j] = S::mul(scale, acc[i][j]);
                    }
                }
            }
            if finish.relu {
                for i in 0..ROWS {
                    for j in 0..VECTORS {
                        acc[i][j] = S::max_or_b(S::zero(), acc[i][j]);
                    }
                }
            }
            if !t.gate.is_null() {
                let (above, below) = (S::splat(finish.above), S::splat(finish.below));
                for i in 0..ROWS {
                    for j in 0..VECTORS {
                        let p = t.gate.add(i * t.gate_row + j * S::LANES);
                        let gate = if EDGE { S::load_some(p, some) } else { S::load(p) };
                        let open = S::lt(S::zero(), gate);
                        acc[i][j] = if finish.select {
                            S::select(open, acc[i][j], S::zero())
                        } else {
                            S::mul(acc[i][j], S::select(open, above, below))
                        };
                    }
                }
            }
            for i in 0..ROWS {
                for j in 0..VECTORS {
                    let p = t.y.add(i * t.y_row + j * S::LANES);
                    if EDGE { S::store_some(p, acc[i][j], some) } else { S::store(p, acc[i][j]) }
                }
            }
        }
    }
}

/// Rows of half a vector: as many addresses as registers can hold.
const HALF_ROWS: usize = 10;

/// The kernels of one instruction set.
pub fn kernels<T: Real>(isa: Isa) -> Family<Micro<T>> {
    let mut family = family!(Block, T, isa);
    if let Some(half) = &mut family.half {
        half.truncate(HALF_ROWS);
    }
    family
}
