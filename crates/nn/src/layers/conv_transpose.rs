//! Transposed convolution: the map that is adjoint to a convolution, for upsampling. Zeiler et al. 2010; Dumoulin & Visin 2016,
//! arXiv:1603.07285.

use super::conv::{biased, check_filters, check_groups, fans, one, one_group, yes, zero};
use super::spatial::{channels_first, channels_last};
use super::window::{check_windows, filter_setters, sights, window_setters, windows_back};
use super::{Layer, Padding, PerAxis, Sight};
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, Role, ShapeError, ops};
use serde::{Deserialize, Serialize};

/// Transposed convolution over one, two or three axes, `x: [B, C, H, W] -> [B, F, H', W']`, also `[B, T, C]` and `[B, C, D, H, W]`.
///
/// Along each axis `out = (in - 1)·stride + (size - 1)·dilation + 1 - padding + output_padding`: what a convolution with the same settings
/// brings back to `in`. A stride of more than 1 leaves the size open; `output_padding`, below the stride, adds to the end, as in
/// PyTorch. With padding `"same"`, `out = in·stride` as in Keras.
///
/// Parameters `weight: [..size, F / groups, C]`, as TensorFlow keeps them (PyTorch: `[C, F / groups, ..size]`), and `bias: [F]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConvTranspose {
    /// The number of filters, F.
    pub filters: usize,
    /// The size of the window.
    pub size: PerAxis,
    /// From one input's results to the next one's.
    #[serde(default = "one")]
    pub stride: PerAxis,
    /// From one of the window's results to the next.
    #[serde(default = "one")]
    pub dilation: PerAxis,
    /// Groups of channels.
    #[serde(default = "one_group")]
    pub groups: usize,
    /// What is left out around the result.
    #[serde(default)]
    pub padding: Padding,
    /// More at the end of the result.
    #[serde(default = "none")]
    pub output_padding: PerAxis,
    /// The function applied to the result.
    #[serde(default)]
    pub activation: AnyActivation,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weights start.
    #[serde(default)]
    pub weight_init: AnyInit,
    /// How the biases start: at zero.
    #[serde(default = "zero")]
    pub bias_init: AnyInit,
}

fn none() -> PerAxis {
    PerAxis::All(0)
}

impl ConvTranspose {
    /// So many filters of a size, stride 1.
    pub fn new(filters: usize, size: impl Into<PerAxis>) -> ConvTranspose {
        ConvTranspose {
            filters,
            size: size.into(),
            stride: one(),
            dilation: one(),
            groups: 1,
            padding: Padding::VALID,
            output_padding: none(),
            activation: AnyActivation::default(),
            bias: true,
            weight_init: AnyInit::default(),
            bias_init: zero(),
        }
    }
}

window_setters!(ConvTranspose);
filter_setters!(ConvTranspose);

impl Config for ConvTranspose {
    fn examples() -> Vec<ConvTranspose> {
        vec![
            ConvTranspose::new(4, 3).stride(2).padding(Padding::SAME),
            ConvTranspose {
                stride: 2.into(),
                padding: Padding::Number(1.into()),
                output_padding: 1.into(),
                ..ConvTranspose::new(2, 3)
            },
        ]
    }
}

impl Layer for ConvTranspose {
    fn build(&self, x: &Node) -> Node {
        let spatial = match channels_last(x, "conv_transpose", 1..=3) {
            Ok(spatial) => spatial,
            Err(refused) => return refused,
        };
        let checked = check_groups(spatial.channels, self.filters, self.groups);
        let ConvTranspose { size, stride, dilation, padding, output_padding: more, .. } = self;
        let back = || windows_back(&spatial.sizes, size, stride, dilation, padding, more);
        let (windows, inputs) = match checked.and_then(|()| back()) {
            Ok(found) => found,
            Err(error) => return x.graph().refuse("conv_transpose", error),
        };
        let positions: Vec<usize> = windows.iter().map(|window| window.size).collect();
        let filters = self.filters / self.groups;
        let fans = fans(&positions, spatial.channels / self.groups, filters);
        let init = self.weight_init.resolve(&self.activation);
        let shape = [&positions[..], &[filters, spatial.channels]].concat();
        let weight = x.param("weight", &shape[..], init.with(fans), Role::Weight);
        let op = ops::ConvInput { windows, groups: self.groups, inputs };
        let y = x.graph().apply(op, &[&spatial.x, &weight]);
        let y = biased(y, self.bias.then_some(&self.bias_init), fans);
        self.activation.activate(&channels_first(&y))
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        sights(sizes.len(), &self.size, &self.stride, &self.dilation, true)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check_windows(&self.size, Some(&self.stride), &self.dilation)?;
        check::at_least_one("groups", self.groups)?;
        check_filters(self.filters, &self.activation, [&self.weight_init, &self.bias_init])
    }
}
