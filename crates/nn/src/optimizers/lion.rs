//! Lion: steps of one size in the direction of a sign. Chen et al. 2023.

use super::{Optimizer, Step};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Lion: `w -= lr·(sign(β₁m + (1-β₁)g) + λw); m = β₂m + (1-β₂)g`. Chen et al. 2023, arXiv:2302.06675.
///
/// It keeps one slot where Adam keeps two. Its rate is 3 to 10 times smaller than Adam's, its decay as much larger.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lion {
    /// The learning rate.
    pub lr: f64,
    /// β₁, of the direction.
    pub beta1: f64,
    /// β₂, of what is remembered.
    pub beta2: f64,
    /// λ of decoupled decay, `w *= 1 - lr·λ`.
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Lion {
        Lion { lr: 1e-4, beta1: 0.9, beta2: 0.99, weight_decay: 0.0 }
    }
}

impl Config for Lion {
    fn examples() -> Vec<Lion> {
        let default = Lion::default();
        vec![default, Lion { lr: 1e-3, beta1: 0.95, beta2: 0.98, weight_decay: 0.1 }]
    }
}

impl Optimizer for Lion {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let w = step.shrunk(w);
        let beta1 = step.momentum(self.beta1);
        let mut direction = g.clone();
        step.next("m", |m| {
            direction = (&beta1 * m + (1.0 - &beta1) * g).sign();
            self.beta2 * m + (1.0 - self.beta2) * g
        });
        w - &step.lr * direction
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::below_one("beta1", self.beta1)?;
        check::below_one("beta2", self.beta2)?;
        check::not_negative("weight_decay", self.weight_decay)
    }
}
