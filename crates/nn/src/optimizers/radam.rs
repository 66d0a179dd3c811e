//! RAdam: Adam that waits with its division until the mean square is known well enough. Liu et al. 2020.

use super::{Optimizer, Step};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// RAdam: as long as `ρₜ = ρ∞ - 2t·β₂ᵗ/(1-β₂ᵗ)` is at most 5 a step of plain momentum, `w -= lr·m̂`; then Adam's times the rectification
/// `√((ρₜ-4)(ρₜ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρₜ))`, with `ρ∞ = 2/(1-β₂) - 1`. Liu et al. 2020, arXiv:1908.03265, in PyTorch's form.
///
/// It needs no warm-up of the learning rate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Radam {
    /// The learning rate.
    pub lr: f64,
    /// β₁, of the mean gradient.
    pub beta1: f64,
    /// β₂, of the mean squared gradient.
    pub beta2: f64,
    /// ε
    pub eps: f64,
    /// Decay the weights themselves, `w *= 1 - lr·λ`, instead of joining λw to the gradient.
    pub decoupled: bool,
    /// λ
    pub weight_decay: f64,
}

impl Default for Radam {
    fn default() -> Radam {
        Radam { lr: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, decoupled: false, weight_decay: 0.0 }
    }
}

impl Config for Radam {
    fn examples() -> Vec<Radam> {
        let default = Radam::default();
        vec![
            default,
            Radam { lr: 0.01, beta2: 0.9, weight_decay: 1e-4, ..default },
            Radam { decoupled: true, weight_decay: 0.01, ..default },
        ]
    }
}

impl Optimizer for Radam {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let (beta2, t) = (self.beta2, step.t());
        let (w, g) = if self.decoupled { (step.shrunk(w), g.clone()) } else { (w.clone(), step.decayed(g, w)) };
        let beta1 = step.momentum(self.beta1);
        let m = step.next("m", |m| &beta1 * m + (1.0 - &beta1) * &g);
        let v = step.next("v", |v| beta2 * v + (1.0 - beta2) * g.square());
        let power = step.power(beta2);
        let most = 2.0 / (1.0 - beta2) - 1.0;
        let rho = most - 2.0 * t * &power / (1.0 - &power);
        let known = rho.gt(5.0);
        let ratio = (&rho - 4.0) * (&rho - 2.0) * most / ((most - 4.0) * (most - 2.0) * &rho);
        let rectified = ratio.maximum(0.0).sqrt() * (1.0 - power).sqrt();
        w - &step.lr / (1.0 - step.power(&beta1)) * m * known.select(rectified / (v.sqrt() + self.eps), 1.0)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::below_one("beta1", self.beta1)?;
        check::below_one("beta2", self.beta2)?;
        check::not_negative("eps", self.eps)?;
        check::not_negative("weight_decay", self.weight_decay)
    }
}
