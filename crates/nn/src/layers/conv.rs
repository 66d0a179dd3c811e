//! Convolution over sequences, images or volumes, `y = activation(w ∗ x + b)`. LeCun et al. 1989, 1998.

use super::spatial::{channels_first, channels_last};
use super::window::{check_windows, filter_setters, sights, window_setters, windows};
use super::{Layer, Padding, PerAxis, Sight};
use crate::init::{Fans, Zero};
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, Role, ShapeError, Window, ops};
use serde::{Deserialize, Serialize};

/// Convolution over one, two or three axes, as the input has them: `x: [B, T, C] -> [B, T', F]`,
/// `[B, C, H, W] -> [B, F, H', W']` or `[B, C, D, H, W] -> [B, F, D', H', W']`.
///
/// Along each axis `out = ⌊(in + padding - (size - 1)·dilation - 1) / stride⌋ + 1`. It is a correlation: weights are not flipped, as in
/// all frameworks. `padding` is `"valid"` (none), `"same"` (`⌈in / stride⌉` outputs, an odd rest at the end as in TensorFlow),
/// `"same_lower"`, a number as in PyTorch, one for each axis, or pairs `[before, after]`. With `groups`, the filters of a group see
/// its channels alone; as many groups as channels is a depthwise convolution. Size 1 is a pointwise one, a dense layer at every place; a
/// size as large as the input equals a dense layer over it.
///
/// Parameters `weight: [..size, C / groups, F]`, as TensorFlow keeps them (PyTorch: `[F, C / groups, ..size]`), and `bias: [F]`. For
/// initialisations, `n_in` is the receptive field × C / groups.
///
/// ```
/// use gradus_graph::Graph;
/// use gradus_nn::{LayerExt, layers::{Conv, Padding}};
/// let y = Graph::new().input("x", [3, 32, 32]).layer(Conv::new(16, 3).stride(2).padding(Padding::SAME).relu());
/// assert_eq!(y.shape().to_string(), "[B, 16, 16, 16]");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv {
    /// The number of filters, F.
    pub filters: usize,
    /// The size of the window.
    pub size: PerAxis,
    /// How far it moves.
    #[serde(default = "one")]
    pub stride: PerAxis,
    /// From one of its inputs to the next.
    #[serde(default = "one")]
    pub dilation: PerAxis,
    /// Groups of channels.
    #[serde(default = "one_group")]
    pub groups: usize,
    /// Zeros around the input.
    #[serde(default)]
    pub padding: Padding,
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

pub(super) fn one() -> PerAxis {
    PerAxis::All(1)
}

pub(super) fn one_group() -> usize {
    1
}

pub(super) fn yes() -> bool {
    true
}

pub(super) fn zero() -> AnyInit {
    Zero.into()
}

impl Conv {
    /// So many filters of a size, stride 1, no padding.
    pub fn new(filters: usize, size: impl Into<PerAxis>) -> Conv {
        Conv {
            filters,
            size: size.into(),
            stride: one(),
            dilation: one(),
            groups: 1,
            padding: Padding::VALID,
            activation: AnyActivation::default(),
            bias: true,
            weight_init: AnyInit::default(),
            bias_init: zero(),
        }
    }

    /// With groups of channels.
    pub fn groups(mut self, groups: usize) -> Conv {
        self.groups = groups;
        self
    }

    /// The windows over an input of these sizes.
    ///
    /// # Errors
    /// If a list of settings has not one number for each axis, a number is 0, or a window is larger than its padded input.
    pub fn windows(&self, inputs: &[usize]) -> Result<Vec<Window>, ShapeError> {
        windows(inputs, &self.size, &self.stride, &self.dilation, &self.padding)
    }
}

window_setters!(Conv);
filter_setters!(Conv);

impl Config for Conv {
    fn examples() -> Vec<Conv> {
        vec![
            Conv::new(4, 3).padding(Padding::SAME).relu(),
            Conv::new(4, 2).stride(2).groups(2).no_bias(),
            Conv::new(2, 2).dilation(2).padding(Padding::Pairs(vec![[1, 0]])),
        ]
    }
}

/// Groups must divide channels and filters.
pub(super) fn check_groups(channels: usize, filters: usize, groups: usize) -> Result<(), ShapeError> {
    if groups > 0 && channels.is_multiple_of(groups) && filters.is_multiple_of(groups) {
        return Ok(());
    }
    let expected = format!("channels and filters that can be divided by `groups` = {groups}");
    let help = "choose groups that divide both, 1 for an ordinary convolution";
    Err(ShapeError::new(expected, format!("{channels} channels, {filters} filters"), help))
}

/// Inputs and outputs of one window: its positions times channels, and times filters.
pub(super) fn fans(positions: &[usize], channels: usize, filters: usize) -> Fans {
    let times = |n: usize| positions.iter().fold(n, |n, &positions| n.saturating_mul(positions));
    Fans { inputs: times(channels), outputs: times(filters) }
}

/// With a bias for each filter, along the last axis, if it starts in some way.
#[track_caller]
pub(super) fn biased(y: Node, init: Option<&AnyInit>, fans: Fans) -> Node {
    match init {
        Some(init) if !y.is_poisoned() => &y + y.param("bias", [y.units()], init.with(fans), Role::Bias),
        _ => y,
    }
}

/// What is wrong with the settings that convolutions share.
pub(super) fn check_filters(
    filters: usize,
    activation: &AnyActivation,
    inits: [&AnyInit; 2],
) -> Result<(), ShapeError> {
    check::at_least_one("filters", filters)?;
    activation.check()?;
    inits.iter().try_for_each(|init| init.check())
}

impl Layer for Conv {
    fn build(&self, x: &Node) -> Node {
        let spatial = match channels_last(x, "conv", 1..=3) {
            Ok(spatial) => spatial,
            Err(refused) => return refused,
        };
        let checked = check_groups(spatial.channels, self.filters, self.groups);
        let windows = match checked.and_then(|()| self.windows(&spatial.sizes)) {
            Ok(windows) => windows,
            Err(error) => return x.graph().refuse("conv", error),
        };
        let positions: Vec<usize> = windows.iter().map(|window| window.size).collect();
        let channels = spatial.channels / self.groups;
        let fans = fans(&positions, channels, self.filters / self.groups);
        let init = self.weight_init.resolve(&self.activation);
        let shape = [&positions[..], &[channels, self.filters]].concat();
        let weight = x.param("weight", &shape[..], init.with(fans), Role::Weight);
        let y = x.graph().apply(ops::Conv { windows, groups: self.groups }, &[&spatial.x, &weight]);
        let y = biased(y, self.bias.then_some(&self.bias_init), fans);
        self.activation.activate(&channels_first(&y))
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
        check::at_least_one("groups", self.groups)?;
        check_filters(self.filters, &self.activation, [&self.weight_init, &self.bias_init])
    }
}
