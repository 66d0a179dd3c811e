//! Nodes: values of a graph under construction, with the operators and functions of a formula.
//!
//! Axes are counted from 0, or from the end with negative numbers. Reductions keep the reduced axis with size 1, so that their
//! results broadcast against their input; [`Node::squeeze`] drops it.

use crate::graph::Graph;
use crate::model::NodeId;
use crate::op::CustomOp;
use crate::ops::{self, Comparison};
use crate::{Init, Kind, Op, Role, ShapeError};
use gradus_tensor::{Dim, Shape};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// A value of a graph: the shared graph and an index. Cheap to clone.
#[derive(Clone)]
pub struct Node {
    pub(crate) graph: Graph,
    pub(crate) id: NodeId,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "%{} {}", self.id, self.shape())
    }
}

/// A node, or a number that becomes a constant beside one.
pub trait IntoNode {
    /// The node, in the graph of `other`.
    fn into_node(self, other: &Node) -> Node;
}

impl IntoNode for &Node {
    fn into_node(self, _other: &Node) -> Node {
        self.clone()
    }
}

impl IntoNode for Node {
    fn into_node(self, _other: &Node) -> Node {
        self
    }
}

impl IntoNode for f64 {
    #[track_caller]
    fn into_node(self, other: &Node) -> Node {
        other.graph.scalar(self)
    }
}

/// One axis or several, negative ones counted from the end.
pub trait Axes {
    /// The axes as given.
    fn axes(&self) -> Vec<isize>;
}

impl Axes for isize {
    fn axes(&self) -> Vec<isize> {
        vec![*self]
    }
}

impl Axes for i32 {
    fn axes(&self) -> Vec<isize> {
        vec![*self as isize]
    }
}

impl<const N: usize> Axes for [isize; N] {
    fn axes(&self) -> Vec<isize> {
        self.to_vec()
    }
}

impl Axes for &[isize] {
    fn axes(&self) -> Vec<isize> {
        self.to_vec()
    }
}

macro_rules! unary {
    ($($(#[$doc:meta])* $method:ident $Op:ident),* $(,)?) => {
        impl Node { $($(#[$doc])* #[track_caller] pub fn $method(&self) -> Node { self.graph.apply(ops::$Op, &[self]) })* }
    };
}

unary! {
    /// |x|
    abs Abs,
    /// -1, 0 or 1.
    sign Sign,
    /// ⌊x⌋
    floor Floor,
    /// eˣ
    exp Exp,
    /// eˣ - 1, exact near 0.
    expm1 Expm1,
    /// Natural logarithm.
    log Log,
    /// ln(1 + x), exact near 0.
    log1p Log1p,
    /// √x
    sqrt Sqrt,
    /// 1/√x
    rsqrt Rsqrt,
    /// 1/x
    recip Recip,
    /// x²
    square Square,
    /// Hyperbolic tangent.
    tanh Tanh,
    /// 1/(1 + e⁻ˣ)
    sigmoid Sigmoid,
    /// The error function.
    erf Erf,
    /// ln(1 + eˣ)
    softplus Softplus,
    /// Sine of an angle in radians.
    sin Sin,
    /// Cosine of an angle in radians.
    cos Cos,
    /// max(x, 0)
    relu Relu,
    /// The same value, through which no gradient flows.
    stop_gradient StopGradient,
}

macro_rules! compare {
    ($($(#[$doc:meta])* $method:ident $relation:ident),* $(,)?) => {
        impl Node { $(
            $(#[$doc])*
            #[track_caller]
            pub fn $method(&self, other: impl IntoNode) -> Node {
                let other = other.into_node(self);
                self.graph.apply(ops::Compare { relation: Comparison::$relation }, &[self, &other])
            }
        )* }
    };
}

compare! {
    /// 1 where this equals the other, else 0.
    eq Equal,
    /// 1 where this differs from the other, else 0.
    ne NotEqual,
    /// 1 where this is less than the other, else 0.
    lt Less,
    /// 1 where this is at most the other, else 0.
    le LessOrEqual,
    /// 1 where this is greater than the other, else 0.
    gt Greater,
    /// 1 where this is at least the other, else 0.
    ge GreaterOrEqual,
}

impl Node {
    /// The graph it belongs to.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Its index in [`Model::nodes`](crate::Model::nodes), which it keeps when a model is extended: see [`Graph::node`].
    pub fn id(&self) -> NodeId {
        self.id
    }

    /// Its shape; `[]` once something upstream was wrong.
    pub fn shape(&self) -> Shape {
        self.graph.0.borrow().nodes[self.id].shape.clone()
    }

    /// What its numbers mean.
    pub fn kind(&self) -> Kind {
        self.graph.0.borrow().nodes[self.id].kind
    }

    /// What it computes.
    pub fn op(&self) -> Op {
        self.graph.0.borrow().nodes[self.id].op.clone()
    }

    /// Whether something upstream was wrong; [`Graph::model`] reports it.
    pub fn is_poisoned(&self) -> bool {
        matches!(self.op(), Op::Poison)
    }

    /// The size of the last axis: the number of features of `[.., D]`. 1 for a scalar.
    pub fn units(&self) -> usize {
        self.shape().dims().last().and_then(|d| d.fixed()).unwrap_or(1)
    }

    /// A variable under the current scope's path, see [`Graph::variable`].
    #[track_caller]
    pub fn param(&self, name: &str, shape: impl AsRef<[usize]>, init: impl Init, role: Role) -> Node {
        self.graph.variable(name, shape, init, role)
    }

    /// Applies `f` in a scope, see [`Graph::scope`].
    #[track_caller]
    pub fn scope(&self, name: &str, f: impl FnOnce(&Node) -> Node) -> Node {
        self.graph.scope(name, || f(self))
    }

    /// The larger of two.
    #[track_caller]
    pub fn maximum(&self, other: impl IntoNode) -> Node {
        self.graph.apply(ops::Maximum, &[self, &other.into_node(self)])
    }

    /// The smaller of two.
    #[track_caller]
    pub fn minimum(&self, other: impl IntoNode) -> Node {
        self.graph.apply(ops::Minimum, &[self, &other.into_node(self)])
    }

    /// The power; a power of 2, 1, ½, -½ or -1 becomes the cheaper op.
    #[track_caller]
    pub fn pow(&self, exponent: impl IntoNode) -> Node {
        self.graph.apply(ops::Pow, &[self, &exponent.into_node(self)])
    }

    /// Limits to `[low, high]`.
    #[track_caller]
    pub fn clamp(&self, low: f64, high: f64) -> Node {
        self.graph.apply(ops::Clamp { low, high }, &[self])
    }

    /// x where x > 0, else slope·x.
    #[track_caller]
    pub fn leaky_relu(&self, slope: f64) -> Node {
        self.graph.apply(ops::LeakyRelu { slope }, &[self])
    }

    /// x where x > 0, else α(eˣ - 1).
    #[track_caller]
    pub fn elu(&self, alpha: f64) -> Node {
        self.graph.apply(ops::Elu { alpha }, &[self])
    }

    /// `yes` where this is not 0, else `no`.
    #[track_caller]
    pub fn select(&self, yes: impl IntoNode, no: impl IntoNode) -> Node {
        self.graph.apply(ops::Select, &[self, &yes.into_node(self), &no.into_node(self)])
    }

    /// This value when training, the other one when predicting.
    #[track_caller]
    pub fn when_training(&self, predicting: &Node) -> Node {
        self.graph.apply(ops::Switch, &[self, predicting])
    }

    /// Softmax over the last axis.
    #[track_caller]
    pub fn softmax(&self) -> Node {
        self.graph.apply(ops::Softmax, &[self])
    }

    /// Logarithm of the softmax over the last axis.
    #[track_caller]
    pub fn log_softmax(&self) -> Node {
        self.graph.apply(ops::LogSoftmax, &[self])
    }

    /// Matrix product `[.., m, k] × [.., k, n] -> [.., m, n]`; leading axes are a batch and broadcast.
    #[track_caller]
    pub fn matmul(&self, other: &Node) -> Node {
        let (a, b) = (self.shape(), other.shape());
        let (leading, last) = a.dims().split_at(a.rank().saturating_sub(1));
        let rows = leading.iter().try_fold(Dim::Fixed(1), |rows, &d| rows.times(d));
        if let (Some(rows), true) = (rows, leading.len() > 1 && b.rank() == 2) {
            // One product of all rows instead of a batch of products.
            let y = self.reshape(vec![rows, last[0]]).product(other);
            return if y.is_poisoned() { y } else { y.reshape([leading, &b.dims()[1..]].concat()) };
        }
        self.product(other)
    }

    #[track_caller]
    fn product(&self, other: &Node) -> Node {
        self.graph.apply(ops::MatMul { transpose_a: false, transpose_b: false }, &[self, other])
    }

    /// Sum over axes, which stay with size 1.
    #[track_caller]
    pub fn sum(&self, axes: impl Axes) -> Node {
        match self.resolve(&axes.axes()) {
            Ok(axes) => self.graph.apply(ops::Reduce { axes, mean: false, scale: 1.0 }, &[self]),
            Err(poisoned) => poisoned,
        }
    }

    /// Mean over axes, which stay with size 1.
    #[track_caller]
    pub fn mean(&self, axes: impl Axes) -> Node {
        match self.resolve(&axes.axes()) {
            Ok(axes) => self.graph.apply(ops::Reduce { axes, mean: true, scale: 1.0 }, &[self]),
            Err(poisoned) => poisoned,
        }
    }

    /// Biased variance over axes, which stay with size 1.
    #[track_caller]
    pub fn var(&self, axes: impl Axes) -> Node {
        let axes = axes.axes();
        (self - self.mean(&axes[..])).square().mean(&axes[..])
    }

    /// The largest element over axes, which stay with size 1. The gradient goes to the first of several equal ones.
    #[track_caller]
    pub fn max(&self, axes: impl Axes) -> Node {
        let axes = match self.resolve(&axes.axes()) {
            Ok(axes) => axes,
            Err(poisoned) => return poisoned,
        };
        if let [axis] = axes[..] {
            return self.graph.apply(ops::Max { axis }, &[self]);
        }
        // Several axes are brought to the end and taken as one.
        let dims = self.shape().dims().to_vec();
        let rest: Vec<usize> = (0..dims.len()).filter(|a| !axes.contains(a)).collect();
        let Some(run) = axes.iter().try_fold(Dim::Fixed(1), |run, &a| run.times(dims[a])) else {
            let error = ShapeError::new(
                "at most one axis of batch size",
                self.shape().to_string(),
                "reduce one axis after the other",
            );
            return self.graph.refuse("max", error);
        };
        let flat: Vec<Dim> = rest.iter().map(|&a| dims[a]).chain([run]).collect();
        let kept: Vec<Dim> = (0..dims.len()).map(|a| if axes.contains(&a) { Dim::Fixed(1) } else { dims[a] }).collect();
        let last = rest.len();
        self.permute([rest, axes].concat()).reshape(flat).graph_max(last).reshape(kept)
    }

    #[track_caller]
    fn graph_max(&self, axis: usize) -> Node {
        self.graph.apply(ops::Max { axis }, &[self])
    }

    /// The smallest element over axes, which stay with size 1.
    #[track_caller]
    pub fn min(&self, axes: impl Axes) -> Node {
        -(-self).max(axes)
    }

    /// The index of the largest element along an axis, which stays with size 1.
    #[track_caller]
    pub fn argmax(&self, axis: isize) -> Node {
        match self.resolve(&[axis]) {
            Ok(axes) => self.graph.apply(ops::ArgMax { axis: axes[0] }, &[self]),
            Err(poisoned) => poisoned,
        }
    }

    /// The sum of all elements, a single number.
    #[track_caller]
    pub fn sum_all(&self) -> Node {
        let all: Vec<isize> = (0..self.shape().rank() as isize).collect();
        if all.is_empty() { self.clone() } else { self.sum(&all[..]).reshape(Shape::scalar()) }
    }

    /// The mean of all elements, a single number.
    #[track_caller]
    pub fn mean_all(&self) -> Node {
        let all: Vec<isize> = (0..self.shape().rank() as isize).collect();
        if all.is_empty() { self.clone() } else { self.mean(&all[..]).reshape(Shape::scalar()) }
    }

    /// Drops an axis of size 1.
    #[track_caller]
    pub fn squeeze(&self, axis: isize) -> Node {
        match self.resolve(&[axis]) {
            Ok(axes) => {
                let mut dims = self.shape().dims().to_vec();
                dims.remove(axes[0]);
                self.reshape(dims)
            }
            Err(poisoned) => poisoned,
        }
    }

    /// Adds an axis of size 1 before axis `axis`.
    #[track_caller]
    pub fn unsqueeze(&self, axis: usize) -> Node {
        let mut dims = self.shape().dims().to_vec();
        dims.insert(axis.min(dims.len()), Dim::Fixed(1));
        self.reshape(dims)
    }

    /// The same elements in the same order under another shape.
    #[track_caller]
    pub fn reshape(&self, shape: impl Into<Shape>) -> Node {
        self.graph.apply(ops::Reshape { shape: shape.into() }, &[self])
    }

    /// `[B, …] -> [B, F]`: all axes but the first as one.
    #[track_caller]
    pub fn flatten(&self) -> Node {
        let shape = self.shape();
        let Some((first, rest)) = shape.dims().split_first() else { return self.clone() };
        let Some(Dim::Fixed(features)) = rest.iter().try_fold(Dim::Fixed(1), |n, &d| n.times(d)) else {
            let error = ShapeError::new("fixed sizes after the first axis", shape.to_string(), "reshape it instead");
            return self.graph.refuse("flatten", error);
        };
        self.reshape(vec![*first, Dim::Fixed(features)])
    }

    /// The axes in another order.
    #[track_caller]
    pub fn permute(&self, order: impl Into<Vec<usize>>) -> Node {
        self.graph.apply(ops::Permute { order: order.into() }, &[self])
    }

    /// The last two axes exchanged.
    #[track_caller]
    pub fn transpose(&self) -> Node {
        let mut order: Vec<usize> = (0..self.shape().rank()).collect();
        if let [.., a, b] = &mut order[..] {
            std::mem::swap(a, b);
        }
        self.permute(order)
    }

    /// Broadcast to a shape.
    #[track_caller]
    pub fn expand(&self, shape: impl Into<Shape>) -> Node {
        let shape = shape.into();
        if self.shape() == shape { self.clone() } else { self.graph.apply(ops::Expand { shape }, &[self]) }
    }

    /// Summed over the axes along which `shape` was broadcast to this shape: the reverse of [`Node::expand`].
    #[track_caller]
    pub fn sum_to(&self, shape: &Shape) -> Node {
        let own = self.shape();
        if own == *shape || self.is_poisoned() {
            return self.clone();
        }
        let extra = own.rank().saturating_sub(shape.rank());
        let axes: Vec<isize> = (0..own.rank())
            .filter(|&i| i < extra || own.dims()[i] != shape.dims()[i - extra])
            .map(|i| i as isize)
            .collect();
        let summed = if axes.is_empty() { self.clone() } else { self.sum(&axes[..]) };
        if extra == 0 { summed } else { summed.reshape(shape.clone()) }
    }

    /// The elements of a range along an axis of fixed size.
    #[track_caller]
    pub fn slice(&self, axis: isize, range: Range<usize>) -> Node {
        self.slice_step(axis, range, 1)
    }

    /// Every `step`-th element of a range along an axis of fixed size.
    #[track_caller]
    pub fn slice_step(&self, axis: isize, range: Range<usize>, step: usize) -> Node {
        match self.resolve(&[axis]) {
            Ok(axes) => {
                self.graph.apply(ops::Slice { axis: axes[0], start: range.start, stop: range.end, step }, &[self])
            }
            Err(poisoned) => poisoned,
        }
    }

    /// A border of a constant along an axis of fixed size.
    #[track_caller]
    pub fn pad(&self, axis: isize, before: usize, after: usize, value: f64) -> Node {
        if before == 0 && after == 0 {
            return self.clone();
        }
        match self.resolve(&[axis]) {
            Ok(axes) => self.graph.apply(ops::Pad { axis: axes[0], before, after, value }, &[self]),
            Err(poisoned) => poisoned,
        }
    }

    /// `step - 1` zeros between neighbours along an axis.
    #[track_caller]
    pub(crate) fn dilate(&self, axis: usize, step: usize) -> Node {
        let shape = self.shape();
        let Some(size) = shape.dims().get(axis).and_then(|d| d.fixed()).filter(|_| step > 1) else {
            return self.clone();
        };
        let mut dims = shape.dims().to_vec();
        dims[axis] = Dim::Fixed(size * step);
        self.unsqueeze(axis + 1)
            .pad(axis as isize + 1, 0, step - 1, 0.0)
            .reshape(dims)
            .slice(axis as isize, 0..(size - 1) * step + 1)
    }

    /// Values one after the other along an axis of fixed size.
    #[track_caller]
    pub fn concat(values: &[&Node], axis: isize) -> Node {
        match values[0].resolve(&[axis]) {
            Ok(axes) => values[0].graph.apply(ops::Concat { axis: axes[0] }, values),
            Err(poisoned) => poisoned,
        }
    }

    /// Slices along an axis, chosen by whole numbers: `table: [V, D], index: [B, T] -> [B, T, D]` for axis 0.
    #[track_caller]
    pub fn gather(&self, axis: isize, index: &Node) -> Node {
        match self.resolve(&[axis]) {
            Ok(axes) => self.graph.apply(ops::Gather { axis: axes[0] }, &[self, index]),
            Err(poisoned) => poisoned,
        }
    }

    /// The elements at these places along an axis of fixed size, in their order.
    #[track_caller]
    pub fn pick(&self, axis: isize, places: &[usize]) -> Node {
        let step = places.get(1).map_or(1, |&second| second.saturating_sub(places[0]));
        if let (Some(&first), Some(&last), true) = (places.first(), places.last(), step > 0)
            && places.iter().enumerate().all(|(i, &place)| place == first + i * step)
        {
            return self.slice_step(axis, first..last + 1, step);
        }
        let numbers: Vec<f64> = places.iter().map(|&place| place as f64).collect();
        let name = format!("places_{}", self.graph.variables().len());
        let index = self.graph.variable(&name, [places.len()], crate::Values(numbers), Role::Frozen);
        self.gather(axis, &index)
    }

    /// The elements in reverse order along an axis of fixed size.
    #[track_caller]
    pub fn reverse(&self, axis: isize) -> Node {
        let axes = match self.resolve(&[axis]) {
            Ok(axes) => axes,
            Err(poisoned) => return poisoned,
        };
        match self.shape().dims()[axes[0]] {
            Dim::Fixed(size) => self.pick(axis, &(0..size).rev().collect::<Vec<_>>()),
            Dim::Batch(_) => {
                let received = format!("axis {axis} of {}", self.shape());
                let error = ShapeError::new("an axis of fixed size", received, "choose another axis");
                self.graph.refuse("reverse", error)
            }
        }
    }

    /// Slices added up at the places that `index` names along a new axis of this size: the reverse of [`Node::gather`].
    #[track_caller]
    pub fn scatter_add(&self, axis: usize, index: &Node, size: usize) -> Node {
        self.graph.apply(ops::ScatterAdd { axis, size }, &[self, index])
    }

    /// Whole numbers as rows with a single 1: `[..] -> [.., classes]`. A number outside the classes gives a row of zeros.
    #[track_caller]
    pub fn one_hot(&self, classes: usize) -> Node {
        let mut dims = self.shape().dims().to_vec();
        let axis = dims.len();
        dims.push(Dim::Fixed(classes));
        let places = self.graph.apply(ops::Iota { axis, shape: dims.into() }, &[]);
        places.eq(self.unsqueeze(axis))
    }

    /// Independent draws of this node's shape, new ones each step.
    #[track_caller]
    pub fn random(&self, distribution: gradus_kernels::Random) -> Node {
        self.graph.random(distribution, self.shape())
    }

    /// Applies an op of the user's own, see [`CustomOp`].
    #[track_caller]
    pub fn custom(op: impl CustomOp, x: &[&Node]) -> Node {
        x[0].graph.apply(Op::Custom(Arc::new(op)), x)
    }

    /// The axes counted from 0 in ascending order, or the poisoned node that reports one that does not exist.
    #[track_caller]
    fn resolve(&self, axes: &[isize]) -> Result<Vec<usize>, Node> {
        if self.is_poisoned() {
            return Err(self.clone());
        }
        let shape = self.shape();
        let rank = shape.rank() as isize;
        let mut resolved = vec![];
        for &axis in axes {
            let from_start = if axis < 0 { axis + rank } else { axis };
            if !(0..rank).contains(&from_start) {
                let error = ShapeError::new(
                    format!("an axis from {} to {}", -rank, rank - 1),
                    format!("axis {axis} of {shape}"),
                    "choose an existing axis",
                );
                return Err(self.graph.refuse("axis", error));
            }
            resolved.push(from_start as usize);
        }
        resolved.sort_unstable();
        resolved.dedup();
        Ok(resolved)
    }
}
