//! Convolution whose windows bend to the image. Dai et al. 2017, arXiv:1703.06211; Zhu et al. 2019, arXiv:1811.11168.

use super::conv::{biased, check_filters, fans, one, one_group, yes, zero};
use super::spatial::{Spatial, channels_first, channels_last};
use super::window::{check_windows, filter_setters, sights, window_setters, windows};
use super::{Layer, Padding, PerAxis, Sight};
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, Role, ShapeError, Window, ops};
use gradus_tensor::{Dim, Shape};
use serde::{Deserialize, Serialize};

/// Deformable convolution, `x: [B, C, H, W] -> [B, filters, H', W']`: `y(p) = Σₖ wₖ·x(p + pₖ + Δpₖ)` where an ordinary convolution has
/// `x(p + pₖ)`. The offsets Δpₖ of every place come from an ordinary convolution of the same window over `x` and are learnt with it;
/// places between pixels are read by linear interpolation, places outside as 0.
///
/// With `modulated` (version 2) every read is also weighted by a number between 0 and 1, `mₖ = σ(..)` from the same convolution. Both start
/// at zero: version 1 starts as the ordinary convolution, version 2 as half of it. `weight: [kh, kw, C, filters]`, `bias: [filters]`;
/// `offset/weight: [kh, kw, C, 2·G·K]` (`3·G·K` modulated) for G offset groups and K places of a window: (row, column) for each place of
/// each group, then the weights of the reads. With more than one group, each of G parts of the channels has offsets of its own.
/// Sizes and order are those of torchvision's `deform_conv2d`, which takes offsets and `m` as arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeformConv {
    /// The number of output channels.
    pub filters: usize,
    /// The size of a window: one number, or one for each axis.
    #[serde(default = "three")]
    pub size: PerAxis,
    /// From one window to the next.
    #[serde(default = "one")]
    pub stride: PerAxis,
    /// From one place of a window to the next.
    #[serde(default = "one")]
    pub dilation: PerAxis,
    /// What lies around the input: `"valid"` (nothing), `"same"`, `"same_lower"`, or numbers of zeros.
    #[serde(default)]
    pub padding: Padding,
    /// Weigh every read (version 2).
    #[serde(default = "yes")]
    pub modulated: bool,
    /// Parts of the channels with offsets of their own.
    #[serde(default = "one_group")]
    pub offset_groups: usize,
    /// The function applied to the outputs; the identity where none is named.
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

fn three() -> PerAxis {
    3.into()
}

impl DeformConv {
    /// So many filters of this size, modulated.
    pub fn new(filters: usize, size: impl Into<PerAxis>) -> DeformConv {
        DeformConv {
            filters,
            size: size.into(),
            stride: one(),
            dilation: one(),
            padding: Padding::VALID,
            modulated: true,
            offset_groups: 1,
            activation: AnyActivation::default(),
            bias: true,
            weight_init: AnyInit::default(),
            bias_init: zero(),
        }
    }

    /// Version 1: offsets alone.
    pub fn plain(self) -> DeformConv {
        DeformConv { modulated: false, ..self }
    }

    /// With as many outputs as inputs (at stride 1).
    pub fn same(self) -> DeformConv {
        DeformConv { padding: Padding::SAME, ..self }
    }

    /// What is read, `[B, P, K·C]` for P places of the result.
    fn read(&self, x: &Spatial, windows: &[Window], outputs: &[usize]) -> Node {
        let (groups, g) = (self.offset_groups, x.x.graph());
        let (places, points) = (outputs[0].saturating_mul(outputs[1]), windows[0].size.saturating_mul(windows[1].size));
        let parts: usize = if self.modulated { 3 } else { 2 };
        let filters = (parts * groups).saturating_mul(points);
        let batch = x.x.shape().dims()[0];
        let with = |sizes: &[usize]| {
            Shape::new([batch].into_iter().chain(sizes.iter().map(|&n| Dim::Fixed(n))).collect::<Vec<_>>())
        };
        let learnt = x.x.scope("offset", |x| {
            let channels = x.units();
            let fans = fans(&[points], channels, filters);
            let sizes = [windows[0].size, windows[1].size, channels, filters];
            let weight = x.param("weight", sizes, zero().with(fans), Role::Weight);
            let conv = ops::Conv { windows: windows.to_vec(), groups: 1 };
            x.graph().apply(conv, &[x, &weight]) + x.param("bias", [filters], zero().with(fans), Role::Bias)
        });
        if learnt.is_poisoned() {
            return learnt;
        }
        // Groups beside the batch.
        let Some(sets) = batch.times(Dim::Fixed(groups)) else { return learnt };
        let beside = |y: Node, last: usize| {
            let y = y.reshape(with(&[places, groups, points, last]));
            let y = if groups == 1 { y } else { y.permute([0, 2, 1, 3, 4]) };
            y.reshape(vec![sets, Dim::Fixed(places * points), Dim::Fixed(last)])
        };
        let offset = beside(learnt.slice(-1, 0..2 * groups * points), 2);
        let at = offset + grid(g, windows, outputs);
        let images = if groups == 1 {
            x.x.clone()
        } else {
            let [h, w, each] = [x.sizes[0], x.sizes[1], x.channels / groups].map(Dim::Fixed);
            let split = x.x.reshape(with(&[x.sizes[0], x.sizes[1], groups, x.channels / groups]));
            split.permute([0, 3, 1, 2, 4]).reshape(vec![sets, h, w, each])
        };
        let mut y = images.sample(&at, None);
        if self.modulated {
            y = y * beside(learnt.slice(-1, 2 * groups * points..filters).sigmoid(), 1);
        }
        if groups > 1 {
            y = y.reshape(with(&[groups, places, points, x.channels / groups])).permute([0, 2, 3, 1, 4]);
        }
        y.reshape(with(&[places, points * x.channels]))
    }
}

/// Where an ordinary convolution reads, `[1, P·K, 2]`.
fn grid(g: &gradus_graph::Graph, windows: &[Window], outputs: &[usize]) -> Node {
    let sizes = [outputs[0], outputs[1], windows[0].size, windows[1].size];
    let along = |axis: usize| {
        let window = windows[axis];
        let iota = |axis: usize| {
            let mut own = [1; 4];
            own[axis] = sizes[axis];
            g.apply(ops::Iota { axis, shape: Shape::fixed(&own) }, &[])
        };
        let at = iota(axis) * window.stride as f64 + iota(axis + 2) * window.dilation as f64 - window.before as f64;
        at.expand(Shape::fixed(&sizes)).unsqueeze(4)
    };
    Node::concat(&[&along(0), &along(1)], -1).reshape(Shape::fixed(&[1, sizes.iter().product(), 2]))
}

window_setters!(DeformConv);
filter_setters!(DeformConv);

impl Config for DeformConv {
    fn examples() -> Vec<DeformConv> {
        vec![
            DeformConv::new(4, 3).same(),
            DeformConv::new(2, [2, 3]).plain().activation(crate::activations::Relu),
            DeformConv { offset_groups: 2, dilation: 2.into(), bias: false, ..DeformConv::new(4, 2).stride(2).same() },
        ]
    }
}

impl Layer for DeformConv {
    fn build(&self, x: &Node) -> Node {
        let spatial = match channels_last(x, "deform_conv", 2..=2) {
            Ok(spatial) => spatial,
            Err(refused) => return refused,
        };
        let channels = spatial.channels;
        if !channels.is_multiple_of(self.offset_groups) {
            let expected = format!("channels that {} offset groups divide", self.offset_groups);
            let help = "set `offset_groups` to a divisor of the number of channels";
            return x.graph().refuse("deform_conv", ShapeError::new(expected, channels.to_string(), help));
        }
        let windows = match windows(&spatial.sizes, &self.size, &self.stride, &self.dilation, &self.padding) {
            Ok(windows) => windows,
            Err(error) => return x.graph().refuse("deform_conv", error),
        };
        let outputs: Result<Vec<usize>, ShapeError> =
            windows.iter().zip(&spatial.sizes).map(|(window, &size)| window.outputs(size)).collect();
        let outputs = match outputs {
            Ok(outputs) => outputs,
            Err(error) => return x.graph().refuse("deform_conv", error),
        };
        let fans = fans(&[windows[0].size, windows[1].size], channels, self.filters);
        let init = self.weight_init.resolve(&self.activation);
        let sizes = [windows[0].size, windows[1].size, channels, self.filters];
        let weight = x.param("weight", sizes, init.with(fans), Role::Weight);
        let read = self.read(&spatial, &windows, &outputs);
        if let Some(poisoned) = [&read, &weight].into_iter().find(|node| node.is_poisoned()) {
            return poisoned.clone();
        }
        let y = read.matmul(&weight.reshape(Shape::fixed(&[fans.inputs, self.filters])));
        let y = biased(y, self.bias.then_some(&self.bias_init), fans);
        let [h, w, filters] = [outputs[0], outputs[1], self.filters].map(Dim::Fixed);
        let y = y.reshape(vec![x.shape().dims()[0], h, w, filters]);
        self.activation.activate(&channels_first(&y))
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    /// As long as nothing is moved.
    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        sights(sizes.len(), &self.size, &self.stride, &self.dilation, false)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check_windows(&self.size, Some(&self.stride), &self.dilation)?;
        check::at_least_one("offset_groups", self.offset_groups)?;
        check_filters(self.filters, &self.activation, [&self.weight_init, &self.bias_init])
    }
}
