//! Which axis holds the channels, and normalising over axes: what the normalisations and dropout share.

use gradus_graph::{Constant, Node, Role, ShapeError};
use gradus_tensor::Dim;

/// The axis of the channels, counted from 0. Where none is named: axis 1 of rows `[B, C]` and images `[B, C, H, W]`, the last of
/// sequences `[B, T, C]`.
///
/// # Errors
/// The poisoned node that reports an axis that does not exist, that is the batch, or whose size is not fixed.
#[track_caller]
pub(crate) fn channel_axis(x: &Node, axis: Option<isize>) -> Result<(usize, usize), Node> {
    let shape = x.shape();
    let rank = shape.rank() as isize;
    let named = axis.unwrap_or(if rank == 3 { 2 } else { 1 });
    let axis = if named < 0 { named + rank } else { named };
    let size = usize::try_from(axis).ok().and_then(|axis| shape.dims().get(axis)).and_then(|dim| dim.fixed());
    match size {
        Some(size) if axis >= 1 => Ok((axis as usize, size)),
        _ => {
            let received = format!("axis {named} of {shape}");
            let help = "set `axis` to the axis of the channels, or flatten the input to [B, C]";
            Err(x.graph().refuse("channels", ShapeError::new("an axis of fixed size behind the batch", received, help)))
        }
    }
}

/// All axes but one, and whether samples alone are left to count over: no axis but the batch and this one is larger than 1.
pub(super) fn others(x: &Node, axis: usize) -> (Vec<isize>, bool) {
    let shape = x.shape();
    let axes: Vec<usize> = (0..shape.rank()).filter(|&a| a != axis).collect();
    let rows_alone = axes.iter().all(|&a| a == 0 || shape.dims()[a] == Dim::Fixed(1));
    (axes.into_iter().map(|a| a as isize).collect(), rows_alone)
}

/// One number for each channel, `[C]`, under a shape that broadcasts against `x` along `axis`.
#[track_caller]
pub(crate) fn along(values: &Node, x: &Node, axis: usize) -> Node {
    let rank = x.shape().rank();
    if axis + 1 == rank {
        return values.clone();
    }
    let mut dims = vec![Dim::Fixed(1); rank - axis];
    dims[0] = Dim::Fixed(values.units());
    values.reshape(dims)
}

/// Mean and biased variance over some axes, which are kept.
pub(super) struct Moments {
    pub(super) mean: Node,
    pub(super) variance: Node,
    /// `x - mean`
    pub(super) centred: Node,
    /// How many elements count; none where all do.
    pub(super) count: Option<Node>,
}

impl Moments {
    /// Of what is there: padding does not count where one of the axes is the mask's.
    #[track_caller]
    pub(super) fn of(x: &Node, axes: &[isize], mask: Option<&Node>) -> Moments {
        let masked = mask.filter(|mask| ascending(x, axes).iter().any(|&axis| axis < mask.shape().rank()));
        let Some(mask) = masked else {
            let mean = x.mean(axes);
            let centred = x - &mean;
            return Moments { variance: centred.square().mean(axes), mean, centred, count: None };
        };
        let mut dims = mask.shape().dims().to_vec();
        dims.resize(x.shape().rank(), Dim::Fixed(1));
        let there = mask.reshape(dims).expand(x.shape());
        let count = there.sum(axes);
        let least = count.maximum(1.0);
        let mean = there.select(x, 0.0).sum(axes) / &least;
        let centred = x - &mean;
        let variance = there.select(centred.square(), 0.0).sum(axes) / least;
        Moments { mean, variance, centred, count: Some(count) }
    }
}

/// `(x - μ)/√(σ² + ε)` with mean and biased variance over some axes, of what is there.
#[track_caller]
pub(super) fn standardize(x: &Node, axes: &[isize], mask: Option<&Node>, eps: f64) -> Node {
    let Moments { centred, variance, .. } = Moments::of(x, axes, mask);
    centred * (variance + eps).rsqrt()
}

/// `γ·x + β` with one pair for each channel.
#[track_caller]
pub(super) fn affine(x: &Node, axis: usize, channels: usize) -> Node {
    let gamma = x.param("gamma", [channels], Constant(1.0), Role::Norm);
    let beta = x.param("beta", [channels], Constant(0.0), Role::Norm);
    x * along(&gamma, x, axis) + along(&beta, x, axis)
}

/// The fixed sizes of some axes in ascending order.
///
/// # Errors
/// The poisoned node that reports an axis that does not exist, that is the batch, or whose size is not fixed.
#[track_caller]
pub(super) fn sizes(x: &Node, axes: &[isize]) -> Result<Vec<usize>, Node> {
    let shape = x.shape();
    let sizes: Option<Vec<usize>> = ascending(x, axes)
        .into_iter()
        .map(|axis| if axis == 0 { None } else { shape.dims().get(axis).and_then(|dim| dim.fixed()) })
        .collect();
    sizes.ok_or_else(|| {
        let (expected, received) = ("axes of fixed size behind the batch", format!("axes {axes:?} of {shape}"));
        x.graph().refuse("axes", ShapeError::new(expected, received, "choose among the input's own axes from 1 on"))
    })
}

/// One number for each element of some axes, under a shape that broadcasts against `x`.
#[track_caller]
pub(super) fn over(values: &Node, x: &Node, axes: &[isize]) -> Node {
    let (shape, axes) = (x.shape(), ascending(x, axes));
    let Some(&first) = axes.first() else { return values.clone() };
    let kept = |axis: usize| if axes.contains(&axis) { shape.dims()[axis] } else { Dim::Fixed(1) };
    let dims: Vec<Dim> = (first..shape.rank()).map(kept).collect();
    if dims.len() == axes.len() { values.clone() } else { values.reshape(dims) }
}

/// Counted from 0; an axis that does not exist becomes one beyond the last.
fn ascending(x: &Node, axes: &[isize]) -> Vec<usize> {
    let rank = x.shape().rank();
    let from_start = |&axis: &isize| if axis < 0 { axis + rank as isize } else { axis };
    let mut axes: Vec<usize> = axes.iter().map(|a| usize::try_from(from_start(a)).unwrap_or(rank)).collect();
    axes.sort_unstable();
    axes.dedup();
    axes
}

/// At least one axis, and not the batch.
pub(super) fn check(axes: &[isize]) -> Result<(), ShapeError> {
    if !axes.is_empty() && !axes.contains(&0) {
        return Ok(());
    }
    let help = "name the axes to normalise over, `axes = [-1]` for the last";
    Err(ShapeError::new("`axes` of at least one axis behind the batch", format!("{axes:?}"), help))
}
