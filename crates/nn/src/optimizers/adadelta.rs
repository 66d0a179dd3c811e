//! AdaDelta: steps of the size that earlier steps had, so that no learning rate needs to be chosen. Zeiler 2012.

use super::{Optimizer, Step};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// AdaDelta: `s = ρs + (1-ρ)g²; d = √(D + ε)/√(s + ε)·g; D = ρD + (1-ρ)d²; w -= lr·d`. Zeiler 2012, arXiv:1212.5701.
///
/// lr 1 is the paper's rule; ρ 0.9 and ε 1e-6 as in PyTorch; the paper and Keras have ρ 0.95. Some texts give the name to a rule without D:
/// that is [`RmsProp`](super::RmsProp) with `eps_inside`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adadelta {
    /// The learning rate.
    pub lr: f64,
    /// ρ, of both averages.
    pub rho: f64,
    /// ε
    pub eps: f64,
    /// λ: `g + λw` takes the gradient's place (as in PyTorch).
    pub weight_decay: f64,
}

impl Default for Adadelta {
    fn default() -> Adadelta {
        Adadelta { lr: 1.0, rho: 0.9, eps: 1e-6, weight_decay: 0.0 }
    }
}

impl Config for Adadelta {
    fn examples() -> Vec<Adadelta> {
        let default = Adadelta::default();
        vec![default, Adadelta { lr: 0.5, rho: 0.95, eps: 1e-4, weight_decay: 1e-4 }]
    }
}

impl Optimizer for Adadelta {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let (rho, eps) = (self.rho, self.eps);
        let g = step.decayed(g, w);
        let s = step.next("s", |s| rho * s + (1.0 - rho) * g.square());
        let mut d = g.clone();
        step.next("d", |squared| {
            d = (squared + eps).sqrt() / (s + eps).sqrt() * g;
            rho * squared + (1.0 - rho) * d.square()
        });
        w - &step.lr * d
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::below_one("rho", self.rho)?;
        check::positive("eps", self.eps)?;
        check::not_negative("weight_decay", self.weight_decay)
    }
}
