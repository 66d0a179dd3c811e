//! MobileNet, the first version. Howard, Zhu, Chen et al. 2017, arXiv:1704.04861.

use super::Build;
use super::resnet::{conv, norm, relu};
use crate::layers::{Dense, GlobalPool, Padding, SeparableConv};
use crate::table::Config;
use crate::{AnyLayer, check};
use gradus_graph::ShapeError;
use serde::{Deserialize, Serialize};

/// A MobileNet for images `[B, C, H, W]`: a convolution of 32 filters, then blocks of a depthwise and a pointwise convolution, each with
/// batch norm and ReLU, the mean over space, and a dense layer of `classes` outputs. `width` scales all filters.
///
/// `width = 1`, `stride = 2` and 1000 classes are the paper's network for 224×224 pixels, 4,231,976 parameters. The defaults suit 32×32:
/// a quarter of the width, a first convolution that keeps the size; 215,642 parameters for colour and ten classes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mobilenet {
    /// The number of outputs.
    pub classes: usize,
    /// What all numbers of filters are multiplied by.
    pub width: f64,
    /// The stride of the first convolution.
    pub stride: usize,
}

impl Default for Mobilenet {
    fn default() -> Mobilenet {
        Mobilenet { classes: 10, width: 0.25, stride: 1 }
    }
}

/// Filters and stride of the blocks, the paper's table 1.
const BLOCKS: [(usize, usize); 13] = [
    (64, 1),
    (128, 2),
    (128, 1),
    (256, 2),
    (256, 1),
    (512, 2),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (512, 1),
    (1024, 2),
    (1024, 1),
];

impl Config for Mobilenet {
    fn examples() -> Vec<Mobilenet> {
        vec![Mobilenet::default(), Mobilenet { classes: 3, width: 0.1, stride: 2 }]
    }
}

impl Build for Mobilenet {
    fn layers(&self) -> Vec<AnyLayer> {
        let scaled = |filters: usize| ((filters as f64 * self.width) as usize).max(1);
        let mut layers = vec![conv(scaled(32), 3, self.stride), norm(), relu()];
        for (filters, stride) in BLOCKS {
            let depthwise = SeparableConv {
                stride: stride.into(),
                padding: Padding::SAME,
                bias: false,
                ..SeparableConv::depthwise(3)
            };
            layers.extend([depthwise.into(), norm(), relu(), conv(scaled(filters), 1, 1), norm(), relu()]);
        }
        layers.extend([GlobalPool::default().into(), Dense::new(self.classes).into()]);
        layers
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("classes", self.classes)?;
        check::at_least_one("stride", self.stride)?;
        check::within("width", self.width, f64::MIN_POSITIVE..=16.0, "above 0 and at most 16")
    }
}
