//! Hard sigmoid, `y = clip(αx + β, 0, 1)`: the logistic function of straight lines.

use super::Activate;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Hard sigmoid, `y = clip(αx + β, 0, 1)`, with derivative 0 where it is clipped, the bounds included.
///
/// The default is `relu6(x + 3)/6`, as in PyTorch and Keras 3 (Howard et al. 2019, arXiv:1905.02244). ONNX has α 0.2 unless it is told,
/// as had Keras 2 (Courbariaux et al. 2015, arXiv:1511.00363).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HardSigmoid {
    /// α, above 0: the slope. 1/6; ONNX 0.2.
    pub alpha: f64,
    /// β: the value at 0. 0.5 everywhere.
    pub beta: f64,
}

impl Default for HardSigmoid {
    fn default() -> HardSigmoid {
        HardSigmoid { alpha: 1.0 / 6.0, beta: 0.5 }
    }
}

impl Config for HardSigmoid {
    fn examples() -> Vec<HardSigmoid> {
        vec![HardSigmoid::default(), HardSigmoid { alpha: 0.2, beta: 0.5 }]
    }
}

impl Activate for HardSigmoid {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        // With the slope last, the corners of the default lie at -3 and 3 exactly.
        (x + self.beta / self.alpha).clamp(0.0, 1.0 / self.alpha) * self.alpha
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("alpha", self.alpha)?;
        check::finite("beta", self.beta)
    }
}
