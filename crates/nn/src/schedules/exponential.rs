//! Exponential decay.

use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Exponential decay, `r₀·γ^(t/every)`. As ExponentialLR of PyTorch (per epoch) and ExponentialDecay of Keras.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Exponential {
    /// γ, by which the rate is multiplied.
    pub gamma: f64,
    /// In this time.
    pub every: f64,
    /// Only at its end: `r₀·γ^⌊t/every⌋`.
    pub staircase: bool,
}

impl Default for Exponential {
    fn default() -> Exponential {
        Exponential { gamma: 0.9, every: 1.0, staircase: false }
    }
}

impl Config for Exponential {
    fn examples() -> Vec<Exponential> {
        vec![Exponential::default(), Exponential { gamma: 0.5, every: 2.0, staircase: true }]
    }
}

impl Schedule for Exponential {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let t = if self.staircase { clock.times(self.every) } else { clock.t() / self.every };
        base * clock.graph().scalar(self.gamma).pow(t)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("gamma", self.gamma)?;
        check::positive("every", self.every)
    }
}
