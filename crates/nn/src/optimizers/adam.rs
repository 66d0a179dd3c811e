//! Adam: steps along the mean gradient, divided by the root of the mean squared gradient. Kingma & Ba 2015, arXiv:1412.6980.

use super::{Optimizer, Step};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Adam: `m = β₁m + (1-β₁)g; v = β₂v + (1-β₂)g²; w -= lr·m̂/(√v̂ + ε)` with `m̂ = m/(1-β₁ᵗ)`, `v̂ = v/(1-β₂ᵗ)`.
///
/// Where ε stands differs: the paper and PyTorch as above; `eps_inside` takes `√(v̂ + ε)`; `eps_before_correction` adds it to the
/// uncorrected root, `lr·√(1-β₂ᵗ)/(1-β₁ᵗ)·m/(√v + ε)`, as Keras, TensorFlow and ONNX do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
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
    /// Divide by the largest v so far (the raw one, as PyTorch and Keras). Reddi et al. 2018.
    pub amsgrad: bool,
    /// λ: `g + λw` takes the gradient's place before the moments. See [`AdamW`](super::AdamW) for the other kind.
    pub weight_decay: f64,
}

impl Default for Adam {
    fn default() -> Adam {
        Adam {
            lr: 1e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            eps_inside: false,
            eps_before_correction: false,
            amsgrad: false,
            weight_decay: 0.0,
        }
    }
}

impl Config for Adam {
    fn examples() -> Vec<Adam> {
        let default = Adam::default();
        vec![
            default,
            Adam { eps_inside: true, beta1: 0.8, beta2: 0.95, ..default },
            Adam { eps_before_correction: true, eps: 1e-7, ..default },
            Adam { amsgrad: true, lr: 0.01, weight_decay: 1e-4, ..default },
        ]
    }
}

impl Optimizer for Adam {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let (beta1, beta2, eps) = (step.momentum(self.beta1), self.beta2, self.eps);
        let g = step.decayed(g, w);
        let m = step.next("m", |m| &beta1 * m + (1.0 - &beta1) * &g);
        let mut v = step.next("v", |v| beta2 * v + (1.0 - beta2) * g.square());
        if self.amsgrad {
            v = step.next("v_max", |largest| largest.maximum(&v));
        }
        let (correct_m, correct_v) = (1.0 - step.power(&beta1), 1.0 - step.power(beta2));
        let lr = &step.lr;
        if self.eps_before_correction {
            return w - lr * correct_v.sqrt() / correct_m * m / (v.sqrt() + eps);
        }
        // The corrections are single numbers: they join lr and the root's factor, so that each element costs one division.
        let root =
            if self.eps_inside { (v * correct_v.recip() + eps).sqrt() } else { v.sqrt() * correct_v.rsqrt() + eps };
        w - lr / correct_m * m / root
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::below_one("beta1", self.beta1)?;
        check::below_one("beta2", self.beta2)?;
        check::not_negative("eps", self.eps)?;
        check::not_negative("weight_decay", self.weight_decay)?;
        if self.eps_inside && self.eps_before_correction {
            let (expected, received) = ("one place for `eps`", "both `eps_inside` and `eps_before_correction`");
            return Err(ShapeError::new(expected, received, "choose one of the two"));
        }
        Ok(())
    }
}
