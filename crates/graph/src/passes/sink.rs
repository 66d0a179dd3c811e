//! Moves changes of the axes' order behind elementwise functions and reductions.
//!
//! Convolutions and poolings read and write their channels last, people write them second. Every such op therefore stands between two
//! permutations; moved down the graph, those of neighbours meet and cancel, and everything between them works on memory as it lies.

use super::simplify::Builder;
use crate::model::{Entry, NodeId};
use crate::ops::{Expand, Permute, Reduce, Reshape};
use crate::{Kernel, Op};
use gradus_kernels::Inst;
use gradus_tensor::{Dim, Shape};

impl Builder {
    /// `f(permute(x))` as `permute(f(x))`, if that is the same.
    pub(super) fn sink_permute(&mut self, node: &Entry) -> Option<NodeId> {
        let order =
            node.inputs.iter().find_map(|&x| self.permuted(x).filter(|o| o.len() == node.shape.rank()))?.to_vec();
        if order[0] != 0 || matches!(node.op, Op::Permute(_)) {
            return None;
        }
        match &node.op {
            Op::Reduce(reduce) => {
                let reduce = reduce.clone();
                let mut x = self.before(node.inputs[0], &order)?;
                let mut axes: Vec<usize> = reduce.axes.iter().map(|&axis| order[axis]).collect();
                axes.sort_unstable();
                // A kernel reduces axes that lie next to each other.
                let mut runs: Vec<Vec<usize>> = axes.chunk_by(|a, b| a + 1 == *b).map(<[usize]>::to_vec).collect();
                runs.reverse();
                let axes = runs.pop()?;
                for axes in runs {
                    let mut dims = self.dag.nodes[x].shape.dims().to_vec();
                    axes.iter().for_each(|&axis| dims[axis] = Dim::Fixed(1));
                    let op = Reduce { axes, mean: reduce.mean, scale: 1.0 };
                    x = self.place(Entry { op: op.into(), inputs: vec![x], shape: Shape::new(dims), ..node.clone() });
                }
                self.permute_after(node, &order, Reduce { axes, ..reduce }.into(), vec![x])
            }
            Op::Expand(expand) => {
                let x = self.before(node.inputs[0], &order)?;
                let shape = unordered(&expand.shape, &order);
                self.permute_after(node, &order, Expand { shape }.into(), vec![x])
            }
            op => {
                let sizes: Vec<Vec<usize>> = node.inputs.iter().map(|&x| self.dag.sizes(x)).collect();
                let Some(Kernel::Map(expr)) = op.kernel(&sizes, &node.shape.at(1)) else { return None };
                if expr.insts().iter().any(|inst| matches!(inst, Inst::Index(_) | Inst::Random(..))) {
                    return None;
                }
                let op = op.clone();
                let inputs: Option<Vec<NodeId>> = node.inputs.iter().map(|&x| self.before(x, &order)).collect();
                self.permute_after(node, &order, op, inputs?)
            }
        }
    }

    /// The order of a permutation.
    fn permuted(&self, x: NodeId) -> Option<&[usize]> {
        match &self.dag.nodes[x].op {
            Op::Permute(permute) => Some(&permute.order),
            _ => None,
        }
    }

    /// What `x` is before the permutation: its input, or itself in another shape where it is a number for some axes alone.
    fn before(&mut self, x: NodeId, order: &[usize]) -> Option<NodeId> {
        if self.permuted(x) == Some(order) {
            return Some(self.dag.nodes[x].inputs[0]);
        }
        let mut x = x;
        while matches!(self.dag.nodes[x].op, Op::Expand(_)) {
            x = self.dag.nodes[x].inputs[0];
        }
        let node = self.dag.nodes[x].clone();
        if self.dag.constant(x).is_some() && node.shape.len_at(1) == 1 || node.shape.rank() == 0 {
            return Some(x);
        }
        if node.shape.rank() > order.len() {
            return None;
        }
        let one = Dim::Fixed(1);
        let missing = order.len() - node.shape.rank();
        let full = Shape::new([&vec![one; missing][..], node.shape.dims()].concat());
        // Moving axes is no work if those that are not 1 stay in their order.
        let wide = order.iter().zip(full.dims()).filter(|(_, d)| **d != one).map(|(&axis, _)| axis);
        if !wide.is_sorted() {
            return None;
        }
        let shape = unordered(&full, order);
        let entry = Entry { op: Reshape { shape: shape.clone() }.into(), inputs: vec![x], shape, ..node };
        Some(self.place(entry))
    }

    fn permute_after(&mut self, node: &Entry, order: &[usize], op: Op, inputs: Vec<NodeId>) -> Option<NodeId> {
        let shape = unordered(&node.shape, order);
        let inner = self.place(Entry { op, inputs, shape, ..node.clone() });
        let permute = Permute { order: order.to_vec() };
        Some(self.place(Entry { op: permute.into(), inputs: vec![inner], ..node.clone() }))
    }
}

/// The shape of which the permutation makes this one.
fn unordered(shape: &Shape, order: &[usize]) -> Shape {
    let mut dims = shape.dims().to_vec();
    order.iter().zip(shape.dims()).for_each(|(&axis, &dim)| dims[axis] = dim);
    Shape::new(dims)
}
