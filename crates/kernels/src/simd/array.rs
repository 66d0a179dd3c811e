//! Vectors as arrays, which compilers turn into the vectors of any processor.

use super::Simd;
use crate::Real;

/// `N` lanes of `T`; `FUSED` where multiply-add is one instruction.
#[derive(Clone, Copy)]
pub struct Array<T, const N: usize, const FUSED: bool>(std::marker::PhantomData<T>);

macro_rules! each {
    ($a:ident => $x:ident: $e:expr) => {{
        let mut y = $a;
        for i in 0..N {
            let $x = $a[i];
            y[i] = $e;
        }
        y
    }};
    ($a:ident, $b:ident => $x:ident, $z:ident: $e:expr) => {{
        let mut y = $a;
        for i in 0..N {
            let ($x, $z) = ($a[i], $b[i]);
            y[i] = $e;
        }
        y
    }};
    (mask $a:ident, $b:ident => $x:ident, $z:ident: $e:expr) => {{
        let mut y = [false; N];
        for i in 0..N {
            let ($x, $z) = ($a[i], $b[i]);
            y[i] = $e;
        }
        y
    }};
}

// SAFETY: plain Rust; only the pointers are the caller's.
#[allow(clippy::undocumented_unsafe_blocks)]
unsafe impl<T: Real, const N: usize, const FUSED: bool> Simd for Array<T, N, FUSED> {
    type T = T;
    type V = [T; N];
    type M = [bool; N];
    const LANES: usize = N;
    const REGISTERS: usize = if cfg!(target_arch = "aarch64") { 32 } else { 16 };
    const NATIVE: bool = false;

    #[inline(always)]
    unsafe fn splat(x: T) -> [T; N] {
        [x; N]
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> [T; N] {
        unsafe { p.cast::<[T; N]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn store(p: *mut T, v: [T; N]) {
        unsafe { p.cast::<[T; N]>().write_unaligned(v) }
    }
    #[inline(always)]
    unsafe fn first(n: usize) -> [bool; N] {
        let mut m = [false; N];
        for i in 0..N {
            m[i] = i < n;
        }
        m
    }
    #[inline(always)]
    unsafe fn load_some(p: *const T, m: [bool; N]) -> [T; N] {
        let mut v = [T::default(); N];
        for i in 0..N {
            if m[i] {
                v[i] = unsafe { *p.add(i) };
            }
        }
        v
    }
    #[inline(always)]
    unsafe fn store_some(p: *mut T, v: [T; N], m: [bool; N]) {
        for i in 0..N {
            if m[i] {
                unsafe { *p.add(i) = v[i] };
            }
        }
    }
    #[inline(always)]
    unsafe fn add(a: [T; N], b: [T; N]) -> [T; N] {
        each!(a, b => x, z: x + z)
    }
    #[inline(always)]
    unsafe fn sub(a: [T; N], b: [T; N]) -> [T; N] {
        each!(a, b => x, z: x - z)
    }
    #[inline(always)]
    unsafe fn mul(a: [T; N], b: [T; N]) -> [T; N] {
        each!(a, b => x, z: x * z)
    }
    #[inline(always)]
    unsafe fn div(a: [T; N], b: [T; N]) -> [T; N] {
        each!(a, b => x, z: x / z)
    }
    #[inline(always)]
    unsafe fn fma(a: [T; N], b: [T; N], c: [T; N]) -> [T; N] {
        let mut y = c;
        for i in 0..N {
            y[i] = if FUSED { T::fused(a[i], b[i], c[i]) } else { a[i] * b[i] + c[i] };
        }
        y
    }
    #[inline(always)]
    unsafe fn fnma(a: [T; N], b: [T; N], c: [T; N]) -> [T; N] {
        let mut y = c;
        for i in 0..N {
            y[i] = if FUSED { T::fused(T::default() - a[i], b[i], c[i]) } else { c[i] - a[i] * b[i] };
        }
        y
    }
    #[inline(always)]
    unsafe fn max_or_b(a: [T; N], b: [T; N]) -> [T; N] {
        each!(a, b => x, z: if x > z { x } else { z })
    }
    #[inline(always)]
    unsafe fn min_or_b(a: [T; N], b: [T; N]) -> [T; N] {
        each!(a, b => x, z: if x < z { x } else { z })
    }
    #[inline(always)]
    unsafe fn sqrt(a: [T; N]) -> [T; N] {
        each!(a => x: T::root(x))
    }
    #[inline(always)]
    unsafe fn abs(a: [T; N]) -> [T; N] {
        each!(a => x: T::size(x))
    }
    #[inline(always)]
    unsafe fn floor(a: [T; N]) -> [T; N] {
        each!(a => x: T::floor(x))
    }
    #[inline(always)]
    unsafe fn round(a: [T; N]) -> [T; N] {
        each!(a => x: x + T::ROUND - T::ROUND)
    }
    #[inline(always)]
    unsafe fn copysign(a: [T; N], b: [T; N]) -> [T; N] {
        each!(a, b => x, z: T::with_sign(x, z))
    }
    #[inline(always)]
    unsafe fn eq(a: [T; N], b: [T; N]) -> [bool; N] {
        each!(mask a, b => x, z: x == z)
    }
    #[inline(always)]
    unsafe fn lt(a: [T; N], b: [T; N]) -> [bool; N] {
        each!(mask a, b => x, z: x < z)
    }
    #[inline(always)]
    unsafe fn le(a: [T; N], b: [T; N]) -> [bool; N] {
        each!(mask a, b => x, z: x <= z)
    }
    #[inline(always)]
    unsafe fn select(m: [bool; N], a: [T; N], b: [T; N]) -> [T; N] {
        let mut y = a;
        for i in 0..N {
            y[i] = if m[i] { a[i] } else { b[i] };
        }
        y
    }
    #[inline(always)]
    unsafe fn scale(a: [T; N], n: [T; N]) -> [T; N] {
        each!(a, n => x, z: unsafe { T::scale(x, z) })
    }
    #[inline(always)]
    unsafe fn split(a: [T; N]) -> ([T; N], [T; N]) {
        let (mut m, mut e) = (a, a);
        for i in 0..N {
            (m[i], e[i]) = T::split(a[i]);
        }
        (m, e)
    }
    #[inline(always)]
    unsafe fn sum(a: [T; N]) -> T {
        let (mut a, mut n) = (a, N);
        while n > 1 {
            n /= 2;
            for i in 0..n {
                a[i] = a[i] + a[i + n];
            }
        }
        a[0]
    }
    #[inline(always)]
    unsafe fn transpose(v: &mut [[T; N]; 16]) {
        for i in 0..N {
            for j in 0..i {
                (v[i][j], v[j][i]) = (v[j][i], v[i][j]);
            }
        }
    }
}
