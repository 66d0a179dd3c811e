//! The largest element of each window. Its gradient goes to the first of several equal ones; windows may overlap.

use crate::onnx::{
    Attribute, OnnxNode, OnnxOp, Refusal, Traced, Value, Windows, Writer, Written, channels_last, channels_second,
};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, PoolAxis, Window};
use gradus_kernels::instr::Pooling;
use gradus_tensor::{Dim, Shape};

/// The largest element of each window, `[B, ..inputs, C] -> [B, ..outputs, C]`. Padding never wins; NaN does. The gradient goes to the
/// first of several equal elements, in order of the axes.
#[derive(Clone, Debug)]
pub struct MaxPool {
    /// One for each axis between the first and the last.
    pub axes: Vec<PoolAxis>,
}

impl OpDef for MaxPool {
    const NAME: &'static str = "max_pool";
    const ONNX: &'static [OnnxOp] = &[
        OnnxOp { name: "MaxPool", read },
        OnnxOp { name: "GlobalMaxPool", read: |n| global(n, |x, axes| x.max(axes)) },
    ];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        PoolAxis::pooled(&self.axes, x[0])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let back = super::MaxPoolReturn { axes: self.axes.clone() };
        vec![Grad::Flow(dy.graph().apply(back, &[&x[0], dy]))]
    }

    fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Kernel {
        kernel(Pooling::Max, PoolAxis::all_over(&self.axes, &x[0], y))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        written_pool(w, &x[0], &self.axes, y, "MaxPool", vec![], "ReduceMax")
    }

    fn cases() -> Vec<Case> {
        cases().into_iter().map(|(axes, x, _)| Case::new(MaxPool { axes }, [x])).collect()
    }
}

/// A pooling over windows. Bins that do not share out their axis evenly are reduced one after the other.
pub(super) fn written_pool(
    w: &mut Writer,
    x: &Written,
    axes: &[PoolAxis],
    y: &Shape,
    operator: &'static str,
    more: Vec<(&'static str, Attribute)>,
    reduction: &'static str,
) -> Result<Written, Refusal> {
    let sizes = x.shape.at(1);
    let window = |(axis, &input): (&PoolAxis, &usize)| match *axis {
        PoolAxis::Window(window) => window,
        PoolAxis::Bins(bins) if input.is_multiple_of(bins) => Window::new(input / bins).stride(input / bins),
        PoolAxis::Bins(_) => Window::new(1),
    };
    let windows: Vec<Window> = axes.iter().zip(&sizes[1..]).map(window).collect();
    let mut dims = x.shape.dims().to_vec();
    let mut uneven = vec![];
    for (i, axis) in axes.iter().enumerate() {
        match *axis {
            PoolAxis::Bins(bins) if !sizes[i + 1].is_multiple_of(bins) => uneven.push((i + 1, bins)),
            _ => dims[i + 1] = y.dims()[i + 1],
        }
    }
    let mut pooled = w.real(x);
    if uneven.len() < axes.len() {
        if operator == "AveragePool" && w.version < 19 && windows.iter().any(|window| window.dilation > 1) {
            return Err("means of windows with gaps need version 19 of the operators".into());
        }
        let mut attributes = super::conv::written_windows(&windows);
        if operator == "AveragePool" && w.version < 19 {
            attributes.retain(|(name, _)| *name != "dilations");
        }
        attributes.extend(more);
        let image = channels_second(y.rank());
        let name = w.ordered(&pooled, &image);
        let shape = Shape::new(dims);
        pooled = w.node(operator, vec![name], attributes, &shape, gradus_tensor::Kind::F32).in_order(image);
    }
    uneven.into_iter().try_fold(pooled, |x, (axis, bins)| written_bins(w, &x, axis, bins, reduction))
}

/// Bins of one axis, each as a slice that is reduced.
fn written_bins(
    w: &mut Writer,
    x: &Written,
    axis: usize,
    bins: usize,
    reduction: &'static str,
) -> Result<Written, Refusal> {
    let input = x.shape.at(1)[axis];
    let sized = |size: usize| {
        let mut dims = x.shape.dims().to_vec();
        dims[axis] = Dim::Fixed(size);
        Shape::new(dims)
    };
    let mut parts = vec![];
    for bin in 0..bins {
        let (start, stop) = (bin * input / bins, ((bin + 1) * input).div_ceil(bins));
        let slice =
            super::Slice { axis, start, stop, step: 1 }.onnx(w, std::slice::from_ref(x), &sized(stop - start))?;
        let part = w.reduction(reduction, &slice, &[axis], &sized(1));
        parts.push(w.as_is(&part));
    }
    let place = vec![("axis", Attribute::Int(x.place(axis)))];
    Ok(w.node("Concat", parts, place, &sized(bins), gradus_tensor::Kind::F32).ordered_as(x))
}

/// MaxPool: over padded windows in which padding never wins.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    if n.outputs.get(1) == Some(&true) {
        return with_indices(n);
    }
    let windows = Windows::of(n, None)?.pooled(n)?;
    let axes: Vec<PoolAxis> = windows.into_iter().map(|(window, _)| window.into()).collect();
    Ok(vec![Value::Traced(Traced { node: n.image(0)?.max_pool(&axes), kind: n.kind(0)?, last: true })])
}

/// MaxPool with the places of the largest elements in the whole input, flat: the places are pooled by the same comparison.
fn with_indices(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let windows = Windows::of(n, None)?.pooled(n)?;
    let axes: Vec<PoolAxis> = windows.into_iter().map(|(window, _)| window.into()).collect();
    let (x, shape) = (n.image(0)?, n.shape(0)?);
    let fixed: Vec<usize> = shape.dims().iter().map(|d| d.fixed()).collect::<Option<_>>().ok_or_else(|| {
        ShapeError::new("an input of fixed size", shape.to_string(), "give the input a fixed batch size")
    })?;
    let spatial = 2..fixed.len();
    let columns_first = n.int("storage_order")?.unwrap_or(0) != 0;
    let mut strides = vec![1; fixed.len()];
    let order: Vec<usize> = if columns_first { spatial.collect() } else { spatial.rev().collect() };
    let mut stride = 1;
    for axis in order.into_iter().chain([1, 0]) {
        strides[axis] = stride;
        stride *= fixed[axis];
    }
    let graph = x.graph();
    let flat = graph.places(&fixed, &strides).permute(channels_last(fixed.len()));
    let y = x.max_pool(&axes);
    let places = graph.apply(super::MaxPoolPick { axes }, &[&x, &flat]);
    let kind = n.kind(0)?;
    Ok(vec![
        Value::Traced(Traced { node: y, kind, last: true }),
        Value::Traced(Traced { node: places, kind: gradus_tensor::Kind::I64, last: true }),
    ])
}

/// A pooling over all of the spatial axes.
pub(super) fn global(n: &OnnxNode, f: impl FnOnce(&Node, &[isize]) -> Node) -> Result<Vec<Value>, ShapeError> {
    let (x, kind) = (n.image(0)?, n.kind(0)?);
    let axes: Vec<isize> = (1..x.shape().rank() as isize - 1).collect();
    Ok(vec![Value::Traced(Traced { node: f(&x, &axes), kind, last: true })])
}

pub(super) fn kernel(pooling: Pooling, axes: Vec<gradus_kernels::instr::PoolAxis>) -> Kernel {
    Kernel::Pool { pooling, axes, scale: 1.0, average: false }
}

/// Windows, their inputs and their outputs: along one to three axes, overlapping or apart, with gaps, with padding, as bins.
pub(super) fn cases() -> Vec<(Vec<PoolAxis>, Shape, Shape)> {
    let pair = Window::new(2).stride(2).into();
    vec![
        (vec![pair, pair], Shape::batched(&[4, 6, 3]), Shape::batched(&[2, 3, 3])),
        (
            vec![Window::new(3).stride(2).pad(1, 0).into(), Window::new(2).into()],
            Shape::batched(&[5, 4, 2]),
            Shape::batched(&[2, 3, 2]),
        ),
        (vec![Window::new(2).dilation(3).into()], Shape::batched(&[7, 18]), Shape::batched(&[4, 18])),
        (vec![Window::new(1).stride(3).into()], Shape::batched(&[7, 1]), Shape::batched(&[3, 1])),
        (
            vec![Window::new(2).into(), pair, PoolAxis::Bins(2)],
            Shape::fixed(&[2, 3, 2, 5, 2]),
            Shape::fixed(&[2, 2, 1, 2, 2]),
        ),
        (vec![PoolAxis::Bins(2), PoolAxis::Bins(3)], Shape::batched(&[4, 5, 2]), Shape::batched(&[2, 3, 2])),
        (vec![PoolAxis::Bins(2)], Shape::batched(&[6, 2]), Shape::batched(&[2, 2])),
    ]
}
