//! Depthwise-separable convolution: each channel over space by itself, then all channels at each place. Chollet 2017,
//! arXiv:1610.02357.

use super::conv::{one, yes};
use super::window::{check_windows, filter_setters, sights, window_setters};
use super::{Conv, Layer, LayerExt, Padding, PerAxis, Sight};
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// A depthwise convolution (each channel with `multiplier` filters of its own, no bias) and a pointwise one over all of them:
/// `x: [B, C, H, W] -> [B, F, H', W']`, also `[B, T, C]` and `[B, C, D, H, W]`. Some `size²` times fewer operations than a full one.
///
/// Nothing stands between the two, as in Keras and in Chollet's paper; MobileNet puts normalisation and an activation there: write
/// its two convolutions as `conv` layers. Without `filters` there is no pointwise part: a plain depthwise convolution.
///
/// Parameters `depthwise/weight: [..size, 1, C·multiplier]`, `pointwise/weight: [1.., C·multiplier, F]` and the bias of the last part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeparableConv {
    /// The number of filters of the pointwise part; left out, there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filters: Option<usize>,
    /// The size of the window.
    pub size: PerAxis,
    /// Filters for each channel.
    #[serde(default = "super::conv::one_group")]
    pub multiplier: usize,
    /// How far the window moves.
    #[serde(default = "one")]
    pub stride: PerAxis,
    /// From one of its inputs to the next.
    #[serde(default = "one")]
    pub dilation: PerAxis,
    /// Zeros around the input.
    #[serde(default)]
    pub padding: Padding,
    /// The function applied to the result.
    #[serde(default)]
    pub activation: AnyActivation,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weights of both parts start.
    #[serde(default)]
    pub weight_init: AnyInit,
}

impl SeparableConv {
    /// A separable convolution with so many filters.
    pub fn new(filters: usize, size: impl Into<PerAxis>) -> SeparableConv {
        SeparableConv { filters: Some(filters), ..SeparableConv::depthwise(size) }
    }

    /// A depthwise convolution alone.
    pub fn depthwise(size: impl Into<PerAxis>) -> SeparableConv {
        SeparableConv {
            filters: None,
            size: size.into(),
            multiplier: 1,
            stride: one(),
            dilation: one(),
            padding: Padding::VALID,
            activation: AnyActivation::default(),
            bias: true,
            weight_init: AnyInit::default(),
        }
    }
}

window_setters!(SeparableConv);
filter_setters!(SeparableConv);

impl Config for SeparableConv {
    fn examples() -> Vec<SeparableConv> {
        vec![
            SeparableConv { padding: Padding::SAME, ..SeparableConv::new(4, 3) },
            SeparableConv { stride: 2.into(), multiplier: 2, bias: false, ..SeparableConv::depthwise(2) },
        ]
    }
}

/// A part under a name of its own.
struct Part(&'static str, Conv);

impl Layer for Part {
    fn name(&self) -> String {
        self.0.into()
    }

    fn build(&self, x: &Node) -> Node {
        self.1.build(x)
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.1.check()
    }
}

impl Layer for SeparableConv {
    fn build(&self, x: &Node) -> Node {
        let dims = x.shape();
        let axis = if dims.rank() == 3 { 2 } else { 1 };
        let channels = dims.dims().get(axis).and_then(|d| d.fixed()).unwrap_or(1);
        let last = self.filters.is_none();
        let depthwise = Conv {
            stride: self.stride.clone(),
            dilation: self.dilation.clone(),
            groups: channels,
            padding: self.padding.clone(),
            activation: if last { self.activation.clone() } else { AnyActivation::default() },
            bias: last && self.bias,
            weight_init: self.weight_init.clone(),
            ..Conv::new(channels.saturating_mul(self.multiplier), self.size.clone())
        };
        let y = x.layer(Part("depthwise", depthwise));
        let Some(filters) = self.filters else { return y };
        let pointwise = Conv {
            activation: self.activation.clone(),
            bias: self.bias,
            weight_init: self.weight_init.clone(),
            ..Conv::new(filters, 1)
        };
        y.layer(Part("pointwise", pointwise))
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        sights(sizes.len(), &self.size, &self.stride, &self.dilation, false)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check_windows(&self.size, Some(&self.stride), &self.dilation)?;
        self.filters.map_or(Ok(()), |filters| check::at_least_one("filters", filters))?;
        check::at_least_one("multiplier", self.multiplier)?;
        self.activation.check()?;
        self.weight_init.check()
    }
}
