//! Exponential linear unit, `y = x` where x > 0, else `α(eˣ - 1)`. Clevert et al. 2016, arXiv:1511.07289.

use super::Activate;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Exponential linear unit, `y = x` where x > 0, else `α(eˣ - 1)`; its derivative at 0 is α. Clevert et al. 2016.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Elu {
    /// α: minus the limit on the negative side, and the derivative at 0. 1, as in PyTorch, Keras and ONNX.
    pub alpha: f64,
}

impl Default for Elu {
    fn default() -> Elu {
        Elu { alpha: 1.0 }
    }
}

impl Config for Elu {
    fn examples() -> Vec<Elu> {
        vec![Elu::default(), Elu { alpha: 0.5 }]
    }
}

impl Activate for Elu {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x.elu(self.alpha)
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(0.0)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::finite("alpha", self.alpha)
    }
}
