//! NAdam: Adam with Nesterov's momentum. Dozat 2016.

use super::{Optimizer, Step};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// NAdam: Adam that looks ahead along its momentum, `w -= lr·(μₜ₊₁·m/(1 - Πμ·μₜ₊₁) + (1-μₜ)·g/(1 - Πμ))/(√v̂ + ε)` with
/// `μₜ = β₁(1 - ½·0.96^(ψt))` and Πμ the product of all μ up to t. Dozat 2016, in PyTorch's form (Keras too).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nadam {
    /// The learning rate.
    pub lr: f64,
    /// β₁, of the mean gradient.
    pub beta1: f64,
    /// β₂, of the mean squared gradient.
    pub beta2: f64,
    /// ε
    pub eps: f64,
    /// ψ: how fast μ rises from half of β₁ to β₁.
    pub momentum_decay: f64,
    /// Decay the weights themselves, `w *= 1 - lr·λ`, instead of joining λw to the gradient.
    pub decoupled: bool,
    /// λ
    pub weight_decay: f64,
}

impl Default for Nadam {
    fn default() -> Nadam {
        Nadam {
            lr: 2e-3,
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            momentum_decay: 4e-3,
            decoupled: false,
            weight_decay: 0.0,
        }
    }
}

impl Config for Nadam {
    fn examples() -> Vec<Nadam> {
        let default = Nadam::default();
        vec![
            default,
            Nadam { lr: 0.01, momentum_decay: 0.1, weight_decay: 1e-4, ..default },
            Nadam { decoupled: true, weight_decay: 0.01, ..default },
        ]
    }
}

impl Optimizer for Nadam {
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
        let mu = |t: Node| &beta1 * (1.0 - 0.5 * w.graph().scalar(0.96).pow(t * self.momentum_decay));
        let (now, ahead) = (mu(t.clone()), mu(t + 1.0));
        let product = step.number("mu_product", 1.0, |product| product * &now);
        let m = step.next("m", |m| &beta1 * m + (1.0 - &beta1) * &g);
        let v = step.next("v", |v| beta2 * v + (1.0 - beta2) * g.square());
        let root = v.sqrt() * (1.0 - step.power(beta2)).rsqrt() + self.eps;
        let along_g = &step.lr * (1.0 - now) / (1.0 - &product);
        let along_m = &step.lr * &ahead / (1.0 - product * ahead);
        w - (along_g * g + along_m * m) / root
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::below_one("beta1", self.beta1)?;
        check::below_one("beta2", self.beta2)?;
        check::not_negative("eps", self.eps)?;
        check::not_negative("momentum_decay", self.momentum_decay)?;
        check::not_negative("weight_decay", self.weight_decay)
    }
}
