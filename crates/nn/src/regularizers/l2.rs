//! L2, "weight decay": `λ/2·Σw²`, gradient `λw`. Hoerl & Kennard 1970 (ridge), Krogh & Hertz 1991 (nets).

use super::{Regularizer, strength};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// L2: `λ/2·Σw²`, gradient `λw`. It shrinks all weights in proportion.
///
/// With plain SGD it is the same as weight decay; with Adam it is not (see [`AdamW`](crate::optimizers::AdamW)).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct L2 {
    /// λ
    pub lambda: f64,
    /// Divide by the batch size.
    pub per_sample: bool,
    /// Divide by the number of weights.
    pub per_weight: bool,
}

impl L2 {
    /// This strength.
    pub fn new(lambda: f64) -> L2 {
        L2 { lambda, ..L2::default() }
    }
}

impl Default for L2 {
    fn default() -> L2 {
        L2 { lambda: 1e-4, per_sample: false, per_weight: false }
    }
}

impl Config for L2 {
    fn examples() -> Vec<L2> {
        vec![L2::default(), L2 { per_sample: true, ..L2::new(0.01) }, L2 { per_weight: true, ..L2::new(0.1) }]
    }

    fn from_number(lambda: f64) -> Result<L2, String> {
        Ok(L2::new(lambda))
    }
}

impl Regularizer for L2 {
    fn penalty(&self, w: &Node, count: usize) -> Node {
        strength(w, self.lambda / 2.0, self.per_sample, self.per_weight, count) * w.square().sum_all()
    }

    fn gradient(&self, w: &Node, count: usize) -> Node {
        strength(w, self.lambda, self.per_sample, self.per_weight, count) * w
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("lambda", self.lambda)
    }
}
