//! Natural exponential decay.

use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Natural exponential decay, `r₀·e^(-decay·t/every)`. As TensorFlow 1's.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct NaturalExponential {
    /// How fast it falls.
    pub decay: f64,
    /// In this time.
    pub every: f64,
    /// Only at its end: `r₀·e^(-decay·⌊t/every⌋)`.
    pub staircase: bool,
}

impl Default for NaturalExponential {
    fn default() -> NaturalExponential {
        NaturalExponential { decay: 0.1, every: 1.0, staircase: false }
    }
}

impl Config for NaturalExponential {
    fn examples() -> Vec<NaturalExponential> {
        vec![NaturalExponential::default(), NaturalExponential { decay: 0.5, every: 2.0, staircase: true }]
    }
}

impl Schedule for NaturalExponential {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let t = if self.staircase { clock.times(self.every) } else { clock.t() / self.every };
        base * (t * -self.decay).exp()
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("decay", self.decay)?;
        check::positive("every", self.every)
    }
}
