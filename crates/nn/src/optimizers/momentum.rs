//! Gradient descent with momentum, `v = μv + g; w -= lr·v`. Polyak 1964.

use super::{Optimizer, Step};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Gradient descent with momentum, `v = μv + g; w -= lr·v`, as in PyTorch and optax. Polyak 1964.
///
/// `ema` makes v an average, `v = μv + (1 - μ)g`, and `bias_correction` divides it by `1 - μᵗ`, so that it is one from the first step
/// on. `dampening` is PyTorch's: the first v is g, then `v = μv + (1 - dampening)g`, which is not the same as an average. `lr_inside` is
/// the form of Keras and Caffe, `v = μv + lr·g; w -= v`: the same until lr changes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Momentum {
    /// The learning rate.
    pub lr: f64,
    /// μ
    pub momentum: f64,
    /// Average the gradients instead of summing them.
    pub ema: bool,
    /// Correct the average for its start at 0; only with `ema`.
    pub bias_correction: bool,
    /// How much of each gradient but the first is left out, as in PyTorch.
    pub dampening: f64,
    /// Multiply each gradient by the learning rate of its own step, as Keras and Caffe do.
    pub lr_inside: bool,
    /// λ: `g + λw` takes the gradient's place (as in PyTorch).
    pub weight_decay: f64,
}

impl Default for Momentum {
    fn default() -> Momentum {
        Momentum {
            lr: 1e-3,
            momentum: 0.9,
            ema: false,
            bias_correction: false,
            dampening: 0.0,
            lr_inside: false,
            weight_decay: 0.0,
        }
    }
}

impl Config for Momentum {
    fn examples() -> Vec<Momentum> {
        let default = Momentum::default();
        vec![
            default,
            Momentum { ema: true, ..default },
            Momentum { ema: true, bias_correction: true, weight_decay: 1e-4, ..default },
            Momentum { dampening: 0.1, ..default },
            Momentum { lr_inside: true, ..default },
        ]
    }
}

impl Optimizer for Momentum {
    fn lr(&self) -> f64 {
        self.lr
    }

    fn weight_decay(&self) -> f64 {
        self.weight_decay
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        let mu = step.momentum(self.momentum);
        let mut g = step.decayed(g, w);
        if self.ema {
            g = (1.0 - &mu) * g;
        }
        if self.dampening != 0.0 {
            g = step.t().gt(1.0).select(1.0 - self.dampening, 1.0) * g;
        }
        if self.lr_inside {
            return w - step.next("v", |v| &mu * v + &step.lr * g);
        }
        let v = step.next("v", |v| &mu * v + g);
        if self.bias_correction { w - &step.lr / (1.0 - step.power(&mu)) * v } else { w - &step.lr * v }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::below_one("momentum", self.momentum)?;
        check::below_one("dampening", self.dampening)?;
        check::not_negative("weight_decay", self.weight_decay)?;
        if self.bias_correction && !self.ema {
            let help = "set `ema = true`, or leave `bias_correction` out";
            return Err(ShapeError::new("`bias_correction` together with `ema`", "`ema = false`", help));
        }
        if self.ema && self.dampening != 0.0 {
            let help = "choose one of the two";
            return Err(ShapeError::new("`dampening` or `ema`", "both", help));
        }
        Ok(())
    }
}
