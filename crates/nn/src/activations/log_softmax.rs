//! Logarithm of softmax over the last axis, `y = x/T - ln Σ e^(x/T)`, shifted by the row's maximum.

use super::Activate;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Logarithm of softmax over the last axis, `y = x/T - ln Σ e^(x/T)`: exact where the softmax itself is 0.
///
/// For losses that take log-probabilities.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogSoftmax {
    /// T, above 0: above 1 the rows become more even, below 1 sharper. 1 everywhere.
    pub temperature: f64,
}

impl Default for LogSoftmax {
    fn default() -> LogSoftmax {
        LogSoftmax { temperature: 1.0 }
    }
}

impl Config for LogSoftmax {
    fn examples() -> Vec<LogSoftmax> {
        vec![LogSoftmax::default(), LogSoftmax { temperature: 2.0 }]
    }
}

impl Activate for LogSoftmax {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        if self.temperature == 1.0 { x.log_softmax() } else { (x / self.temperature).log_softmax() }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("temperature", self.temperature)
    }
}
