//! AdaGrad: each parameter's rate falls with the root of its summed squared gradients. Duchi et al. 2011.

use super::{Optimizer, Step, root};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// AdaGrad: `s = s + g²; w -= lr·g/(√s + ε)`. Duchi et al. 2011.
///
/// Good for sparse features; in long trainings the steps become too small. PyTorch as here. Keras has lr 1e-3, ε 1e-7 inside the root
/// (`eps_inside`) and s starting at 0.1 (`start`).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adagrad {
    /// The learning rate.
    pub lr: f64,
    /// The rate becomes `lr/(1 + lr_decay·(t - 1))`, as in PyTorch.
    pub lr_decay: f64,
    /// s before the first step.
    pub start: f64,
    /// ε
    pub eps: f64,
    /// ε under the root.
    pub eps_inside: bool,
    /// λ: `g + λw` takes the gradient's place (as in PyTorch).
    pub weight_decay: f64,
}

impl Default for Adagrad {
    fn default() -> Adagrad {
        Adagrad { lr: 1e-2, lr_decay: 0.0, start: 0.0, eps: 1e-10, eps_inside: false, weight_decay: 0.0 }
    }
}

impl Config for Adagrad {
    fn examples() -> Vec<Adagrad> {
        let default = Adagrad::default();
        vec![
            default,
            Adagrad { lr_decay: 0.1, weight_decay: 1e-4, ..default },
            Adagrad { start: 0.1, eps: 1e-7, eps_inside: true, ..default },
        ]
    }
}

impl Optimizer for Adagrad {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let g = step.decayed(g, w);
        let s = step.next_from("s", self.start, |s| s + g.square());
        let lr =
            if self.lr_decay == 0.0 { step.lr.clone() } else { &step.lr / (1.0 + self.lr_decay * (step.t() - 1.0)) };
        w - lr * g / root(&s, self.eps, self.eps_inside)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::not_negative("lr_decay", self.lr_decay)?;
        check::not_negative("start", self.start)?;
        check::not_negative("eps", self.eps)?;
        check::not_negative("weight_decay", self.weight_decay)
    }
}
