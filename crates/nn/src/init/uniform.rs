//! Uniform in an interval.

use super::{Draw, Fans, Initialize};
use crate::check;
use crate::table::Config;
use gradus_graph::ShapeError;
use serde::{Deserialize, Serialize};

/// Uniform in [low, high), whatever the layer's size. Keras' default is ±0.05.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Uniform {
    /// The lower end: -0.05 as in Keras; PyTorch has 0.
    pub low: f64,
    /// The upper end: 0.05 as in Keras; PyTorch has 1.
    pub high: f64,
}

impl Default for Uniform {
    fn default() -> Uniform {
        Uniform { low: -0.05, high: 0.05 }
    }
}

impl Config for Uniform {
    fn examples() -> Vec<Uniform> {
        vec![Uniform::default(), Uniform { low: 0.0, high: 2.0 }]
    }
}

impl Initialize for Uniform {
    fn draw(&self, _fans: Fans) -> Draw {
        Draw::Uniform(self.low, self.high)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::finite("low", self.low)?;
        check::finite("high", self.high)?;
        check::not_negative("high - low", self.high - self.low)
    }
}
