//! Elastic net: `l1·Σ|w| + l2/2·Σw²`. Zou & Hastie 2005.

use super::{L1, L2, Regularizer};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// L1 and L2 together: `l1·Σ|w| + l2/2·Σw²`. Zou & Hastie 2005.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Elastic {
    /// The strength of the absolute values.
    pub l1: f64,
    /// The strength of the squares.
    pub l2: f64,
    /// Divide by the batch size.
    pub per_sample: bool,
    /// Divide by the number of weights.
    pub per_weight: bool,
}

impl Default for Elastic {
    fn default() -> Elastic {
        Elastic { l1: 1e-4, l2: 1e-4, per_sample: false, per_weight: false }
    }
}

impl Config for Elastic {
    fn examples() -> Vec<Elastic> {
        vec![Elastic::default(), Elastic { l1: 0.01, l2: 0.1, per_sample: true, per_weight: true }]
    }
}

impl Elastic {
    fn parts(&self) -> (L1, L2) {
        let Elastic { l1, l2, per_sample, per_weight } = *self;
        (L1 { lambda: l1, per_sample, per_weight }, L2 { lambda: l2, per_sample, per_weight })
    }
}

impl Regularizer for Elastic {
    fn penalty(&self, w: &Node, count: usize) -> Node {
        let (l1, l2) = self.parts();
        l1.penalty(w, count) + l2.penalty(w, count)
    }

    fn gradient(&self, w: &Node, count: usize) -> Node {
        let (l1, l2) = self.parts();
        l1.gradient(w, count) + l2.gradient(w, count)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("l1", self.l1)?;
        check::not_negative("l2", self.l2)
    }
}
