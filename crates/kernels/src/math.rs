//! Functions on vectors of `f32`: reduction of the argument, then a polynomial.
//!
//! The polynomials are Chebyshev interpolants on the reduced range. Against `f64`, over all magnitudes, the largest errors in units
//! in the last place are: exp 1, log 0.8, erf 1.2, expm1 and log1p 1.5, softplus 1.9, sigmoid 2.2, tanh 2.5; the mean is 0.1 to
//! 0.2. Sine and cosine go through `f64` and are within 0.55 for every `f32`. `tests/math.rs` holds them to that.

use crate::simd::Simd;

/// ln 2 in two parts; the first has few bits, so that its product with an exponent is exact.
const LN2: (f64, f64) = (0.693359375, -2.121944400546905827679e-4);

/// `c[0] + c[1]·x + c[2]·x² + …`
#[inline(always)]
unsafe fn polynomial<S: Simd<T = f32>, const N: usize>(x: S::V, c: [f64; N]) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let mut y = S::number(c[N - 1]);
        for i in (0..N - 1).rev() {
            y = S::fma(y, x, S::number(c[i]));
        }
        y
    }
}

/// `(n, eʳ - 1)` with x = n·ln 2 + r for |x| up to 104.
#[inline(always)]
unsafe fn reduced_expm1<S: Simd<T = f32>>(x: S::V) -> (S::V, S::V) {
    // SAFETY: the caller's.
    unsafe {
        let n = S::round(S::mul(x, S::number(std::f64::consts::LOG2_E)));
        let r = S::fnma(n, S::number(LN2.0), x);
        let r = S::fnma(n, S::number(LN2.1), r);
        let c = [5e-1, 1.666666716e-1, 4.166646674e-2, 8.333310485e-3, 1.393364975e-3, 1.989099110e-4];
        (n, S::fma(S::mul(r, r), polynomial::<S, 6>(r, c), r))
    }
}

#[inline(always)]
unsafe fn clamp<S: Simd<T = f32>>(x: S::V, low: f64, high: f64) -> S::V {
    // SAFETY: the caller's. NaN stays, being the second operand.
    unsafe { S::min_or_b(S::number(high), S::max_or_b(S::number(low), x)) }
}

/// eˣ
#[inline(always)]
pub unsafe fn exp<S: Simd<T = f32>>(x: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let (n, e) = reduced_expm1::<S>(clamp::<S>(x, -104.0, 89.0));
        S::scale(S::add(S::number(1.0), e), n)
    }
}

/// eˣ - 1 = 2ⁿ·((eʳ - 1) + (1 - 2⁻ⁿ))
#[inline(always)]
pub unsafe fn expm1<S: Simd<T = f32>>(x: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let (n, e) = reduced_expm1::<S>(clamp::<S>(x, -30.0, 89.0));
        let one = S::number(1.0);
        let rest = S::sub(one, S::scale(one, S::sub(S::zero(), n)));
        S::scale(S::add(e, rest), n)
    }
}

/// ln x: x = 2ᵉ·(1 + f) with 1 + f in [√½, √2), then a polynomial in f.
#[inline(always)]
pub unsafe fn log<S: Simd<T = f32>>(x: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let (m, e) = S::split(x);
        let high = S::lt(S::number(std::f64::consts::SQRT_2), m);
        let m = S::select(high, S::mul(m, S::number(0.5)), m);
        let e = S::select(high, S::add(e, S::number(1.0)), e);
        let f = S::sub(m, S::number(1.0));
        let square = S::mul(f, f);
        let c = [
            3.333333135e-1,
            -2.499999702e-1,
            2.000071555e-1,
            -1.666780263e-1,
            1.424905807e-1,
            -1.242568716e-1,
            1.168541983e-1,
            -1.147973388e-1,
            6.971611828e-2,
        ];
        let y = S::fma(S::mul(square, f), polynomial::<S, 9>(f, c), S::mul(e, S::number(LN2.1)));
        let y = S::add(f, S::fnma(square, S::number(0.5), y));
        let y = S::fma(e, S::number(LN2.0), y);
        // Infinity and NaN are their own logarithms.
        let y = S::select(S::lt(x, S::number(f64::INFINITY)), y, x);
        let y = S::select(S::eq(x, S::zero()), S::number(f64::NEG_INFINITY), y);
        S::select(S::lt(x, S::zero()), S::number(f64::NAN), y)
    }
}

/// ln(1 + x) = ln u + (x - (u - 1))/u with u = 1 + x rounded.
#[inline(always)]
pub unsafe fn log1p<S: Simd<T = f32>>(x: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let one = S::number(1.0);
        let u = S::add(one, x);
        let lost = S::select(S::lt(x, one), S::sub(x, S::sub(u, one)), S::sub(one, S::sub(u, x)));
        let y = S::add(log::<S>(u), S::div(lost, u));
        let y = S::select(S::lt(x, S::number(f64::INFINITY)), y, x);
        let y = S::select(S::eq(x, S::number(-1.0)), S::number(f64::NEG_INFINITY), y);
        S::select(S::lt(S::abs(x), S::number(1e-10)), x, y)
    }
}

/// tanh |x| = -e/(2 + e) with e = exp(-2|x|) - 1
#[inline(always)]
pub unsafe fn tanh<S: Simd<T = f32>>(x: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let e = expm1::<S>(S::mul(S::abs(x), S::number(-2.0)));
        S::copysign(S::div(e, S::add(S::number(2.0), e)), x)
    }
}

/// 1/(1 + e⁻ˣ), from e to the power -|x|, which cannot overflow.
#[inline(always)]
pub unsafe fn sigmoid<S: Simd<T = f32>>(x: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let one = S::number(1.0);
        let e = exp::<S>(S::sub(S::zero(), S::abs(x)));
        S::div(S::select(S::lt(x, S::zero()), e, one), S::add(one, e))
    }
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + exp(-|x|))
#[inline(always)]
pub unsafe fn softplus<S: Simd<T = f32>>(x: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let e = exp::<S>(S::sub(S::zero(), S::abs(x)));
        S::add(S::max_or_b(S::zero(), x), log1p::<S>(e))
    }
}

/// The error function: x·(1 + P(x²)) below 1, else 1 - exp(Q(|x|)), which is 1 from 4 on.
#[inline(always)]
pub unsafe fn erf<S: Simd<T = f32>>(x: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe {
        let size = S::abs(x);
        let near = [
            1.283791661e-1,
            -3.761262596e-1,
            1.128359437e-1,
            -2.685421146e-2,
            5.189087242e-3,
            -8.016864303e-4,
            7.875874871e-5,
        ];
        let near = S::fma(x, polynomial::<S, 7>(S::mul(x, x), near), x);
        let far = [
            3.201380605e-4,
            -1.130233407e+0,
            -6.318260431e-1,
            -1.100800857e-1,
            2.642113529e-2,
            -4.759596195e-3,
            5.968056503e-4,
            -4.605804133e-5,
            1.637151399e-6,
        ];
        let far = exp::<S>(polynomial::<S, 9>(S::min_or_b(S::number(4.0), size), far));
        let far = S::copysign(S::sub(S::number(1.0), far), x);
        S::select(S::lt(size, S::number(1.0)), near, far)
    }
}

/// sin x
#[inline(always)]
pub unsafe fn sin<S: Simd<T = f32>>(x: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe { turn::<S>(x, 0, f64::sin) }
}

/// cos x = sin(x + π/2)
#[inline(always)]
pub unsafe fn cos<S: Simd<T = f32>>(x: S::V) -> S::V {
    // SAFETY: the caller's.
    unsafe { turn::<S>(x, 1, f64::cos) }
}

/// sin(x + quarters·π/2), lane by lane in `f64`: plain arithmetic that compilers turn into vectors. `far` takes over where too few
/// bits of π/2 are kept.
#[inline(always)]
unsafe fn turn<S: Simd<T = f32>>(x: S::V, quarters: u64, far: fn(f64) -> f64) -> S::V {
    // SAFETY: the array has room for 16 lanes, the most that there are.
    unsafe {
        let mut lanes = [0.0f32; 16];
        S::store(lanes.as_mut_ptr(), x);
        let x = lanes;
        for i in 0..S::LANES {
            lanes[i] = sine(f64::from(x[i]), quarters) as f32;
        }
        for i in 0..S::LANES {
            if x[i].abs() >= 1e6 {
                lanes[i] = far(f64::from(x[i])) as f32;
            }
        }
        S::load(lanes.as_ptr())
    }
}

/// sin(x + quarters·π/2) for |x| up to 10⁶: x = n·π/2 + r with |r| ≤ π/4, then Taylor's series of sin r or cos r, of which what is
/// left out is below 1/20 of a unit in the last place of an `f32`.
#[inline(always)]
fn sine(x: f64, quarters: u64) -> f64 {
    /// π/2 in two parts; the first has 33 bits, so that its product with n is exact.
    const QUARTER: (f64, f64) = (1.570796326734125614166259765625, 6.07710050650619224932e-11);
    /// Added, leaves a number's nearest whole number in its last bits.
    const ROUND: f64 = 6755399441055744.0;
    let whole = x * std::f64::consts::FRAC_2_PI + ROUND;
    let n = whole - ROUND;
    let r = (x - n * QUARTER.0) - n * QUARTER.1;
    let square = r * r;
    let sin = square * (1.0 / 120.0 + square * (-1.0 / 5040.0 + square / 362880.0));
    let sin = r * (1.0 + square * (-1.0 / 6.0 + sin));
    let cos = square * (1.0 / 24.0 + square * (-1.0 / 720.0 + square * (1.0 / 40320.0 - square / 3628800.0)));
    let cos = 1.0 + square * (-0.5 + cos);
    let quadrant = whole.to_bits().wrapping_add(quarters);
    let y = if quadrant & 1 == 0 { sin } else { cos };
    f64::from_bits(y.to_bits() ^ ((quadrant & 2) << 62))
}
