//! The linear maps of F(4×4, 3×3) on vectors of channels, along one axis and along both.
//!
//! With the points 0, ±1, ±2 and ∞ a row of outputs is `Aᵀ[(G·g) ⊙ (Bᵀ·d)]`; in two dimensions each map is applied to the columns and then
//! to the rows.

use crate::simd::Simd;

/// Values of a tile's side after a transform.
pub const POINTS: usize = 6;
/// Results along a tile's side.
pub const TILE: usize = 4;
/// Weights along a side.
pub const SIZE: usize = 3;

/// `Bᵀ·d`: a row of inputs.
#[inline(always)]
pub unsafe fn input<S: Simd>(d: [S::V; POINTS]) -> [S::V; POINTS] {
    // SAFETY: the caller's.
    unsafe {
        let [two, four, five] = [S::number(2.0), S::number(4.0), S::number(5.0)];
        let (a, b) = (S::fnma(four, d[2], d[4]), S::fnma(four, d[1], d[3]));
        let (c, e) = (S::sub(d[4], d[2]), S::sub(d[3], d[1]));
        [
            S::fma(four, d[0], S::fnma(five, d[2], d[4])),
            S::add(a, b),
            S::sub(a, b),
            S::fma(two, e, c),
            S::fnma(two, e, c),
            S::fma(four, d[1], S::fnma(five, d[3], d[5])),
        ]
    }
}

/// `Aᵀ·m`: a row of results.
#[inline(always)]
pub unsafe fn output<S: Simd>(m: [S::V; POINTS]) -> [S::V; TILE] {
    // SAFETY: the caller's.
    unsafe {
        let [two, four, eight] = [S::number(2.0), S::number(4.0), S::number(8.0)];
        let (near, slope) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let (far, steep) = (S::add(m[3], m[4]), S::sub(m[3], m[4]));
        [
            S::add(S::add(m[0], near), far),
            S::fma(two, steep, slope),
            S::fma(four, far, near),
            S::add(S::fma(eight, steep, slope), m[5]),
        ]
    }
}

/// `A·y`: the adjoint of [`output`].
#[inline(always)]
pub unsafe fn output_adjoint<S: Simd>(y: [S::V; TILE]) -> [S::V; POINTS] {
    // SAFETY: the caller's.
    unsafe {
        let [two, four] = [S::number(2.0), S::number(4.0)];
        let (even, odd) = (S::add(y[0], y[2]), S::add(y[1], y[3]));
        let (far, steep) = (S::fma(four, y[2], y[0]), S::fma(four, y[3], y[1]));
        [y[0], S::add(even, odd), S::sub(even, odd), S::fma(two, steep, far), S::fnma(two, steep, far), y[3]]
    }
}

/// `G·g`: a row of weights.
#[inline(always)]
pub unsafe fn weight<S: Simd>(g: [S::V; SIZE]) -> [S::V; POINTS] {
    // SAFETY: the caller's.
    unsafe {
        let [quarter, sixth] = [S::number(0.25), S::number(1.0 / 6.0)];
        let (ends, middle) = (S::mul(sixth, S::add(g[0], g[2])), S::mul(sixth, g[1]));
        let half = S::mul(S::number(0.5), middle);
        let far = S::fma(S::number(1.0 / 24.0), g[0], S::mul(sixth, g[2]));
        [
            S::mul(quarter, g[0]),
            S::sub(S::zero(), S::add(ends, middle)),
            S::sub(middle, ends),
            S::add(far, half),
            S::sub(far, half),
            g[2],
        ]
    }
}

/// `Gᵀ·u`: the adjoint of [`weight`].
#[inline(always)]
pub unsafe fn weight_adjoint<S: Simd>(u: [S::V; POINTS]) -> [S::V; SIZE] {
    // SAFETY: the caller's.
    unsafe {
        let [quarter, sixth] = [S::number(0.25), S::number(1.0 / 6.0)];
        let (near, slope) = (S::add(u[1], u[2]), S::sub(u[2], u[1]));
        let (far, steep) = (S::add(u[3], u[4]), S::sub(u[3], u[4]));
        let near = S::mul(sixth, near);
        [
            S::fma(S::number(1.0 / 24.0), far, S::sub(S::mul(quarter, u[0]), near)),
            S::fma(S::number(1.0 / 12.0), steep, S::mul(sixth, slope)),
            S::add(S::fma(sixth, far, u[5]), S::sub(S::zero(), near)),
        ]
    }
}

/// Applies a map `[IN] -> [OUT]` along the rows of a block and then along its columns: row i of the block comes from an expression, and element
/// (i, j) of the result goes to one. All of it stands in the caller's function, whose instruction set it needs.
macro_rules! both {
    ($S:ident, $IN:ident -> $OUT:ident by $map:ident, from |$i:ident| $row:expr, to |$y:ident, $x:ident, $v:ident| $store:expr) => {{
        let mut half = [[$S::zero(); $IN]; $OUT];
        for $i in 0..$IN {
            let mapped = $map::<$S>($row);
            for j in 0..$OUT {
                half[j][$i] = mapped[j];
            }
        }
        for $x in 0..$OUT {
            let mapped = $map::<$S>(half[$x]);
            for $y in 0..$OUT {
                let $v = mapped[$y];
                $store;
            }
        }
    }};
}
pub(super) use both;

/// A row of a block from an expression for each of its elements.
macro_rules! row {
    ($S:ident, $N:ident, |$j:ident| $load:expr) => {{
        let mut row = [$S::zero(); $N];
        for $j in 0..$N {
            row[$j] = $load;
        }
        row
    }};
}
pub(super) use row;
