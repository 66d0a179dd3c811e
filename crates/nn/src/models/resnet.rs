//! Residual networks for small images. He, Zhang, Ren & Sun 2016, arXiv:1512.03385, section 4.2.

use super::Build;
use crate::activations::Relu;
use crate::init::{Distribution, Msra};
use crate::layers::{Activation, AvgPool, BatchNorm, Conv, Dense, GlobalPool, Padding, Residual, ZeroPad};
use crate::table::Config;
use crate::{AnyInit, AnyLayer, check};
use gradus_graph::ShapeError;
use serde::{Deserialize, Serialize};

/// A residual network for images `[B, C, 32, 32]`, `depth = 6n + 2`: a convolution, three stages of n blocks with `filters`, twice and four
/// times as many filters (the later two begin with stride 2), the mean over space, and a dense layer of `classes` outputs.
///
/// A block is conv-norm-relu-conv-norm beside its input, and ReLU of the sum. Parameters for colour and ten classes: depth 8 75,290,
/// 20 269,722, 32 464,154, 56 853,018, as the paper counts with shortcuts that pad; 2,752 more with projections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Resnet {
    /// The number of layers with weights on the longest way: 8, 14, 20, 26, 32, …
    pub depth: usize,
    /// The number of outputs.
    pub classes: usize,
    /// The filters of the first stage.
    pub filters: usize,
    /// What brings the input of a stage to its size.
    pub shortcut: ResnetShortcut,
}

/// What brings the input of a stage to its size.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResnetShortcut {
    /// Every second pixel, and channels of zeros before and after: no parameters (the paper's option A).
    #[default]
    Pad,
    /// A convolution of size 1 and a batch norm (option B).
    Project,
}

impl Resnet {
    /// Of this depth, for so many classes.
    pub fn new(depth: usize, classes: usize) -> Resnet {
        Resnet { depth, classes, ..Resnet::default() }
    }
}

impl Default for Resnet {
    fn default() -> Resnet {
        Resnet { depth: 20, classes: 10, filters: 16, shortcut: ResnetShortcut::Pad }
    }
}

impl Config for Resnet {
    fn examples() -> Vec<Resnet> {
        vec![Resnet::default(), Resnet { shortcut: ResnetShortcut::Project, filters: 4, ..Resnet::new(8, 3) }]
    }
}

/// A convolution before a norm and ReLU: no bias, and a start that suits ReLU.
pub(super) fn conv(filters: usize, size: usize, stride: usize) -> AnyLayer {
    let msra = AnyInit::from(Msra { distribution: Distribution::Normal, ..Msra::default() });
    Conv::new(filters, size).stride(stride).padding(Padding::SAME).no_bias().weight_init(msra).into()
}

pub(super) fn norm() -> AnyLayer {
    BatchNorm::default().into()
}

pub(super) fn relu() -> AnyLayer {
    Activation::new(Relu).into()
}

impl Resnet {
    fn block(&self, inputs: usize, filters: usize, stride: usize) -> AnyLayer {
        let layers = [conv(filters, 3, stride), norm(), relu(), conv(filters, 3, 1), norm()];
        let block = Residual::new(layers).activation(Relu);
        if stride == 1 && inputs == filters {
            return block.into();
        }
        let shortcut = match self.shortcut {
            ResnetShortcut::Project => vec![conv(filters, 1, stride), norm()],
            ResnetShortcut::Pad => {
                let more = filters - inputs;
                let channels = [more / 2, more - more / 2];
                vec![AvgPool::new(1).stride(stride).into(), ZeroPad::new([channels, [0, 0], [0, 0]]).into()]
            }
        };
        block.shortcut(shortcut).into()
    }
}

impl Build for Resnet {
    fn layers(&self) -> Vec<AnyLayer> {
        let mut layers = vec![conv(self.filters, 3, 1), norm(), relu()];
        let mut inputs = self.filters;
        for stage in 0..3 {
            let filters = self.filters << stage;
            for block in 0..self.depth.saturating_sub(2) / 6 {
                layers.push(self.block(inputs, filters, if stage > 0 && block == 0 { 2 } else { 1 }));
                inputs = filters;
            }
        }
        layers.extend([GlobalPool::default().into(), Dense::new(self.classes).into()]);
        layers
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("classes", self.classes)?;
        check::at_least_one("filters", self.filters)?;
        if self.depth >= 8 && self.depth % 6 == 2 && self.depth <= 1202 {
            return Ok(());
        }
        let help = "choose 8, 14, 20, 32, 44, 56 or 110";
        Err(ShapeError::new("`depth` of 6n + 2 from 8 to 1202", self.depth.to_string(), help))
    }
}
