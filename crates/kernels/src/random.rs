//! Random elements: element `e` of a draw comes from word `e % 4` of block `e / 4` of (seed, stream, step), so any part can be
//! made on its own, and again.
//!
//! * Uniform: the word's upper 24 bits as a number in [0, 1).
//! * Bernoulli(p): 1 where that number is below p.
//! * Normal (Box & Muller 1958): elements 2j and 2j + 1 share the words u, v at these two places; with
//!   r = √(-2·ln(1 - u)) they are r·cos(2πv) and r·sin(2πv).

use crate::Real;
use crate::expr::Random;
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
            radius * if lane % 2 == 0 { angle.cos() } else { angle.sin() }
        }
    }
}

/// Elements `start .. start + y.len()` of a draw.
#[inline(always)]
pub(crate) fn fill<T: Real>(y: &mut [T], kind: Random, seed: u64, stream: u32, step: u64, start: usize) {
    let mut i = 0;
    while i < y.len() {
        let index = start + i;
        let words = block(seed, stream, step, (index / 4) as u32);
        let lanes = index % 4..(4).min(index % 4 + y.len() - i);
        for lane in lanes {
            y[i] = T::from_f64(one(kind, &words, lane));
            i += 1;
        }
    }
}
