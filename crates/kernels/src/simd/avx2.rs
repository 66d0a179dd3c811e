//! Eight `f32` in a register of 256 bits.
#![allow(clippy::undocumented_unsafe_blocks)] // every intrinsic needs the instruction set alone, which `Simd` asks of its caller

use super::Simd;
use std::arch::x86_64::*;

/// Eight lanes.
#[derive(Clone, Copy)]
pub struct F32x8;

// SAFETY: intrinsics of the instruction set that the trait asks for.
unsafe impl Simd for F32x8 {
    type T = f32;
    type V = __m256;
    type M = __m256;
    const LANES: usize = 8;
    const REGISTERS: usize = 16;
    const NATIVE: bool = true;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m256 {
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m256 {
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m256) {
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn first(n: usize) -> __m256 {
        unsafe {
            let lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
            _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(n.min(8) as i32), lane))
        }
    }
    #[inline(always)]
    unsafe fn load_some(p: *const f32, m: __m256) -> __m256 {
        unsafe { _mm256_maskload_ps(p, _mm256_castps_si256(m)) }
    }
    #[inline(always)]
    unsafe fn store_some(p: *mut f32, v: __m256, m: __m256) {
        unsafe { _mm256_maskstore_ps(p, _mm256_castps_si256(m), v) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn fnma(a: __m256, b: __m256, c: __m256) -> __m256 {
        unsafe { _mm256_fnmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn max_or_b(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_max_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn min_or_b(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_min_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: __m256) -> __m256 {
        unsafe { _mm256_sqrt_ps(a) }
    }
    #[inline(always)]
    unsafe fn abs(a: __m256) -> __m256 {
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), a) }
    }
    #[inline(always)]
    unsafe fn floor(a: __m256) -> __m256 {
        unsafe { _mm256_floor_ps(a) }
    }
    #[inline(always)]
    unsafe fn round(a: __m256) -> __m256 {
        unsafe { _mm256_round_ps::<{ _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC }>(a) }
    }
    #[inline(always)]
    unsafe fn copysign(a: __m256, b: __m256) -> __m256 {
        unsafe {
            let sign = _mm256_set1_ps(-0.0);
            _mm256_or_ps(_mm256_andnot_ps(sign, a), _mm256_and_ps(sign, b))
        }
    }
    #[inline(always)]
    unsafe fn eq(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn lt(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_cmp_ps::<_CMP_LT_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn le(a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_cmp_ps::<_CMP_LE_OQ>(a, b) }
    }
    #[inline(always)]
    unsafe fn select(m: __m256, a: __m256, b: __m256) -> __m256 {
        unsafe { _mm256_blendv_ps(b, a, m) }
    }
    #[inline(always)]
    unsafe fn scale(a: __m256, n: __m256) -> __m256 {
        unsafe {
            // In two halves, so that neither power leaves the normal numbers.
            let n = _mm256_cvtps_epi32(n);
            let low = _mm256_srai_epi32::<1>(n);
            let bias = _mm256_set1_epi32(127);
            let power = |n| _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_add_epi32(n, bias)));
            _mm256_mul_ps(_mm256_mul_ps(a, power(low)), power(_mm256_sub_epi32(n, low)))
        }
    }
    #[inline(always)]
    unsafe fn split(a: __m256) -> (__m256, __m256) {
        unsafe {
            let small = _mm256_cmp_ps::<_CMP_LT_OQ>(a, _mm256_set1_ps(f32::MIN_POSITIVE));
            let lift = _mm256_set1_ps(16777216.0);
            let bits = _mm256_castps_si256(_mm256_blendv_ps(a, _mm256_mul_ps(a, lift), small));
            let e = _mm256_sub_epi32(_mm256_srli_epi32::<23>(bits), _mm256_set1_epi32(127));
            let e = _mm256_sub_ps(_mm256_cvtepi32_ps(e), _mm256_and_ps(small, _mm256_set1_ps(24.0)));
            let fraction = _mm256_and_si256(bits, _mm256_set1_epi32((1 << 23) - 1));
            (_mm256_or_ps(_mm256_castsi256_ps(fraction), _mm256_set1_ps(1.0)), e)
        }
    }
    #[inline(always)]
    unsafe fn sum(a: __m256) -> f32 {
        unsafe {
            let a = _mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps::<1>(a));
            let a = _mm_add_ps(a, _mm_movehl_ps(a, a));
            _mm_cvtss_f32(_mm_add_ss(a, _mm_movehdup_ps(a)))
        }
    }
    #[inline(always)]
    unsafe fn store_sums(y: *mut f32, v: &[__m256; 4], n: usize, scale: f32) {
        unsafe {
            if n == 1 {
                *y = Self::sum(v[0]) * scale;
                return;
            }
            // Neighbours, then neighbours of those, then halves.
            let sums = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
            let sums = _mm_add_ps(_mm256_castps256_ps128(sums), _mm256_extractf128_ps::<1>(sums));
            let sums = _mm_mul_ps(sums, _mm_set1_ps(scale));
            if n == 4 {
                _mm_storeu_ps(y, sums);
                return;
            }
            _mm_storel_pd(y.cast(), _mm_castps_pd(sums));
            if n == 3 {
                *y.add(2) = _mm_cvtss_f32(_mm_movehl_ps(sums, sums));
            }
        }
    }
    #[inline(always)]
    unsafe fn transpose(v: &mut [__m256; 16]) {
        // Within halves: 4 rows of 4 columns at a time; then the halves of 8 registers change places.
        macro_rules! half {
            ($i:literal) => {
                let (a, b) = (_mm256_unpacklo_ps(v[$i], v[$i + 1]), _mm256_unpackhi_ps(v[$i], v[$i + 1]));
                let (c, d) = (_mm256_unpacklo_ps(v[$i + 2], v[$i + 3]), _mm256_unpackhi_ps(v[$i + 2], v[$i + 3]));
                v[$i] = _mm256_shuffle_ps::<0x44>(a, c);
                v[$i + 1] = _mm256_shuffle_ps::<0xEE>(a, c);
                v[$i + 2] = _mm256_shuffle_ps::<0x44>(b, d);
                v[$i + 3] = _mm256_shuffle_ps::<0xEE>(b, d);
            };
        }
        macro_rules! exchange {
            ($i:literal) => {
                let (a, b) = (v[$i], v[$i + 4]);
                v[$i] = _mm256_permute2f128_ps::<0x20>(a, b);
                v[$i + 4] = _mm256_permute2f128_ps::<0x31>(a, b);
            };
        }
        unsafe {
            half!(0);
            half!(4);
            exchange!(0);
            exchange!(1);
            exchange!(2);
            exchange!(3);
        }
    }
}
