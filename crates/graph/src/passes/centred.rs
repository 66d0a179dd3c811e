//! Algebra of values less their mean, which normalisations are made of: fewer passes over memory.
//!
//! * The mean of `(x - mean(x))²` becomes `mean(d²) - mean(d)²` of `d = x - s`, where s is an element from the middle: both means take one
//!   pass over `x`, which need not wait for `mean(x)`. With s near the values, as an element of them is, nothing cancels out. Large rows
//!   of a batch have each its own s, mean and variance; those of the batch are the mean of the means, and the mean of the variances plus
//!   that of the squares `(mean of a row - mean)²`. Chan, Golub & LeVeque 1979, Updating formulae. The mean itself is then made of the
//!   rows' means too, and not summed up once more.
//! * The sum of `(x - mean(x))·k` over the same axes, with k the same along them, is 0. A gradient adds such a term to others: theirs is
//!   the whole sum.
//! * The sum of `x·k` is the sum of `x`, times k.

use super::Dag;
use super::simplify::Builder;
use crate::Op;
use crate::model::{Entry, NodeId};
use crate::ops::{Add, Fill, Maximum, Mul, Reduce, Slice, Square, Sub};
use gradus_tensor::{Dim, Shape};
use std::collections::HashSet;

/// Values with fewer elements stay in the caches from one pass to the next.
const LARGE: usize = 1 << 15;
/// Rows of a batch with fewer elements have no variance of their own.
const ROW: usize = 1 << 8;

/// The means of values whose variance is taken too.
pub(super) fn means_with_variance(dag: &Dag) -> HashSet<NodeId> {
    let parts = |node: &Entry| {
        let Op::Reduce(reduce) = &node.op else { return None };
        let Entry { op: Op::Square(_), inputs: square, .. } = &dag.nodes[node.inputs[0]] else { return None };
        let Entry { op: Op::Sub(_), inputs, .. } = &dag.nodes[square[0]] else { return None };
        let same = mean_of(dag, inputs[1], &reduce.axes) == Some(inputs[0]);
        (reduce.mean && same).then_some(inputs[1])
    };
    dag.nodes.iter().filter_map(parts).collect()
}

/// The values of which a node is the mean over the axes, all at once or of the means of rows.
fn mean_of(dag: &Dag, id: NodeId, axes: &[usize]) -> Option<NodeId> {
    let mean = |id: NodeId, axes: &[usize]| match &dag.nodes[id] {
        Entry { op: Op::Reduce(mean), inputs, .. } if mean.mean && mean.scale == 1.0 && mean.axes == axes => {
            Some(inputs[0])
        }
        _ => None,
    };
    mean(id, axes).or_else(|| {
        let (&[0], [_, ..]) = axes.split_at_checked(1)? else { return None };
        let Entry { op: Op::Add(_), inputs, .. } = &dag.nodes[mean(id, &[0])?] else { return None };
        [(inputs[0], inputs[1]), (inputs[1], inputs[0])].into_iter().find_map(|(shift, of_difference)| {
            let difference = mean(of_difference, &axes[1..])?;
            match &dag.nodes[difference] {
                Entry { op: Op::Sub(_), inputs, .. } if inputs[1] == shift => Some(inputs[0]),
                _ => None,
            }
        })
    })
}

/// Values less an element from the middle, of all of them or of each row of the batch.
struct Shifted {
    middle: NodeId,
    difference: NodeId,
    /// The mean of the differences.
    mean: NodeId,
    /// Over what the mean is.
    inner: Reduce,
    /// Its shape.
    part: Shape,
    /// Each row of the batch by itself.
    rows: bool,
}

impl Builder {
    /// A reduction in a form that takes fewer passes.
    pub(super) fn reduce_centred(&mut self, node: &Entry) -> Option<NodeId> {
        let Op::Reduce(reduce) = &node.op else { return None };
        let x = node.inputs[0];
        if self.shape(x).len_at(1) < LARGE || reduce.axes.first() != Some(&0) {
            return None;
        }
        let reduce = reduce.clone();
        if std::mem::take(&mut self.has_variance)
            && let Some(mean) = self.mean_of_rows(node, &reduce, x)
        {
            return Some(mean);
        }
        self.variance(node, &reduce, x).or_else(|| self.without_centred(node, &reduce, x))
    }

    fn variance(&mut self, node: &Entry, reduce: &Reduce, x: NodeId) -> Option<NodeId> {
        let Entry { op: Op::Square(_), inputs, .. } = &self.dag.nodes[x] else { return None };
        let values = self.centred(inputs[0], &reduce.axes)?;
        if !reduce.mean {
            return None;
        }
        let Shifted { middle, difference, mean: of_difference, inner, part, rows } =
            self.shifted(node, reduce, values)?;
        let whole = self.shape(values).clone();
        let mut place = |op: Op, inputs: &[NodeId], shape: &Shape| {
            self.place(Entry { op, inputs: inputs.to_vec(), shape: shape.clone(), ..node.clone() })
        };
        let square = place(Square.into(), &[difference], &whole);
        let of_square = place(inner.into(), &[square], &part);
        let shift = place(Square.into(), &[of_difference], &part);
        let zero = place(Fill { value: 0.0, shape: Shape::scalar() }.into(), &[], &Shape::scalar());
        let variance = place(Sub.into(), &[of_square, shift], &part);
        let mut variance = place(Maximum.into(), &[variance, zero], &part);
        if rows {
            let over = Reduce { axes: vec![0], mean: true, scale: 1.0 };
            let mean = place(Add.into(), &[middle, of_difference], &part);
            let common = place(over.clone().into(), &[mean], &node.shape);
            let between = place(Sub.into(), &[mean, common], &part);
            let between = place(Square.into(), &[between], &part);
            let both = place(Add.into(), &[variance, between], &part);
            variance = place(over.into(), &[both], &node.shape);
        }
        let scale = self.number(node, reduce.scale);
        Some(self.place(Entry { op: Mul.into(), inputs: vec![variance, scale], ..node.clone() }))
    }

    fn shifted(&mut self, node: &Entry, reduce: &Reduce, values: NodeId) -> Option<Shifted> {
        let whole = self.shape(values).clone();
        // Each row of the batch by itself, and then all of them together: what runs row by row need not wait for the others.
        let rows = reduce.axes.len() > 1 && whole.len_at(1) >= whole.at(1)[0] * ROW;
        let inner = Reduce { axes: reduce.axes[usize::from(rows)..].to_vec(), mean: true, scale: 1.0 };
        let mut middle = values;
        for &axis in &inner.axes {
            let mut dims = self.shape(middle).dims().to_vec();
            let start = dims[axis].fixed()? / 2;
            dims[axis] = Dim::Fixed(1);
            let slice = Slice { axis, start, stop: start + 1, step: 1 };
            let shape = Shape::new(dims);
            middle = self.place(Entry { op: slice.into(), inputs: vec![middle], shape, ..node.clone() });
        }
        let part = self.shape(middle).clone();
        let difference =
            self.place(Entry { op: Sub.into(), inputs: vec![values, middle], shape: whole, ..node.clone() });
        let mean = Entry { op: inner.clone().into(), inputs: vec![difference], shape: part.clone(), ..node.clone() };
        Some(Shifted { middle, difference, mean: self.place(mean), inner, part, rows })
    }

    /// The mean of the rows' means.
    fn mean_of_rows(&mut self, node: &Entry, reduce: &Reduce, x: NodeId) -> Option<NodeId> {
        if !reduce.mean || reduce.scale != 1.0 {
            return None;
        }
        let Shifted { middle, mean, part, rows: true, .. } = self.shifted(node, reduce, x)? else { return None };
        let mean = self.place(Entry { op: Add.into(), inputs: vec![middle, mean], shape: part, ..node.clone() });
        let over = Reduce { axes: vec![0], mean: true, scale: 1.0 };
        Some(self.place(Entry { op: over.into(), inputs: vec![mean], ..node.clone() }))
    }

    fn without_centred(&mut self, node: &Entry, reduce: &Reduce, x: NodeId) -> Option<NodeId> {
        match &self.dag.nodes[x] {
            Entry { op: Op::Neg(_), inputs, .. } => {
                let (op, x) = (Reduce { scale: -reduce.scale, ..reduce.clone() }, inputs[0]);
                Some(self.place(Entry { op: op.into(), inputs: vec![x], ..node.clone() }))
            }
            Entry { op: Op::Add(_), inputs, shape, .. } => {
                let (a, b) = (inputs[0], inputs[1]);
                let whole = |x: NodeId| self.shape(x) == shape;
                let rest = match (self.sums_to_zero(a, &reduce.axes), self.sums_to_zero(b, &reduce.axes)) {
                    (_, true) if whole(a) => a,
                    (true, _) if whole(b) => b,
                    _ => return None,
                };
                Some(self.place(Entry { inputs: vec![rest], ..node.clone() }))
            }
            Entry { op: Op::Mul(_), inputs, shape, .. } => {
                let (a, b) = (inputs[0], inputs[1]);
                let (x, factor) = match (self.repeats(a, &reduce.axes), self.repeats(b, &reduce.axes)) {
                    (None, Some(factor)) if self.shape(a) == shape => (a, factor),
                    (Some(factor), None) if self.shape(b) == shape => (b, factor),
                    _ => return None,
                };
                // Unscaled, as the gradient of a bias may be: equal sums are made once.
                let count: usize = reduce.axes.iter().map(|&axis| shape.at(1)[axis]).product();
                let scale = if reduce.mean { reduce.scale / count as f64 } else { reduce.scale };
                let sum = Reduce { axes: reduce.axes.clone(), mean: false, scale: 1.0 };
                let sum = self.place(Entry { op: sum.into(), inputs: vec![x], ..node.clone() });
                let scale = self.number(node, scale);
                let product = self.place(Entry { op: Mul.into(), inputs: vec![sum, factor], ..node.clone() });
                Some(self.place(Entry { op: Mul.into(), inputs: vec![product, scale], ..node.clone() }))
            }
            _ => None,
        }
    }

    fn number(&mut self, like: &Entry, value: f64) -> NodeId {
        let shape = Shape::scalar();
        self.place(Entry { op: Fill { value, shape: shape.clone() }.into(), inputs: vec![], shape, ..like.clone() })
    }

    /// The values of which a node is what is left when their mean over the axes is taken away.
    fn centred(&self, x: NodeId, axes: &[usize]) -> Option<NodeId> {
        let Entry { op: Op::Sub(_), inputs, .. } = &self.dag.nodes[x] else { return None };
        (mean_of(&self.dag, inputs[1], axes) == Some(inputs[0])).then_some(inputs[0])
    }

    /// Whether a node is a centred value times factors that are the same along the axes.
    fn sums_to_zero(&self, x: NodeId, axes: &[usize]) -> bool {
        if self.centred(x, axes).is_some() {
            return true;
        }
        let Entry { op: Op::Mul(_), inputs, .. } = &self.dag.nodes[x] else { return false };
        let (a, b) = (inputs[0], inputs[1]);
        (self.repeats(b, axes).is_some() && self.sums_to_zero(a, axes))
            || (self.repeats(a, axes).is_some() && self.sums_to_zero(b, axes))
    }

    /// A value that is the same along the axes, with size 1 there.
    fn repeats(&self, x: NodeId, axes: &[usize]) -> Option<NodeId> {
        let node = &self.dag.nodes[x];
        if matches!(node.op, Op::Expand(_)) {
            return self.repeats(node.inputs[0], axes);
        }
        let rank = node.shape.rank();
        let one = |axis: usize| node.shape.dims()[axis] == Dim::Fixed(1);
        (rank == 0 || axes.last().is_some_and(|&last| last < rank) && axes.iter().all(|&axis| one(axis))).then_some(x)
    }
}
