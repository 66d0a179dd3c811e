//! Linear cosine decay. Bello et al. 2017.

use super::{Clock, Schedule, half_cosine};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Linear cosine decay, `r₀·((alpha + (s-t)/s)·½(1 + cos(2π·periods·t/s)) + beta)` with t at most s. Bello et al. 2017, arXiv:1709.07417, as in
/// TensorFlow 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LinearCosine {
    /// s: after this time it stays; the whole run where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<f64>,
    /// How many waves.
    pub periods: f64,
    /// Added to the line.
    pub alpha: f64,
    /// Added to all.
    pub beta: f64,
}

impl Default for LinearCosine {
    fn default() -> LinearCosine {
        LinearCosine { length: None, periods: 0.5, alpha: 0.0, beta: 1e-3 }
    }
}

impl Config for LinearCosine {
    fn examples() -> Vec<LinearCosine> {
        vec![LinearCosine::default(), LinearCosine { length: Some(4.0), periods: 1.5, alpha: 0.1, beta: 0.01 }]
    }
}

impl Schedule for LinearCosine {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let share = share(clock, self.length);
        base * ((self.alpha + (1.0 - &share)) * half_cosine(share * (2.0 * self.periods)) + self.beta)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("periods", self.periods)?;
        check::not_negative("alpha", self.alpha)?;
        check::not_negative("beta", self.beta)?;
        self.length.map_or(Ok(()), |length| check::positive("length", length))
    }
}

/// How much of the length has passed, at most 1.
pub(super) fn share(clock: &Clock, length: Option<f64>) -> Node {
    let length = clock.length(length);
    clock.t().minimum(&length) / length
}
