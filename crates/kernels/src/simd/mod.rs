//! Vectors of numbers: one trait that every kernel is written over, and one type for each instruction set and element type.
//!
//! A kernel is a [`Kernel`] whose `run` is `#[inline(always)]` all the way down; [`entry`] gives the function that runs it inside
//! the chosen instruction set.

mod array;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;

pub use array::Array;

use crate::{Isa, Real};

/// A vector of [`Simd::LANES`] numbers. NaN in gives NaN out; comparisons with NaN are false.
///
/// # Safety
/// All methods need the instruction set of the type to be there. Methods that take a pointer need it valid for the lanes they
/// touch; no alignment is needed.
pub unsafe trait Simd: Copy + 'static {
    /// A lane.
    type T: Real;
    /// The vector.
    type V: Copy;
    /// A choice of lanes.
    type M: Copy;
    /// How many lanes.
    const LANES: usize;
    /// How many vector registers there are.
    const REGISTERS: usize;
    /// A vector is one register, not numbers that may become one.
    const NATIVE: bool;

    unsafe fn splat(x: Self::T) -> Self::V;
    unsafe fn load(p: *const Self::T) -> Self::V;
    unsafe fn store(p: *mut Self::T, v: Self::V);
    /// Lanes `0..n` chosen.
    unsafe fn first(n: usize) -> Self::M;
    /// The chosen lanes, 0 in the others.
    unsafe fn load_some(p: *const Self::T, m: Self::M) -> Self::V;
    /// Writes the chosen lanes only.
    unsafe fn store_some(p: *mut Self::T, v: Self::V, m: Self::M);
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// `a·b + c`, rounded once where the instruction set can.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `c - a·b`, rounded once where the instruction set can.
    unsafe fn fnma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// The larger one; `b` if either is NaN.
    unsafe fn max_or_b(a: Self::V, b: Self::V) -> Self::V;
    /// The smaller one; `b` if either is NaN.
    unsafe fn min_or_b(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn sqrt(a: Self::V) -> Self::V;
    unsafe fn abs(a: Self::V) -> Self::V;
    unsafe fn floor(a: Self::V) -> Self::V;
    /// The nearest whole number, for |a| below 2²².
    unsafe fn round(a: Self::V) -> Self::V;
    /// The size of `a` with the sign of `b`.
    unsafe fn copysign(a: Self::V, b: Self::V) -> Self::V;
    unsafe fn eq(a: Self::V, b: Self::V) -> Self::M;
    unsafe fn lt(a: Self::V, b: Self::V) -> Self::M;
    unsafe fn le(a: Self::V, b: Self::V) -> Self::M;
    unsafe fn select(m: Self::M, a: Self::V, b: Self::V) -> Self::V;
    /// `a·2ⁿ` for whole `n` between -300 and 300.
    unsafe fn scale(a: Self::V, n: Self::V) -> Self::V;
    /// `(m, e)` with `a = m·2ᵉ` and m in [1, 2), for positive finite `a`.
    unsafe fn split(a: Self::V) -> (Self::V, Self::V);
    /// The sum of all lanes, halves first.
    unsafe fn sum(a: Self::V) -> Self::T;

    /// Transposes the first `LANES` vectors.
    unsafe fn transpose(v: &mut [Self::V; 16]);

    /// The first `n` lanes from numbers that lie `step` apart, 0 in the others.
    #[inline(always)]
    unsafe fn gather(p: *const Self::T, step: usize, n: usize) -> Self::V {
        // SAFETY: the caller's; the array has room for 16 lanes, the most that there are.
        unsafe {
            let mut x = [Self::T::default(); 16];
            for (i, x) in x[..n.min(Self::LANES)].iter_mut().enumerate() {
                *x = *p.add(i * step);
            }
            Self::load(x.as_ptr())
        }
    }

    /// Writes the sums of all lanes of the first `n` of four vectors, each times `scale`.
    #[inline(always)]
    unsafe fn store_sums(y: *mut Self::T, v: &[Self::V; 4], n: usize, scale: Self::T) {
        // SAFETY: the caller's.
        unsafe {
            for (i, v) in v.iter().enumerate().take(n) {
                *y.add(i) = Self::sum(*v) * scale;
            }
        }
    }

    /// Applies a scalar function to every lane.
    #[inline(always)]
    unsafe fn lanes(a: Self::V, f: fn(Self::T) -> Self::T) -> Self::V {
        // SAFETY: the array has room for 16 lanes, the most that there are.
        unsafe {
            let mut x = [Self::T::default(); 16];
            Self::store(x.as_mut_ptr(), a);
            for x in &mut x[..Self::LANES] {
                *x = f(*x);
            }
            Self::load(x.as_ptr())
        }
    }

    /// Applies a scalar function to every pair of lanes.
    #[inline(always)]
    unsafe fn lanes2(a: Self::V, b: Self::V, f: fn(Self::T, Self::T) -> Self::T) -> Self::V {
        // SAFETY: the arrays have room for 16 lanes, the most that there are.
        unsafe {
            let (mut x, mut y) = ([Self::T::default(); 16], [Self::T::default(); 16]);
            Self::store(x.as_mut_ptr(), a);
            Self::store(y.as_mut_ptr(), b);
            for (x, y) in x[..Self::LANES].iter_mut().zip(y) {
                *x = f(*x, y);
            }
            Self::load(x.as_ptr())
        }
    }

    #[inline(always)]
    unsafe fn zero() -> Self::V {
        // SAFETY: the caller's.
        unsafe { Self::splat(Self::T::default()) }
    }

    #[inline(always)]
    unsafe fn number(x: f64) -> Self::V {
        // SAFETY: the caller's.
        unsafe { Self::splat(Self::T::from_f64(x)) }
    }

    /// The larger one; NaN if either is NaN.
    #[inline(always)]
    unsafe fn max(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { Self::select(Self::eq(a, a), Self::max_or_b(a, b), a) }
    }

    /// The smaller one; NaN if either is NaN.
    #[inline(always)]
    unsafe fn min(a: Self::V, b: Self::V) -> Self::V {
        // SAFETY: the caller's.
        unsafe { Self::select(Self::eq(a, a), Self::min_or_b(a, b), a) }
    }
}

/// What an element type must offer: its vectors, and functions on them.
///
/// # Safety
/// The functions need what [`Simd`] needs.
pub unsafe trait Element: Sized {
    /// Vectors that every processor of the target has.
    type Portable: Simd<T = Self>;
    /// Vectors of [`Isa::Avx2`].
    type Avx2: Simd<T = Self>;
    /// Vectors of [`Isa::Avx512`].
    type Avx512: Simd<T = Self>;

    unsafe fn exp<S: Simd<T = Self>>(x: S::V) -> S::V;
    unsafe fn expm1<S: Simd<T = Self>>(x: S::V) -> S::V;
    unsafe fn log<S: Simd<T = Self>>(x: S::V) -> S::V;
    unsafe fn log1p<S: Simd<T = Self>>(x: S::V) -> S::V;
    unsafe fn tanh<S: Simd<T = Self>>(x: S::V) -> S::V;
    unsafe fn sigmoid<S: Simd<T = Self>>(x: S::V) -> S::V;
    unsafe fn erf<S: Simd<T = Self>>(x: S::V) -> S::V;
    unsafe fn softplus<S: Simd<T = Self>>(x: S::V) -> S::V;
    unsafe fn sin<S: Simd<T = Self>>(x: S::V) -> S::V;
    unsafe fn cos<S: Simd<T = Self>>(x: S::V) -> S::V;
    unsafe fn pow<S: Simd<T = Self>>(a: S::V, b: S::V) -> S::V;
    /// Added and taken away again, rounds numbers well below it to whole ones.
    const ROUND: Self;
    /// As [`Simd::scale`].
    unsafe fn scale(x: Self, n: Self) -> Self;
    /// As [`Simd::split`].
    fn split(x: Self) -> (Self, Self);
    fn fused(a: Self, b: Self, c: Self) -> Self;
    fn root(a: Self) -> Self;
    fn size(a: Self) -> Self;
    fn floor(a: Self) -> Self;
    fn with_sign(a: Self, b: Self) -> Self;
}

/// The vectors of an instruction set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vectors {
    /// As [`Simd::LANES`].
    pub lanes: usize,
    /// As [`Simd::REGISTERS`].
    pub registers: usize,
}

/// The vectors of an instruction set, if each is one register.
pub fn native_vectors<T: Real>(isa: Isa) -> Option<Vectors> {
    fn of<S: Simd>() -> Option<Vectors> {
        S::NATIVE.then_some(Vectors { lanes: S::LANES, registers: S::REGISTERS })
    }
    match isa {
        Isa::Portable => of::<T::Portable>(),
        Isa::Avx2 => of::<T::Avx2>(),
        Isa::Avx512 => of::<T::Avx512>(),
    }
}

/// A function that is compiled for every instruction set.
pub trait Kernel<T: Real> {
    /// What it works on.
    type A;
    /// What it works with.
    type B;
    /// Runs it.
    ///
    /// # Safety
    /// The kernel says what its arguments must be; the instruction set must be there.
    unsafe fn run<S: Simd<T = T>>(a: *const Self::A, b: *const Self::B, n: usize);
}

/// A kernel for one instruction set.
pub type Entry<A, B> = unsafe fn(*const A, *const B, usize);

/// The kernel for an instruction set.
pub fn entry<T: Real, K: Kernel<T>>(isa: Isa) -> Entry<K::A, K::B> {
    match isa {
        Isa::Portable => portable::<T, K>,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => avx2::<T, K>,
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => avx512::<T, K>,
        #[cfg(not(target_arch = "x86_64"))]
        Isa::Avx2 | Isa::Avx512 => portable::<T, K>,
    }
}

/// The kernel for half a vector of the widest instruction set: vectors of the next narrower one, with all the registers of the widest. `None` where
/// vectors are narrower anyway.
pub fn half_entry<T: Real, K: Kernel<T>>(isa: Isa) -> Option<Entry<K::A, K::B>> {
    #[cfg(target_arch = "x86_64")]
    if isa == Isa::Avx512 && T::Avx512::LANES == 2 * T::Avx2::LANES {
        return Some(avx512_half::<T, K>);
    }
    None
}

/// The kernel for whole vectors, or for half ones if they are wanted and there.
pub fn entry_of<T: Real, K: Kernel<T>>(isa: Isa, half: bool) -> Entry<K::A, K::B> {
    let narrow = if half { half_entry::<T, K>(isa) } else { None };
    narrow.unwrap_or_else(|| entry::<T, K>(isa))
}

/// Lanes of the narrowest vectors that [`entry_of`] gives.
pub fn least_lanes<T: Real>(isa: Isa) -> usize {
    let whole = crate::tiles::lanes::<T>(isa);
    if isa == Isa::Avx512 && T::Avx512::LANES == 2 * T::Avx2::LANES { whole / 2 } else { whole }
}

unsafe fn portable<T: Real, K: Kernel<T>>(a: *const K::A, b: *const K::B, n: usize) {
    // SAFETY: the caller's; the portable set is always there.
    unsafe { K::run::<T::Portable>(a, b, n) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
unsafe fn avx2<T: Real, K: Kernel<T>>(a: *const K::A, b: *const K::B, n: usize) {
    // SAFETY: the caller's.
    unsafe { K::run::<T::Avx2>(a, b, n) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512<T: Real, K: Kernel<T>>(a: *const K::A, b: *const K::B, n: usize) {
    // SAFETY: the caller's.
    unsafe { K::run::<T::Avx512>(a, b, n) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
unsafe fn avx512_half<T: Real, K: Kernel<T>>(a: *const K::A, b: *const K::B, n: usize) {
    // SAFETY: the caller's.
    unsafe { K::run::<T::Avx2>(a, b, n) }
}

/// Whether the target always has fused multiply-add.
const FUSED: bool = cfg!(any(target_arch = "aarch64", target_feature = "fma"));

macro_rules! power_of_two {
    ($T:ty, $Bits:ty, $bias:literal, $fraction:literal, $n:expr) => {
        <$T>::from_bits((($n + $bias) as $Bits) << $fraction)
    };
}

macro_rules! scalar_functions {
    ($T:ty, $Bits:ty, $bias:literal, $fraction:literal) => {
        const ROUND: $T = 1.5 * (1u64 << $fraction) as $T;
        #[inline(always)]
        unsafe fn scale(x: $T, n: $T) -> $T {
            // SAFETY: the exponent is small. In two halves, so that neither power leaves the normal numbers.
            let n: i32 = unsafe { n.to_int_unchecked() };
            let low = n >> 1;
            x * power_of_two!($T, $Bits, $bias, $fraction, low) * power_of_two!($T, $Bits, $bias, $fraction, n - low)
        }
        #[inline(always)]
        fn split(x: $T) -> ($T, $T) {
            let small = x < <$T>::MIN_POSITIVE;
            let lift = <$T>::from_bits((($bias + $fraction + 1) as $Bits) << $fraction);
            let bits = if small { x * lift } else { x }.to_bits();
            let e = (bits >> $fraction) as i32 - $bias - if small { $fraction + 1 } else { 0 };
            let one = (1.0 as $T).to_bits();
            (<$T>::from_bits(bits & ((1 << $fraction) - 1) | one), e as $T)
        }
        #[inline(always)]
        fn fused(a: $T, b: $T, c: $T) -> $T {
            a.mul_add(b, c)
        }
        #[inline(always)]
        fn root(a: $T) -> $T {
            a.sqrt()
        }
        #[inline(always)]
        fn size(a: $T) -> $T {
            a.abs()
        }
        #[inline(always)]
        fn floor(a: $T) -> $T {
            a.floor()
        }
        #[inline(always)]
        fn with_sign(a: $T, b: $T) -> $T {
            a.copysign(b)
        }
    };
}

macro_rules! vector_functions {
    ($($name:ident)*) => { $(
        #[inline(always)]
        unsafe fn $name<S: Simd<T = f32>>(x: S::V) -> S::V {
            // SAFETY: the caller's.
            unsafe { crate::math::$name::<S>(x) }
        }
    )* };
}

macro_rules! lane_functions {
    ($($name:ident $Unary:ident)*) => { $(
        #[inline(always)]
        unsafe fn $name<S: Simd<T = f64>>(x: S::V) -> S::V {
            // SAFETY: the caller's.
            unsafe { S::lanes(x, |x| crate::Unary::$Unary.eval(x)) }
        }
    )* };
}

// SAFETY: the functions only need the instruction set of `S`.
unsafe impl Element for f32 {
    type Portable = Array<f32, 4, FUSED>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = avx2::F32x8;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = avx512::F32x16;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx2 = Array<f32, 4, FUSED>;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx512 = Array<f32, 4, FUSED>;

    scalar_functions!(f32, u32, 127, 23);
    vector_functions!(exp expm1 log log1p tanh sigmoid erf softplus sin cos);

    #[inline(always)]
    unsafe fn pow<S: Simd<T = f32>>(a: S::V, b: S::V) -> S::V {
        // SAFETY: the caller's.
        unsafe { S::lanes2(a, b, f32::powf) }
    }
}

// SAFETY: the functions only need the instruction set of `S`.
unsafe impl Element for f64 {
    type Portable = Array<f64, 2, FUSED>;
    #[cfg(target_arch = "x86_64")]
    type Avx2 = Array<f64, 4, true>;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = Array<f64, 8, true>;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx2 = Array<f64, 2, FUSED>;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx512 = Array<f64, 2, FUSED>;

    scalar_functions!(f64, u64, 1023, 52);
    lane_functions! {
        exp Exp expm1 Expm1 log Log log1p Log1p tanh Tanh sigmoid Sigmoid erf Erf softplus Softplus sin Sin cos Cos
    }

    #[inline(always)]
    unsafe fn pow<S: Simd<T = f64>>(a: S::V, b: S::V) -> S::V {
        // SAFETY: the caller's.
        unsafe { S::lanes2(a, b, f64::powf) }
    }
}
