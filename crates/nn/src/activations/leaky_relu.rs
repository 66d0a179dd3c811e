//! Leaky rectifier, `y = x` where x > 0, else `slope·x`. Maas et al. 2013.

use super::Activate;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Leaky rectifier, `y = x` where x > 0, else `slope·x`; its derivative at 0 is `slope`. Maas et al. 2013.
///
/// Slope 0.01 as in the paper and PyTorch; Keras has 0.3 in its layer and 0.2 in its function.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LeakyRelu {
    /// The slope where x ≤ 0: 0.01 as in PyTorch and ONNX; Keras has 0.3 in its layer and 0.2 in its function.
    pub slope: f64,
}

impl Default for LeakyRelu {
    fn default() -> LeakyRelu {
        LeakyRelu { slope: 0.01 }
    }
}

impl Config for LeakyRelu {
    fn examples() -> Vec<LeakyRelu> {
        vec![LeakyRelu::default(), LeakyRelu { slope: 0.2 }]
    }
}

impl Activate for LeakyRelu {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x.leaky_relu(self.slope)
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(self.slope)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::finite("slope", self.slope)
    }
}
