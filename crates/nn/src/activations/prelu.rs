//! Parametric rectifier, `y = x` where x > 0, else `a·x` with a learned slope a. He et al. 2015, arXiv:1502.01852.

use super::Activate;
use crate::check;
use crate::layers::axes::{along, channel_axis};
use crate::table::Config;
use gradus_graph::{Constant, Node, Role, ShapeError};
use serde::{Deserialize, Serialize};

/// Parametric rectifier, `y = x` where x > 0, else `a·x`; its derivative at 0 is a. The slopes are a parameter `slope`, trained with
/// the network but never decayed, since decay would turn it into [`Relu`](super::Relu). He et al. 2015, arXiv:1502.01852.
///
/// One slope for each channel, as in the paper: `slope: [D]` for `x: [B, D]` and `[B, T, D]`, `slope: [C]` for images `[B, C, H, W]`. Keras has
/// one for each element of a sample, unless axes are shared.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Prelu {
    /// Every slope at the start: 0.25 as in the paper and PyTorch; Keras starts at 0.
    pub slope: f64,
    /// One slope for all channels, `slope: [1]`: PyTorch's default.
    pub shared: bool,
}

impl Default for Prelu {
    fn default() -> Prelu {
        Prelu { slope: 0.25, shared: false }
    }
}

impl Config for Prelu {
    fn examples() -> Vec<Prelu> {
        vec![Prelu::default(), Prelu { slope: 0.1, shared: true }]
    }
}

impl Activate for Prelu {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        let slope = |channels: usize| x.param("slope", [channels], Constant(self.slope), Role::Norm);
        let slope = match channel_axis(x, None) {
            _ if self.shared => slope(1),
            Ok((axis, channels)) => along(&slope(channels), x, axis),
            Err(refused) => return refused,
        };
        x.gt(0.0).select(x, x * slope)
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(self.slope)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::finite("slope", self.slope)
    }
}
