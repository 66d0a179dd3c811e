//! Continuously differentiable exponential linear unit, `y = max(x, 0) + min(0, α(e^(x/α) - 1))`. Barron 2017, arXiv:1704.07483.

use super::Activate;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Continuously differentiable exponential linear unit, `y = x` where x > 0, else `α(e^(x/α) - 1)`; its derivative at 0 is 1 for every
/// α, unlike [`Elu`](super::Elu)'s. Barron 2017, arXiv:1704.07483.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Celu {
    /// α, above 0: minus the limit on the negative side. 1, where it is [`Elu`](super::Elu), as in PyTorch and Keras.
    pub alpha: f64,
}

impl Default for Celu {
    fn default() -> Celu {
        Celu { alpha: 1.0 }
    }
}

impl Config for Celu {
    fn examples() -> Vec<Celu> {
        vec![Celu::default(), Celu { alpha: 2.0 }]
    }
}

impl Activate for Celu {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        if self.alpha == 1.0 { x.elu(1.0) } else { (x / self.alpha).elu(1.0) * self.alpha }
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(0.0)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("alpha", self.alpha)
    }
}
