//! Xavier (Glorot) initialisation: the spread that keeps signals and gradients even through tanh-like layers.

use super::{Distribution, Draw, Fans, Initialize};
use crate::check;
use crate::table::Config;
use gradus_graph::ShapeError;
use serde::{Deserialize, Serialize};

/// Standard deviation `gain·√(2/(n_in + n_out))`; uniform: `±gain·√(6/(n_in + n_out))`. Glorot & Bengio 2010.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Xavier {
    /// `uniform`, Keras' default for all weights; `normal`; Keras' `glorot_normal` is our `truncated`.
    pub distribution: Distribution,
    /// A factor on the spread, above 0: 1. PyTorch recommends 5/3 before tanh.
    pub gain: f64,
}

impl Default for Xavier {
    fn default() -> Xavier {
        Xavier { distribution: Distribution::Uniform, gain: 1.0 }
    }
}

impl Config for Xavier {
    fn examples() -> Vec<Xavier> {
        vec![Xavier::default(), Xavier { distribution: Distribution::Normal, gain: 2.0 }]
    }
}

impl Initialize for Xavier {
    fn draw(&self, fans: Fans) -> Draw {
        self.distribution.of(self.gain * (2.0 / (fans.inputs + fans.outputs) as f64).sqrt())
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("gain", self.gain)
    }
}
