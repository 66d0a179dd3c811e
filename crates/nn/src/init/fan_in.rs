//! A spread that falls with the root of the inputs.

use super::{Distribution, Draw, Fans, Initialize};
use crate::check;
use crate::table::Config;
use gradus_graph::ShapeError;
use serde::{Deserialize, Serialize};

/// Normal: standard deviation `gain/√n_in`. Uniform: `±gain/√n_in` (its standard deviation is smaller by √3); PyTorch's linear
/// layers start so.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FanIn {
    /// `uniform`, as PyTorch's linear layers and convolutions start; `normal` or `truncated`.
    pub distribution: Distribution,
    /// A factor on the spread, above 0: 1.
    pub gain: f64,
}

impl Default for FanIn {
    fn default() -> FanIn {
        FanIn { distribution: Distribution::Uniform, gain: 1.0 }
    }
}

impl Config for FanIn {
    fn examples() -> Vec<FanIn> {
        vec![FanIn::default(), FanIn { distribution: Distribution::Normal, gain: 1.0 }]
    }
}

impl Initialize for FanIn {
    fn draw(&self, fans: Fans) -> Draw {
        let spread = self.gain / (fans.inputs as f64).sqrt();
        match self.distribution {
            Distribution::Normal | Distribution::Truncated => self.distribution.of(spread),
            Distribution::Uniform => Draw::Uniform(-spread, spread),
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("gain", self.gain)
    }
}
