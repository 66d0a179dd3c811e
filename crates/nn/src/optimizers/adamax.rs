//! Adamax: Adam with the largest gradient in place of the root mean square. Kingma & Ba 2015, section 7.

use super::{Optimizer, Step};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Adamax: `m = β₁m + (1-β₁)g; u = max(β₂u, |g| + ε); w -= lr/(1-β₁ᵗ)·m/u`, as in PyTorch. Kingma & Ba 2015, arXiv:1412.6980.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adamax {
    /// The learning rate.
    pub lr: f64,
    /// β₁, of the mean gradient.
    pub beta1: f64,
    /// β₂, by which the largest gradient is forgotten.
    pub beta2: f64,
    /// ε
    pub eps: f64,
    /// λ: `g + λw` takes the gradient's place (as in PyTorch).
    pub weight_decay: f64,
}

impl Default for Adamax {
    fn default() -> Adamax {
        Adamax { lr: 2e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

impl Config for Adamax {
    fn examples() -> Vec<Adamax> {
        let default = Adamax::default();
        vec![default, Adamax { lr: 0.01, beta2: 0.9, weight_decay: 1e-4, ..default }]
    }
}

impl Optimizer for Adamax {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let g = step.decayed(g, w);
        let beta1 = step.momentum(self.beta1);
        let m = step.next("m", |m| &beta1 * m + (1.0 - &beta1) * &g);
        let u = step.next("u", |u| (self.beta2 * u).maximum(g.abs() + self.eps));
        w - &step.lr / (1.0 - step.power(&beta1)) * m / u
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::below_one("beta1", self.beta1)?;
        check::below_one("beta2", self.beta2)?;
        check::positive("eps", self.eps)?;
        check::not_negative("weight_decay", self.weight_decay)
    }
}
