//! Softmax over the last axis, `y = e^(x/T) / Σ e^(x/T)`, shifted by the row's maximum.

use super::Activate;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Softmax over the last axis: rows of positive numbers that sum to 1.
///
/// A classifier does not need it as its last layer: [`CrossEntropy`](crate::losses::CrossEntropy) works on logits and makes the
/// probabilities itself, with fewer rounding errors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Softmax {
    /// T, above 0, which divides x: above 1 the rows become more even, below 1 sharper. 1 everywhere.
    pub temperature: f64,
}

impl Default for Softmax {
    fn default() -> Softmax {
        Softmax { temperature: 1.0 }
    }
}

impl Config for Softmax {
    fn examples() -> Vec<Softmax> {
        vec![Softmax::default(), Softmax { temperature: 2.0 }]
    }
}

impl Activate for Softmax {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        if self.temperature == 1.0 { x.softmax() } else { (x / self.temperature).softmax() }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("temperature", self.temperature)
    }
}
