//! Transposed convolution: the map that is adjoint to a convolution, for upsampling. Zeiler et al. 2010; Dumoulin & Visin 2016,
//! arXiv:1603.07285.

use super::conv::{check_groups, one, one_group, yes, zero};
use super::spatial::{channels_first, channels_last};
use super::{Layer, Padding, PaddingRule, PerAxis};
use crate::init::Fans;
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, Role, ShapeError, Window, ops};
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

    /// The windows of the convolution that leads back, and the sizes of the result.
    fn windows(&self, inputs: &[usize]) -> Result<(Vec<Window>, Vec<usize>), ShapeError> {
        let axes = inputs.len();
        let size = self.size.over("size", axes)?;
        let stride = self.stride.over("stride", axes)?;
        let dilation = self.dilation.over("dilation", axes)?;
        let more = self.output_padding.over("output_padding", axes)?;
        let pads = match &self.padding {
            Padding::Rule(_) => vec![[0, 0]; axes],
            Padding::Number(number) => number.over("padding", axes)?.into_iter().map(|pad| [pad, pad]).collect(),
            Padding::Pairs(pairs) => pairs.clone(),
        };
        let help = "correct the settings, or pad and crop around the layer";
        if pads.len() != axes {
            let expected = format!("`padding` as {axes} pairs [before, after]");
            return Err(ShapeError::new(expected, format!("{pads:?}"), "give one pair for each spatial axis"));
        }
        let mut found = (vec![], vec![]);
        for k in 0..axes {
            let window = Window::new(size[k]).stride(stride[k]).dilation(dilation[k]);
            let (window, output) = match self.padding {
                Padding::Rule(PaddingRule::Same) => {
                    let output = inputs[k] * stride[k] + more[k];
                    (window.same(output, false), output)
                }
                Padding::Rule(PaddingRule::SameLower) => {
                    let output = inputs[k] * stride[k] + more[k];
                    (window.same(output, true), output)
                }
                _ => {
                    let whole = (inputs[k].max(1) - 1) * stride[k] + window.reach() + more[k];
                    let output = whole.saturating_sub(pads[k][0] + pads[k][1]);
                    (window.pad(pads[k][0], pads[k][1]), output)
                }
            };
            let back = window.outputs(output);
            if output == 0 || back.as_ref().ok() != Some(&inputs[k]) {
                back?;
                let expected = "padding smaller than the result, and `output_padding` below the stride";
                let received = format!("padding {:?}, output_padding {} at stride {}", pads[k], more[k], stride[k]);
                return Err(ShapeError::new(expected, received, help));
            }
            found.0.push(window);
            found.1.push(output);
        }
        Ok(found)
    }
}

impl Config for ConvTranspose {
    fn examples() -> Vec<ConvTranspose> {
        vec![
            ConvTranspose { stride: 2.into(), padding: Padding::SAME, ..ConvTranspose::new(4, 3) },
            ConvTranspose { stride: 2.into(), padding: Padding::Number(1.into()), output_padding: 1.into(), ..ConvTranspose::new(2, 3) },
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
        let (windows, inputs) = match checked.and_then(|()| self.windows(&spatial.sizes)) {
            Ok(found) => found,
            Err(error) => return x.graph().refuse("conv_transpose", error),
        };
        let positions: Vec<usize> = windows.iter().map(|window| window.size).collect();
        let field: usize = positions.iter().product();
        let filters = self.filters / self.groups;
        let fans = Fans { inputs: field * spatial.channels / self.groups, outputs: field * filters };
        let init = self.weight_init.resolve(&self.activation);
        let shape = [&positions[..], &[filters, spatial.channels]].concat();
        let weight = x.param("weight", &shape[..], init.with(fans), Role::Weight);
        let op = ops::ConvInput { windows, groups: self.groups, inputs };
        let y = x.graph().apply(op, &[&spatial.x, &weight]);
        let y = if self.bias {
            y + x.param("bias", [self.filters], self.bias_init.with(fans), Role::Bias)
        } else {
            y
        };
        self.activation.activate(&channels_first(&y))
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("filters", self.filters)?;
        check::at_least_one("groups", self.groups)?;
        self.activation.check()?;
        self.weight_init.check()?;
        self.bias_init.check()
    }
}
