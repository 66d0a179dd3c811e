//! Adam with decoupled weight decay, `w *= 1 - lr·λ`, then Adam. Loshchilov & Hutter 2019, arXiv:1711.05101.

use super::{Adam, Optimizer, Step};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Adam with decoupled weight decay: `w *= 1 - lr·λ`, then Adam's step. λ 1e-2 as in PyTorch; Keras 4e-3, optax 1e-4.
///
/// The decay does not pass through Adam's division, so all weights shrink alike. The other settings are [`Adam`]'s.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdamW {
    /// The learning rate.
    pub lr: f64,
    /// β₁, of the mean gradient.
    pub beta1: f64,
    /// β₂, of the mean squared gradient.
    pub beta2: f64,
    /// ε
    pub eps: f64,
    /// ε under the root.
    pub eps_inside: bool,
    /// ε added before the bias correction.
    pub eps_before_correction: bool,
    /// Divide by the largest v so far.
    pub amsgrad: bool,
    /// λ of the decay, times lr.
    pub weight_decay: f64,
}

impl Default for AdamW {
    fn default() -> AdamW {
        let Adam { lr, beta1, beta2, eps, eps_inside, eps_before_correction, amsgrad, .. } = Adam::default();
        AdamW { lr, beta1, beta2, eps, eps_inside, eps_before_correction, amsgrad, weight_decay: 1e-2 }
    }
}

impl Config for AdamW {
    fn examples() -> Vec<AdamW> {
        vec![AdamW::default(), AdamW { lr: 0.01, amsgrad: true, weight_decay: 0.1, ..AdamW::default() }]
    }
}

impl AdamW {
    fn adam(&self) -> Adam {
        let AdamW { lr, beta1, beta2, eps, eps_inside, eps_before_correction, amsgrad, .. } = *self;
        Adam { lr, beta1, beta2, eps, eps_inside, eps_before_correction, amsgrad, weight_decay: 0.0 }
    }
}

impl Optimizer for AdamW {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let shrunk = step.shrunk(w);
        self.adam().update(&shrunk, g, &step.without_decay())
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.adam().check()?;
        check::not_negative("weight_decay", self.weight_decay)
    }
}
