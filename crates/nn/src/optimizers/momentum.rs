//! Gradient descent with momentum, `v = μv + g; w -= lr·v`. Polyak 1964.

use super::{Optimizer, Slots, decayed};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Gradient descent with momentum, `v = μv + g; w -= lr·v`, as in PyTorch and optax. Polyak 1964.
///
/// `ema` makes v an average, `v = μv + (1 - μ)g`, and `bias_correction` divides it by `1 - μᵗ`, so that it is one from the first step
/// on. Keras and Caffe put lr inside v, which is the same until lr changes. PyTorch's `dampening` is neither of these: its first v is g.
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
    /// λ: `g + λw` takes the gradient's place (as in PyTorch).
    pub weight_decay: f64,
}

impl Default for Momentum {
    fn default() -> Momentum {
        Momentum { lr: 1e-3, momentum: 0.9, ema: false, bias_correction: false, weight_decay: 0.0 }
    }
}

impl Config for Momentum {
    fn examples() -> Vec<Momentum> {
        let default = Momentum::default();
        vec![
            default,
            Momentum { ema: true, ..default },
            Momentum { ema: true, bias_correction: true, weight_decay: 1e-4, ..default },
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

    fn update(&self, w: &Node, g: &Node, lr: &Node, decay: f64, slots: &mut Slots) -> Node {
        let mu = self.momentum;
        let g = decayed(g, w, decay);
        let v = slots.next("v", |v| if self.ema { mu * v + (1.0 - mu) * g } else { mu * v + g });
        if self.bias_correction {
            let correction = 1.0 - w.graph().scalar(mu).pow(slots.t());
            w - lr / correction * v
        } else {
            w - lr * v
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("lr", self.lr)?;
        check::below_one("momentum", self.momentum)?;
        check::not_negative("weight_decay", self.weight_decay)?;
        if self.bias_correction && !self.ema {
            let help = "set `ema = true`, or leave `bias_correction` out";
            return Err(ShapeError::new("`bias_correction` together with `ema`", "`ema = false`", help));
        }
        Ok(())
    }
}
