//! Instance normalisation: each channel of each sample over its own space. Ulyanov, Vedaldi & Lempitsky 2016, arXiv:1607.08022.

use super::Layer;
use super::axes::{affine, channel_axis, others, standardize};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Instance normalisation, `x: [B, C, H, W]` or `[B, T, C]` to the same: each channel of each sample is brought to mean 0 and variance 1
/// over space or time, then scaled by `gamma` and shifted by `beta`, `[C]`.
///
/// Padding (a mask) does not count. PyTorch's layers have no scale and shift by default: `affine = false`. Rows `[B, C]` have no space to normalise over: an error.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InstanceNorm {
    /// Added to the variance.
    pub eps: f64,
    /// Scale and shift by γ and β.
    pub affine: bool,
    /// The axis of the channels: where none is named, the last of `[B, T, C]`, else axis 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis: Option<isize>,
}

impl Default for InstanceNorm {
    fn default() -> InstanceNorm {
        InstanceNorm { eps: 1e-5, affine: true, axis: None }
    }
}

impl Config for InstanceNorm {
    fn examples() -> Vec<InstanceNorm> {
        vec![InstanceNorm::default(), InstanceNorm { eps: 1e-3, affine: false, axis: Some(1) }]
    }
}

impl Layer for InstanceNorm {
    fn build(&self, x: &Node) -> Node {
        let (axis, channels) = match channel_axis(x, self.axis) {
            Ok(found) => found,
            Err(refused) => return refused,
        };
        let (axes, rows_alone) = others(x, axis);
        if rows_alone {
            let expected = "channels with a space of more than one element: [B, C, H, W] or [B, T, C]";
            let help = "for rows of features use `layer_norm` or `batch_norm`";
            return x.graph().refuse("instance_norm", ShapeError::new(expected, x.shape().to_string(), help));
        }
        let y = standardize(x, &axes[1..], x.mask().as_ref(), self.eps);
        if self.affine { affine(&y, axis, channels) } else { y }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("eps", self.eps)
    }
}
