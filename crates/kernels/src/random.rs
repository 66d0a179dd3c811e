//! Random elements: element `e` of a draw comes from word `e % 4` of block `e / 4` of (seed, stream, step), so any part can be
//! made on its own, and again.
//!
//! * Uniform: the word's upper 24 bits as a number in [0, 1).
//! * Bernoulli(p): 1 where that number is below p.
//! * Normal (Box & Muller 1958): elements 2j and 2j + 1 share the words u, v at these two places; with
//!   r = √(-2·ln(1 - u)) they are r·cos(2πv) and r·sin(2πv).

use crate::Real;
use crate::expr::Random;
use crate::simd::{Kernel, Simd};
use gradus_tensor::random::{block, unit};

/// Element `index` of a draw.
#[inline]
pub fn element(kind: Random, seed: u64, stream: u32, step: u64, index: usize) -> f64 {
    let words = block(seed, stream, step, (index / 4) as u32);
    one(kind, &words, index % 4)
}

#[inline(always)]
fn one(kind: Random, words: &[u32; 4], lane: usize) -> f64 {
    match kind {
        Random::Uniform => unit(words[lane]),
        Random::Bernoulli(p) => f64::from(u8::from(unit(words[lane]) < p)),
        Random::Normal => {
            let (u, v) = (unit(words[lane & 2]), unit(words[lane | 1]));
            let radius = (-2.0 * (1.0 - u).ln()).sqrt();
            let angle = std::f64::consts::TAU * v;
            radius * if lane.is_multiple_of(2) { angle.cos() } else { angle.sin() }
        }
    }
}

/// Elements to draw: `start ..` of a draw.
pub(crate) struct Draw {
    pub kind: Random,
    pub seed: u64,
    pub stream: u32,
    pub step: u64,
    pub start: usize,
}

/// Fills `n` elements.
pub(crate) struct Fill<T>(std::marker::PhantomData<T>);

impl<T: Real> Kernel<T> for Fill<T> {
    type A = T;
    type B = Draw;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(y: *const T, draw: *const Draw, n: usize) {
        // SAFETY: the caller's: `y` may be written for `n` elements.
        unsafe {
            let draw = &*draw;
            let y = std::slice::from_raw_parts_mut(y.cast_mut(), n);
            let mut i = 0;
            while i < n {
                let index = draw.start + i;
                if index.is_multiple_of(4) && n - i >= 4 * WIDE && !matches!(draw.kind, Random::Normal) {
                    wide(&mut y[i..i + 4 * WIDE], draw, (index / 4) as u32);
                    i += 4 * WIDE;
                    continue;
                }
                let words = block(draw.seed, draw.stream, draw.step, (index / 4) as u32);
                for lane in index % 4..4.min(index % 4 + n - i) {
                    y[i] = T::from_f64(one(draw.kind, &words, lane));
                    i += 1;
                }
            }
        }
    }
}

/// Blocks that are made side by side.
const WIDE: usize = 16;

/// `4·WIDE` elements from block `first` on: the rounds of `gradus_tensor::random::philox`, on vectors.
#[inline(always)]
fn wide<T: Real>(y: &mut [T], draw: &Draw, first: u32) {
    let mut c = [[0u32; WIDE], [draw.stream; WIDE], [draw.step as u32; WIDE], [(draw.step >> 32) as u32; WIDE]];
    for i in 0..WIDE {
        c[0][i] = first.wrapping_add(i as u32);
    }
    let mut key = [draw.seed as u32, (draw.seed >> 32) as u32];
    for _ in 0..10 {
        for i in 0..WIDE {
            let a = u64::from(c[0][i]) * 0xD251_1F53;
            let b = u64::from(c[2][i]) * 0xCD9E_8D57;
            c[0][i] = (b >> 32) as u32 ^ c[1][i] ^ key[0];
            c[1][i] = b as u32;
            c[2][i] = (a >> 32) as u32 ^ c[3][i] ^ key[1];
            c[3][i] = a as u32;
        }
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    // A whole number k of 24 bits stands for k·2⁻²⁴; k·2⁻²⁴ < p is k < ⌈p·2²⁴⌉.
    let bound = if let Random::Bernoulli(p) = draw.kind { (p * 16777216.0).ceil() as i32 } else { -1 };
    for i in 0..WIDE {
        for (lane, words) in c.iter().enumerate() {
            let k = (words[i] >> 8) as i32;
            let uniform = k as f32 * (1.0 / 16777216.0);
            let drawn = if k < bound { 1.0 } else { 0.0 };
            y[4 * i + lane] = T::from_f64(f64::from(if bound >= 0 { drawn } else { uniform }));
        }
    }
}
