//! Stochastic gradient descent, `w -= lr·g`. Robbins & Monro 1951.

use super::{Optimizer, Step};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Stochastic gradient descent, `w -= lr·g`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// The learning rate.
    pub lr: f64,
    /// λ: `g + λw` takes the gradient's place (as in PyTorch).
    pub weight_decay: f64,
}

impl Default for Sgd {
    fn default() -> Sgd {
        Sgd { lr: 1e-3, weight_decay: 0.0 }
    }
}

impl Config for Sgd {
    fn examples() -> Vec<Sgd> {
        vec![Sgd::default(), Sgd { lr: 0.1, weight_decay: 1e-4 }]
    }
}

impl Optimizer for Sgd {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        w - &step.lr * step.decayed(g, w)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::not_negative("weight_decay", self.weight_decay)
    }
}
