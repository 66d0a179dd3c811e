//! RMSProp: gradients divided by the root of their mean square. Tieleman & Hinton 2012 (lecture 6.5).

use super::{Optimizer, Step, root};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// RMSProp: `s = ρs + (1-ρ)g²; w -= lr·g/(√s + ε)`, as in PyTorch. Tieleman & Hinton 2012.
///
/// Keras has ρ 0.9 and ε 1e-7 inside the root (`eps_inside`). `centered` subtracts the square of the mean gradient from s (Graves 2013);
/// `momentum` sums the scaled gradients: `b = μb + g/(√s + ε); w -= lr·b`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsProp {
    /// The learning rate.
    pub lr: f64,
    /// ρ, of the mean square.
    pub rho: f64,
    /// ε
    pub eps: f64,
    /// ε under the root.
    pub eps_inside: bool,
    /// Divide by the standard deviation instead of the root mean square.
    pub centered: bool,
    /// μ
    pub momentum: f64,
    /// λ: `g + λw` takes the gradient's place (as in PyTorch).
    pub weight_decay: f64,
}

impl Default for RmsProp {
    fn default() -> RmsProp {
        RmsProp { lr: 1e-2, rho: 0.99, eps: 1e-8, eps_inside: false, centered: false, momentum: 0.0, weight_decay: 0.0 }
    }
}

impl Config for RmsProp {
    fn examples() -> Vec<RmsProp> {
        let default = RmsProp::default();
        vec![
            default,
            RmsProp { rho: 0.9, eps: 1e-7, eps_inside: true, ..default },
            RmsProp { centered: true, momentum: 0.9, weight_decay: 1e-4, ..default },
        ]
    }
}

impl Optimizer for RmsProp {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let rho = self.rho;
        let g = step.decayed(g, w);
        let mut s = step.next("s", |s| rho * s + (1.0 - rho) * g.square());
        if self.centered {
            let mean = step.next("mean", |mean| rho * mean + (1.0 - rho) * &g);
            s = s - mean.square();
        }
        let scaled = g / root(&s, self.eps, self.eps_inside);
        if self.momentum == 0.0 {
            return w - &step.lr * scaled;
        }
        let mu = step.momentum(self.momentum);
        w - &step.lr * step.next("b", |b| mu * b + scaled)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::below_one("rho", self.rho)?;
        check::not_negative("eps", self.eps)?;
        check::below_one("momentum", self.momentum)?;
        check::not_negative("weight_decay", self.weight_decay)
    }
}
