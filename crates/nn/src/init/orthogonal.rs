//! Orthogonal initialisation: weights that turn vectors without stretching them.

use super::{Draw, Fans, Initialize};
use crate::check;
use crate::table::Config;
use gradus_graph::ShapeError;
use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

/// `gain` times a random orthogonal matrix, every one equally likely: the Q of a normal matrix's QR decomposition with a positive
/// diagonal of R. Saxe et al. 2014, arXiv:1312.6120; Mezzadri 2007, arXiv:math-ph/0609050.
///
/// The matrix has the first axis as rows and all others as columns, as in PyTorch. Where it is not square, the shorter of its rows
/// and columns are orthogonal to each other, each of length `gain`. Good for deep and for recurrent nets.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Orthogonal {
    /// The factor by which vectors grow, above 0: 1, as in PyTorch and Keras. √2 suits ReLU.
    pub gain: f64,
}

impl Default for Orthogonal {
    fn default() -> Orthogonal {
        Orthogonal { gain: 1.0 }
    }
}

impl Config for Orthogonal {
    fn examples() -> Vec<Orthogonal> {
        vec![Orthogonal::default(), Orthogonal { gain: 1.5 }]
    }
}

impl Initialize for Orthogonal {
    fn draw(&self, _fans: Fans) -> Draw {
        Draw::Orthogonal { gain: self.gain }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("gain", self.gain)
    }
}

/// Vectors that are made orthogonal together, while they are in the cache.
const BLOCK: usize = 16;

/// A random matrix of this many rows and columns whose shorter side's vectors have length 1 and are orthogonal to each other.
pub(super) fn matrix(rows: usize, columns: usize, rng: &mut Rng) -> Vec<f64> {
    let (count, len) = (rows.min(columns), rows.max(columns));
    if count == 0 {
        return vec![];
    }
    let mut q: Vec<f64> = (0..count * len).map(|_| rng.normal()).collect();
    for start in (0..count).step_by(BLOCK) {
        let (done, rest) = q.split_at_mut(start * len);
        let block = &mut rest[..BLOCK.min(count - start) * len];
        // Gram and Schmidt's procedure; twice is enough (Giraud et al. 2005).
        for _ in 0..2 {
            for unit in done.chunks_exact(len) {
                block.chunks_exact_mut(len).for_each(|v| project_out(v, unit));
            }
        }
        for i in 0..block.len() / len {
            let (units, v) = block.split_at_mut(i * len);
            let v = &mut v[..len];
            for unit in units.chunks_exact(len).chain(units.chunks_exact(len)) {
                project_out(v, unit);
            }
            let length = dot(v, v).sqrt();
            v.iter_mut().for_each(|x| *x /= length);
        }
    }
    if rows <= columns {
        return q;
    }
    (0..rows * columns).map(|i| q[i % columns * len + i / columns]).collect()
}

/// Takes a unit vector's part out of another vector.
fn project_out(v: &mut [f64], unit: &[f64]) {
    let part = dot(v, unit);
    v.iter_mut().zip(unit).for_each(|(v, u)| *v -= part * u);
}

/// The scalar product, in several sums that a compiler can keep in one vector.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    const LANES: usize = 16;
    let mut sums = [0.0; LANES];
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for i in 0..LANES {
            sums[i] += a[i] * b[i];
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}
