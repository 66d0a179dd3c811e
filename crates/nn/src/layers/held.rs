//! Layers that hold layers: what the containers share.

use super::{AnyLayer, Layer, apply};
use crate::AnyInit;
use crate::check::Check;
use gradus_graph::{Node, ShapeError};
use gradus_tensor::{Dim, Shape};
use std::borrow::Cow;

/// A chain of layers inside another layer: see [`Layer::held`].
#[derive(Clone, Debug)]
pub struct Held<'a> {
    /// Where the layer's settings have it, as a path of keys and numbers: `layers`, `branches.0`. Empty for layers that no setting lists.
    pub setting: String,
    /// The name of its own scope under the layer's; none where its layers stand in the layer's.
    pub scope: Option<&'static str>,
    /// The layers in order.
    pub layers: Cow<'a, [AnyLayer]>,
    /// How often the chain is built, one after the other.
    pub times: usize,
}

impl<'a> Held<'a> {
    /// Layers that stand in the scope of the layer that holds them, as its setting `layers`.
    pub(crate) fn plain(layers: &'a [AnyLayer]) -> Held<'a> {
        Held { setting: "layers".into(), scope: None, layers: Cow::Borrowed(layers), times: 1 }
    }

    /// The most layers that a repetition may make.
    pub const MOST: usize = 10_000;

    /// How many layers are built of it, those inside of them counted too; `usize::MAX` where that is too small a number for them.
    pub fn count(&self) -> usize {
        let one = |layer: &AnyLayer| layer.held().iter().map(Held::count).fold(1, usize::saturating_add);
        self.layers.iter().map(one).fold(0, usize::saturating_add).saturating_mul(self.times)
    }
}

/// One layer after the other; the input itself for none.
#[track_caller]
pub(super) fn chain(x: &Node, layers: &[AnyLayer]) -> Node {
    layers.iter().fold(x.clone(), |x, layer| apply(&x, layer))
}

/// Passes a start of weights on.
pub(super) fn set_default_init(layers: &mut [AnyLayer], init: &AnyInit) {
    layers.iter_mut().for_each(|layer| layer.set_default_init(init));
}

/// The first of the layers' own complaints.
pub(super) fn check(layers: &[AnyLayer]) -> Check {
    layers.iter().try_for_each(Layer::check)
}

/// At least one layer, and what each says of itself.
pub(super) fn check_some(layers: &[AnyLayer]) -> Check {
    if layers.is_empty() {
        let help = "name the layers in order, `layers = [ { dense = { units = 10 } } ]`";
        return Err(ShapeError::new("`layers` of at least one layer", "none", help));
    }
    check(layers)
}

/// The layer that brings values of shape `from` to shape `to`, as a recipe writes it, if a plain one does.
pub(super) fn projection(from: &Shape, to: &Shape) -> Option<String> {
    let fixed = |shape: &Shape| shape.dims().iter().skip(1).map(|dim| dim.fixed()).collect::<Option<Vec<usize>>>();
    let (from, to) = (fixed(from)?, fixed(to)?);
    let stride = |from: usize, to: usize| (1..=from).find(|stride| from.div_ceil(*stride) == to);
    match (&from[..], &to[..]) {
        ([_], [units]) => Some(format!("{{ dense = {{ units = {units} }} }}")),
        ([t, _], [out, units]) if t == out => Some(format!("{{ dense = {{ units = {units} }} }}")),
        ([t, _], [out, filters]) => {
            let stride = stride(*t, *out)?;
            Some(format!("{{ conv = {{ filters = {filters}, size = 1, stride = {stride} }} }}"))
        }
        ([_, h, w], [filters, out_h, out_w]) => {
            let (down, right) = (stride(*h, *out_h)?, stride(*w, *out_w)?);
            let stride = if down == right { down.to_string() } else { format!("[{down}, {right}]") };
            Some(format!("{{ conv = {{ filters = {filters}, size = 1, stride = {stride} }} }}"))
        }
        _ => None,
    }
}

/// The axis along which channels are joined: the named one, else the channels', 1 of `[B, C]` and `[B, C, H, W]`, the last of
/// `[B, T, C]`. Counted from 0.
///
/// # Errors
/// The poisoned node that reports an axis that does not exist or is the batch.
#[track_caller]
pub(super) fn joined_axis(x: &Node, axis: Option<isize>) -> Result<usize, Node> {
    let rank = x.shape().rank() as isize;
    let named = axis.unwrap_or(if rank == 3 { 2 } else { 1 });
    let from_start = if named < 0 { named + rank } else { named };
    if (1..rank).contains(&from_start) {
        return Ok(from_start as usize);
    }
    let (expected, received) = ("`axis` of an axis behind the batch", format!("{named} for {}", x.shape()));
    Err(x.graph().refuse("concat", ShapeError::new(expected, received, "correct the setting `axis`")))
}

/// The first of several ends that cannot be joined to the first of them along an axis.
pub(super) fn misfit(ends: &[Node], axis: usize) -> Option<usize> {
    let others = |node: &Node| {
        let mut dims = node.shape().dims().to_vec();
        if axis < dims.len() {
            dims[axis] = Dim::Fixed(0);
        }
        dims
    };
    let first = ends.first().map(others)?;
    ends.iter().position(|end| others(end) != first)
}
