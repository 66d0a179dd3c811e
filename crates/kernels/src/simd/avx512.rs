//! Sixteen `f32` in a register of 512 bits.
#![allow(clippy::undocumented_unsafe_blocks)] // every intrinsic needs the instruction set alone, which `Simd` asks of its caller

use super::Simd;
use std::arch::x86_64::*;

/// Sixteen lanes.
#[derive(Clone, Copy)]
pub struct F32x16;

// SAFETY: intrinsics of the instruction set that the trait asks for.
unsafe impl Simd for F32x16 {
    type T = f32;
    type V = __m512;
    type M = __mmask16;
    const LANES: usize = 16;
    const REGISTERS: usize = 32;
    const NATIVE: bool = true;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn first(n: usize) -> __mmask16 {
        if n >= 16 { u16::MAX } else { (1 << n) - 1 }
    }
    #[inline(always)]
    unsafe fn load_some(p: *const f32, m: __mmask16) -> __m512 {
        unsafe { _mm512_maskz_loadu_ps(m, p) }
    }
    #[inline(always)]
    unsafe fn store_some(p: *mut f32, v: __m512, m: __mmask16) {
        unsafe { _mm512_mask_storeu_ps(p, m, v) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn fnma(a: __m512, b: __m512, c: __m512) -> __m512 {
        unsafe { _mm512_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max_or_b(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min_or_b(a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: __m512) -> __m512 {
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    unsafe fn abs(a: __m512) -> __m512 {
        unsafe { _mm512_abs_ps(a) }
    }
    #[inline(always)]
    unsafe fn floor(a: __m512) -> __m512 {
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    unsafe fn round(a: __m512) -> __m512 {
        unsafe { _mm512_roundscale_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    unsafe fn copysign(a: __m512, b: __m512) -> __m512 {
        unsafe {
            let sign = _mm512_set1_ps(-0.0);
            _mm512_or_ps(_mm512_andnot_ps(sign, a), _mm512_and_ps(sign, b))
        }
    }
    #[inline(always)]
    unsafe fn eq(a: __m512, b: __m512) -> __mmask16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn lt(a: __m512, b: __m512) -> __mmask16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_LT_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn le(a: __m512, b: __m512) -> __mmask16 {
        unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn select(m: __mmask16, a: __m512, b: __m512) -> __m512 {
        unsafe { _mm512_mask_blend_ps(m, b, a) }
    }
    #[inline(always)]
    unsafe fn scale(a: __m512, n: __m512) -> __m512 {
        unsafe { _mm512_scalef_ps(a, n) }
    }
    #[inline(always)]
    unsafe fn split(a: __m512) -> (__m512, __m512) {
        unsafe { (_mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(a), _mm512_getexp_ps(a)) }
    }
    #[inline(always)]
    unsafe fn sum(a: __m512) -> f32 {
        unsafe {
            let a = _mm256_add_ps(_mm512_castps512_ps256(a), _mm512_extractf32x8_ps::<1>(a));
            super::avx2::F32x8::sum(a)
        }
    }
    #[inline(always)]
    unsafe fn gather(p: *const f32, step: usize, n: usize) -> __m512 {
        unsafe {
            let lane = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
            let at = _mm512_mullo_epi32(lane, _mm512_set1_epi32(step as i32));
            _mm512_mask_i32gather_ps::<4>(_mm512_setzero_ps(), Self::first(n), at, p)
        }
    }
    #[inline(always)]
    unsafe fn store_sums(y: *mut f32, v: &[__m512; 4], n: usize, scale: f32) {
        macro_rules! half {
            ($v:expr) => {
                _mm256_add_ps(_mm512_castps512_ps256($v), _mm512_extractf32x8_ps::<1>($v))
            };
        }
        unsafe {
            super::avx2::F32x8::store_sums(y, &[half!(v[0]), half!(v[1]), half!(v[2]), half!(v[3])], n, scale);
        }
    }
    #[inline(always)]
    unsafe fn transpose(v: &mut [__m512; 16]) {
        // Within quarters: 4 rows of 4 columns at a time; then the quarters of 16 registers change places.
        macro_rules! quarter {
            ($i:literal) => {
                let (a, b) = (_mm512_unpacklo_ps(v[$i], v[$i + 1]), _mm512_unpackhi_ps(v[$i], v[$i + 1]));
                let (c, d) = (_mm512_unpacklo_ps(v[$i + 2], v[$i + 3]), _mm512_unpackhi_ps(v[$i + 2], v[$i + 3]));
                v[$i] = _mm512_shuffle_ps::<0x44>(a, c);
                v[$i + 1] = _mm512_shuffle_ps::<0xEE>(a, c);
                v[$i + 2] = _mm512_shuffle_ps::<0x44>(b, d);
                v[$i + 3] = _mm512_shuffle_ps::<0xEE>(b, d);
            };
        }
        macro_rules! exchange {
            ($i:literal) => {
                let (a, b) =
                    (_mm512_shuffle_f32x4::<0x88>(v[$i], v[$i + 4]), _mm512_shuffle_f32x4::<0xDD>(v[$i], v[$i + 4]));
                let (c, d) = (
                    _mm512_shuffle_f32x4::<0x88>(v[$i + 8], v[$i + 12]),
                    _mm512_shuffle_f32x4::<0xDD>(v[$i + 8], v[$i + 12]),
                );
                v[$i] = _mm512_shuffle_f32x4::<0x88>(a, c);
                v[$i + 8] = _mm512_shuffle_f32x4::<0xDD>(a, c);
                v[$i + 4] = _mm512_shuffle_f32x4::<0x88>(b, d);
                v[$i + 12] = _mm512_shuffle_f32x4::<0xDD>(b, d);
            };
        }
        unsafe {
            quarter!(0);
            quarter!(4);
            quarter!(8);
            quarter!(12);
            exchange!(0);
            exchange!(1);
            exchange!(2);
            exchange!(3);
        }
    }
}
