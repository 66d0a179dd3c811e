//! Normal with a given spread.

use super::{Draw, Fans, Initialize};
use crate::check;
use crate::table::Config;
use gradus_graph::ShapeError;
use serde::{Deserialize, Serialize};

/// Normal, whatever the layer's size: N(mean, std), where std is the standard deviation.
///
/// 0.01 is what AlexNet used (Krizhevsky et al. 2012); Keras' default is 0.05. Deep nets need a spread that fits each layer.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Normal {
    /// The mean: 0.
    pub mean: f64,
    /// The standard deviation, at least 0: 0.01. PyTorch has 1, Keras 0.05.
    pub std: f64,
}

impl Default for Normal {
    fn default() -> Normal {
        Normal { mean: 0.0, std: 0.01 }
    }
}

impl Config for Normal {
    fn examples() -> Vec<Normal> {
        vec![Normal::default(), Normal { mean: 1.0, std: 0.5 }]
    }
}

impl Initialize for Normal {
    fn draw(&self, _fans: Fans) -> Draw {
        Draw::Normal(self.mean, self.std)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::finite("mean", self.mean)?;
        check::not_negative("std", self.std)
    }
}
