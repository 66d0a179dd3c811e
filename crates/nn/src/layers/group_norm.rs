//! Group normalisation: a layer norm over groups of channels. Wu & He 2018, arXiv:1803.08494.

use super::Layer;
use super::axes::{affine, channel_axis, standardize};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use gradus_tensor::Dim;
use serde::{Deserialize, Serialize};

/// Group normalisation, `x: [B, C, ..] -> [B, C, ..]`: each sample's channels are cut into `groups` of neighbours, each group is brought
/// to mean 0 and variance 1 over its channels and all of space, then each channel is scaled by `gamma` and shifted by `beta`, `[C]`.
///
/// Padding (a mask) does not count. It does not look at other samples: the choice where batches are small. ε is 1e-5 as in PyTorch; Keras has 1e-3. ONNX's operator
/// of version 18 scales per group, that of version 21 per channel, as here.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupNorm {
    /// How many groups; a divisor of the number of channels.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f64,
    /// Scale and shift by γ and β.
    pub affine: bool,
    /// The axis of the channels: where none is named, the last of `[B, T, C]`, else axis 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis: Option<isize>,
}

impl Default for GroupNorm {
    /// The paper's 32 groups.
    fn default() -> GroupNorm {
        GroupNorm { groups: 32, eps: 1e-5, affine: true, axis: None }
    }
}

impl Config for GroupNorm {
    fn examples() -> Vec<GroupNorm> {
        let two = GroupNorm { groups: 2, ..GroupNorm::default() };
        vec![two, GroupNorm { eps: 1e-3, affine: false, axis: Some(1), ..two }]
    }
}

impl Layer for GroupNorm {
    fn build(&self, x: &Node) -> Node {
        let (axis, channels) = match channel_axis(x, self.axis) {
            Ok(found) => found,
            Err(refused) => return refused,
        };
        if !channels.is_multiple_of(self.groups) {
            let (expected, received) = (format!("channels that {} groups divide", self.groups), channels.to_string());
            let help = "set `groups` to a divisor of the number of channels";
            return x.graph().refuse("group_norm", ShapeError::new(expected, received, help));
        }
        let shape = x.shape();
        let mut dims = shape.dims().to_vec();
        dims.splice(axis..=axis, [Dim::Fixed(self.groups), Dim::Fixed(channels / self.groups)]);
        let rest: Vec<isize> = (1..dims.len()).filter(|&a| a != axis).map(|a| a as isize).collect();
        // A mask is of the first axes: it fits as long as the channels are not among them.
        let mask = x.mask().filter(|mask| mask.shape().rank() <= axis);
        let y = standardize(&x.reshape(dims), &rest, mask.as_ref(), self.eps).reshape(shape);
        if self.affine { affine(&y, axis, channels) } else { y }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("groups", self.groups)?;
        check::positive("eps", self.eps)
    }
}
