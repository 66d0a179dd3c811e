//! Noisy linear cosine decay. Bello et al. 2017.

use super::linear_cosine::share;
use super::{Clock, Schedule, half_cosine};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, Random, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// [Linear cosine decay](super::LinearCosine) with normal noise of mean 0 and variance `variance/(1 + t)^decay` added to its line, drawn anew
/// in every step. Bello et al. 2017, arXiv:1709.07417, as in TensorFlow 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NoisyLinearCosine {
    /// s: after this time it stays; the whole run where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<f64>,
    /// The noise's variance at the start.
    pub variance: f64,
    /// How fast it falls.
    pub decay: f64,
    /// How many waves.
    pub periods: f64,
    /// Added to the line.
    pub alpha: f64,
    /// Added to all.
    pub beta: f64,
}

impl Default for NoisyLinearCosine {
    fn default() -> NoisyLinearCosine {
        NoisyLinearCosine { length: None, variance: 1.0, decay: 0.55, periods: 0.5, alpha: 0.0, beta: 1e-3 }
    }
}

impl Config for NoisyLinearCosine {
    fn examples() -> Vec<NoisyLinearCosine> {
        vec![
            NoisyLinearCosine::default(),
            NoisyLinearCosine { length: Some(4.0), variance: 0.1, ..NoisyLinearCosine::default() },
        ]
    }
}

impl Schedule for NoisyLinearCosine {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let share = share(clock, self.length);
        let spread = (self.variance / (clock.t() + 1.0).pow(self.decay)).sqrt();
        let noise = clock.graph().random(Random::Normal, Shape::scalar()) * spread;
        let line = self.alpha + (1.0 - &share) + noise;
        (base * (line * half_cosine(share * (2.0 * self.periods)) + self.beta)).maximum(0.0)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("variance", self.variance)?;
        check::not_negative("decay", self.decay)?;
        check::not_negative("periods", self.periods)?;
        check::not_negative("alpha", self.alpha)?;
        check::not_negative("beta", self.beta)?;
        self.length.map_or(Ok(()), |length| check::positive("length", length))
    }
}
