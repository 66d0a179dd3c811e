//! L1: `λ·Σ|w|`, gradient `λ·sign(w)` with sign(0) = 0. Tibshirani 1996 (lasso).

use super::{Regularizer, strength};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// L1: `λ·Σ|w|`, gradient `λ·sign(w)`. It drives weights that do not help to 0.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L1 {
    /// λ
    pub lambda: f64,
    /// Divide by the batch size.
    pub per_sample: bool,
    /// Divide by the number of weights.
    pub per_weight: bool,
}

impl L1 {
    /// This strength.
    pub fn new(lambda: f64) -> L1 {
        L1 { lambda, ..L1::default() }
    }
}

impl Default for L1 {
    fn default() -> L1 {
        L1 { lambda: 1e-4, per_sample: false, per_weight: false }
    }
}

impl Config for L1 {
    fn examples() -> Vec<L1> {
        vec![L1::default(), L1 { per_sample: true, ..L1::new(0.01) }, L1 { per_weight: true, ..L1::new(0.1) }]
    }

    fn from_number(lambda: f64) -> Result<L1, String> {
        Ok(L1::new(lambda))
    }
}

impl Regularizer for L1 {
    fn penalty(&self, w: &Node, count: usize) -> Node {
        strength(w, self.lambda, self.per_sample, self.per_weight, count) * w.abs().sum_all()
    }

    fn gradient(&self, w: &Node, count: usize) -> Node {
        strength(w, self.lambda, self.per_sample, self.per_weight, count) * w.sign()
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("lambda", self.lambda)
    }
}
