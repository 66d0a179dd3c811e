//! Constant folding, algebra, and merging of equal nodes.

use super::Dag;
use super::centred::means_with_variance;
use crate::model::{Entry, NodeId};
use crate::ops::{Fill, MatMul, Mul, Permute, Recip, Reduce, Reshape, Rsqrt, Sqrt, Square};
use crate::{Kernel, Op};
use gradus_tensor::Shape;
use std::collections::HashMap;

/// Rewrites the graph until nothing changes.
pub(crate) fn simplify(dag: &Dag) -> Dag {
    let mut dag = dag.without_dead();
    loop {
        let next = once(&dag).without_dead();
        // Every rewrite makes nodes fewer or ops simpler, so equal text means that nothing is left to do.
        if fingerprint(&next) == fingerprint(&dag) {
            return next;
        }
        dag = next;
    }
}

fn fingerprint(dag: &Dag) -> Vec<(String, Vec<NodeId>)> {
    dag.nodes.iter().map(|n| (n.op.settings(), n.inputs.clone())).collect()
}

fn once(dag: &Dag) -> Dag {
    let mut reads = vec![0; dag.nodes.len()];
    dag.nodes.iter().flat_map(|n| &n.inputs).chain(&dag.roots).for_each(|&x| reads[x] += 1);
    let mut builder = Builder {
        dag: Dag { nodes: vec![], roots: vec![] },
        seen: HashMap::new(),
        uses: HashMap::new(),
        has_variance: false,
    };
    let means = means_with_variance(dag);
    let mut renamed: Vec<NodeId> = vec![];
    for (old, (node, reads)) in dag.nodes.iter().zip(reads).enumerate() {
        builder.has_variance = means.contains(&old);
        let inputs: Vec<NodeId> = node.inputs.iter().map(|&i| renamed[i]).collect();
        let id = builder.place(Entry { inputs, ..node.clone() });
        *builder.uses.entry(id).or_insert(0) += reads;
        renamed.push(id);
    }
    builder.dag.roots = dag.roots.iter().map(|&r| renamed[r]).collect();
    builder.dag
}

/// Builds the rewritten graph; equal nodes are made once.
pub(super) struct Builder {
    pub(super) dag: Dag,
    seen: HashMap<(String, Vec<NodeId>, Shape), NodeId>,
    /// How many nodes of the old graph read each node of the new one.
    uses: HashMap<NodeId, usize>,
    /// The node to be placed is a mean of values whose variance is taken too.
    pub(super) has_variance: bool,
}

impl Builder {
    /// The node, or an earlier one that is equal.
    fn add(&mut self, node: Entry) -> NodeId {
        let key = (node.op.settings(), node.inputs.clone(), node.shape.clone());
        *self.seen.entry(key).or_insert_with(|| {
            self.dag.nodes.push(node);
            self.dag.nodes.len() - 1
        })
    }

    /// The node under another op.
    fn replace(&mut self, node: &Entry, op: impl Into<Op>, inputs: Vec<NodeId>) -> NodeId {
        self.add(Entry { op: op.into(), inputs, ..node.clone() })
    }

    fn constant(&mut self, like: &Entry, value: f64, shape: Shape) -> NodeId {
        let op = Op::Fill(Fill { value, shape: shape.clone() });
        self.add(Entry { op, inputs: vec![], shape, ..like.clone() })
    }

    pub(super) fn shape(&self, id: NodeId) -> &Shape {
        &self.dag.nodes[id].shape
    }

    /// Adds the node in its simplest form.
    pub(super) fn place(&mut self, node: Entry) -> NodeId {
        if let Some(value) = fold(&self.dag, &node) {
            return self.constant(&node, value, node.shape.clone());
        }
        if let Some(id) = self.sink_permute(&node) {
            return id;
        }
        if let Some(id) = self.mask_before_return(&node) {
            return id;
        }
        let x = node.inputs.first().copied();
        let constant = |i: usize| self.dag.constant(node.inputs[i]);
        let whole = |i: usize| *self.shape(node.inputs[i]) == node.shape;
        match &node.op {
            Op::StopGradient(_) => node.inputs[0],
            Op::Expand(_) if whole(0) => node.inputs[0],
            Op::Add(_) | Op::Sub(_) if constant(1) == Some(0.0) && whole(0) => node.inputs[0],
            Op::Add(_) if constant(0) == Some(0.0) && whole(1) => node.inputs[1],
            // A constant 0 is a gradient that does not flow, such as that of the other mode's branch: what it meets need not be computed.
            Op::Mul(_) | Op::MatMul(_) if constant(0) == Some(0.0) || constant(1) == Some(0.0) => {
                self.constant(&node, 0.0, node.shape.clone())
            }
            Op::Div(_) | Op::ScatterAdd(_) if constant(0) == Some(0.0) => self.constant(&node, 0.0, node.shape.clone()),
            Op::Mul(_) | Op::Div(_) if constant(1) == Some(1.0) && whole(0) => node.inputs[0],
            Op::Mul(_) if constant(0) == Some(1.0) && whole(1) => node.inputs[1],
            Op::Mul(_) | Op::Div(_) => self.product(node),
            Op::Neg(_) => match &self.dag.nodes[node.inputs[0]] {
                Entry { op: Op::Neg(_), inputs, .. } => inputs[0],
                _ => self.scaled_reduce(&node, node.inputs[0], -1.0).unwrap_or_else(|| self.add(node)),
            },
            Op::MaxPool(_) => self.pool_before(&node).unwrap_or_else(|| self.add(node)),
            Op::Reduce(_) => match self.reduce_centred(&node).or_else(|| self.sum_before_return(&node)) {
                Some(id) => id,
                None => self.reduce_reduced(node),
            },
            Op::Pow(_) if whole(0) => match constant(1) {
                Some(1.0) => node.inputs[0],
                Some(2.0) => self.replace(&node, Square, x.into_iter().collect()),
                Some(0.5) => self.replace(&node, Sqrt, x.into_iter().collect()),
                Some(-0.5) => self.replace(&node, Rsqrt, x.into_iter().collect()),
                Some(-1.0) => self.replace(&node, Recip, x.into_iter().collect()),
                _ => self.add(node),
            },
            Op::Select(_) => match constant(0) {
                _ if constant(1).is_some() && constant(1) == constant(2) => {
                    self.constant(&node, constant(1).unwrap_or_default(), node.shape.clone())
                }
                Some(0.0) if whole(2) => node.inputs[2],
                Some(c) if c != 0.0 && whole(1) => node.inputs[1],
                _ => self.add(node),
            },
            Op::Reshape(_) => self.reshape(node),
            Op::Permute(_) => self.permute(node),
            Op::Max(max) if self.shape(node.inputs[0]).at(1)[max.axis] == 1 => node.inputs[0],
            Op::MatMul(_) => self.absorb_transposes(node),
            _ => self.add(node),
        }
    }

    /// Products with constants: a quotient becomes a product, the constant goes last, and two constants become one.
    fn product(&mut self, node: Entry) -> NodeId {
        let (a, b) = (node.inputs[0], node.inputs[1]);
        let (x, c, of) = match (self.dag.constant(a), self.dag.constant(b)) {
            (None, Some(c)) if matches!(node.op, Op::Mul(_)) => (a, c, b),
            (None, Some(c)) if (1.0 / c).is_normal() => (a, 1.0 / c, b),
            (Some(c), None) if matches!(node.op, Op::Mul(_)) => (b, c, a),
            _ => return self.add(node),
        };
        let (mut x, mut c) = (x, c);
        if let Entry { op: Op::Mul(_), inputs, shape, .. } = &self.dag.nodes[x]
            && let Some(inner) = self.dag.constant(inputs[1])
            && self.shape(inputs[0]) == shape
        {
            (x, c) = (inputs[0], c * inner);
        }
        if self.shape(x) == &node.shape
            && let Some(id) = self.scaled_reduce(&node, x, c)
        {
            return id;
        }
        let shape = self.shape(of).clone();
        let factor = self.constant(&node, c, shape);
        self.replace(&node, Mul, vec![x, factor])
    }

    /// `c` times a reduction, perhaps under another shape: the reduction scales its result itself.
    fn scaled_reduce(&mut self, node: &Entry, x: NodeId, c: f64) -> Option<NodeId> {
        let (entry, reduced) = match &self.dag.nodes[x] {
            Entry { op: Op::Reshape(_), inputs, .. } => (&self.dag.nodes[inputs[0]], Some(inputs[0])),
            entry => (entry, None),
        };
        let Op::Reduce(reduce) = &entry.op else { return None };
        if self.uses.get(&reduced.unwrap_or(x)).is_some_and(|&n| n > 1) {
            return None;
        }
        let op = Reduce { scale: reduce.scale * c, ..reduce.clone() };
        let scaled = Entry { op: op.into(), ..entry.clone() };
        let scaled = self.add(scaled);
        Some(match reduced {
            Some(_) => self.replace(node, Reshape { shape: node.shape.clone() }, vec![scaled]),
            None => scaled,
        })
    }

    /// Two sums over neighbouring axes are one.
    fn reduce_neighbours(&mut self, node: &Entry) -> Option<NodeId> {
        let Op::Reduce(outer) = &node.op else { return None };
        let x = node.inputs[0];
        let Entry { op: Op::Reduce(inner), inputs, .. } = &self.dag.nodes[x] else { return None };
        let mut axes = [&inner.axes[..], &outer.axes].concat();
        axes.sort_unstable();
        if !axes.is_sorted_by(|a, b| a + 1 == *b) || self.uses.get(&x).is_some_and(|&n| n > 1) {
            return None;
        }
        let (source, sizes) = (inputs[0], self.shape(inputs[0]).at(1));
        let count = |reduce: &Reduce| match reduce.mean {
            true => reduce.axes.iter().map(|&axis| sizes[axis]).product::<usize>() as f64,
            false => 1.0,
        };
        let mean = inner.mean && outer.mean;
        let scale = inner.scale * outer.scale / if mean { 1.0 } else { count(inner) * count(outer) };
        Some(self.replace(node, Reduce { axes, mean, scale }, vec![source]))
    }

    /// The sum of everything in a sum is one sum of everything.
    fn reduce_reduced(&mut self, node: Entry) -> NodeId {
        if let Some(id) = self.reduce_neighbours(&node) {
            return id;
        }
        let Op::Reduce(outer) = &node.op else { return self.add(node) };
        let mut x = node.inputs[0];
        if let Entry { op: Op::Reshape(_), inputs, .. } = &self.dag.nodes[x] {
            x = inputs[0];
        }
        let Entry { op: Op::Reduce(inner), inputs, .. } = &self.dag.nodes[x] else { return self.add(node) };
        let count = |id: NodeId| self.shape(id).len_at(1);
        if node.shape.len_at(1) != 1 || self.uses.get(&x).is_some_and(|&n| n > 1) {
            return self.add(node);
        }
        let source = inputs[0];
        let mut scale = outer.scale * inner.scale;
        if outer.mean {
            scale /= count(x) as f64;
        }
        if inner.mean {
            scale /= (count(source) / count(x)) as f64;
        }
        let sizes = self.shape(source).at(1);
        let axes = (0..sizes.len()).filter(|&a| sizes[a] != 1).collect();
        let shape = Shape::fixed(&vec![1; sizes.len()]);
        let op = Reduce { axes, mean: false, scale };
        let all = self.add(Entry { op: op.into(), inputs: vec![source], shape, ..node.clone() });
        self.replace(&node, Reshape { shape: node.shape.clone() }, vec![all])
    }

    fn reshape(&mut self, node: Entry) -> NodeId {
        match &self.dag.nodes[node.inputs[0]] {
            x if x.shape == node.shape => node.inputs[0],
            Entry { op: Op::Reshape(_), inputs, .. } => {
                let inputs = inputs.clone();
                let op = Reshape { shape: node.shape.clone() };
                self.replace(&node, op, inputs)
            }
            _ => self.add(node),
        }
    }

    fn permute(&mut self, node: Entry) -> NodeId {
        let Op::Permute(permute) = &node.op else { return self.add(node) };
        if permute.order.iter().copied().eq(0..permute.order.len()) {
            return node.inputs[0];
        }
        match &self.dag.nodes[node.inputs[0]] {
            Entry { op: Op::Permute(inner), inputs, .. } => {
                let order = permute.order.iter().map(|&a| inner.order[a]).collect();
                let entry = Entry { op: Permute { order }.into(), inputs: inputs.clone(), ..node };
                self.place(entry)
            }
            _ => self.add(node),
        }
    }

    /// A factor that is a transposed matrix is read transposed instead.
    fn absorb_transposes(&mut self, node: Entry) -> NodeId {
        let Op::MatMul(matmul) = &node.op else { return self.add(node) };
        let swapped = |id: NodeId| match &self.dag.nodes[id] {
            Entry { op: Op::Permute(p), inputs, .. } => {
                let n = p.order.len();
                let kept = p.order[..n - 2].iter().copied().eq(0..n - 2);
                (kept && p.order[n - 2] == n - 1).then_some(inputs[0])
            }
            _ => None,
        };
        let (a, b) = (swapped(node.inputs[0]), swapped(node.inputs[1]));
        let op =
            MatMul { transpose_a: matmul.transpose_a ^ a.is_some(), transpose_b: matmul.transpose_b ^ b.is_some() };
        let inputs = vec![a.unwrap_or(node.inputs[0]), b.unwrap_or(node.inputs[1])];
        self.replace(&node, op, inputs)
    }
}

/// The value of an elementwise op, a view or a reduction of constants.
fn fold(dag: &Dag, node: &Entry) -> Option<f64> {
    if node.inputs.is_empty() || matches!(node.op, Op::Pack(_)) {
        return None;
    }
    let x: Option<Vec<f64>> = node.inputs.iter().map(|&i| dag.constant(i)).collect();
    let x = x?;
    let sizes: Vec<Vec<usize>> = node.inputs.iter().map(|&i| dag.sizes(i)).collect();
    match node.op.kernel(&sizes, &node.shape.at(1))? {
        Kernel::Map(expr) => expr.eval(&x, 0.0, &[], |_, _| 0.0).last().copied(),
        Kernel::View { .. } | Kernel::Reshape => Some(x[0]),
        Kernel::Reduce { fold: gradus_kernels::instr::Fold::Sum, axes, mean: false, scale } => {
            Some(x[0] * scale * axes.iter().map(|&a| sizes[0][a]).product::<usize>() as f64)
        }
        Kernel::Reduce { scale, .. } => Some(x[0] * scale),
        _ => None,
    }
}
