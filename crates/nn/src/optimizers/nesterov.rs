//! Nesterov's accelerated gradient, `v = μv + g; w -= lr(g + μv)`. Nesterov 1983, in the form of Sutskever et al. 2013.

use super::{Optimizer, Step};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Nesterov momentum, `v = μv + g; w -= lr(g + μv)`, as in PyTorch: the weights stored are those looked ahead to.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nesterov {
    /// The learning rate.
    pub lr: f64,
    /// μ
    pub momentum: f64,
    /// λ: `g + λw` takes the gradient's place (as in PyTorch).
    pub weight_decay: f64,
}

impl Default for Nesterov {
    fn default() -> Nesterov {
        Nesterov { lr: 1e-3, momentum: 0.9, weight_decay: 0.0 }
    }
}

impl Config for Nesterov {
    fn examples() -> Vec<Nesterov> {
        vec![Nesterov::default(), Nesterov { lr: 0.01, momentum: 0.5, weight_decay: 1e-4 }]
    }
}

impl Optimizer for Nesterov {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let mu = step.momentum(self.momentum);
        let g = step.decayed(g, w);
        let v = step.next("v", |v| &mu * v + &g);
        w - &step.lr * (g + mu * v)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::below_one("momentum", self.momentum)?;
        check::not_negative("weight_decay", self.weight_decay)
    }
}
