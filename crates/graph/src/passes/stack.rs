//! Sums of products as one product: `Σ aᵢᵀ·bᵢ` is `aᵀ·b` with all aᵢ one below the other, and all bᵢ; and `Σ` of sums over rows likewise.
//!
//! A recurrence uses its weights in every step, so their gradient is such a sum, which would read and write the whole of it for each step.
//! The values of the steps are computed where the stack has them, so that stacking is no work.

use super::Dag;
use crate::Op;
use crate::model::{Entry, NodeId};
use crate::ops::{Concat, MatMul, Reduce, Reshape, Slice};
use gradus_tensor::Shape;
use std::collections::HashMap;

/// From so many terms on a sum is always made one.
const MANY: usize = 3;

/// Makes one of the products, and one of the sums over rows, that are added up.
pub(crate) fn stack_products(dag: &Dag) -> Dag {
    let mut uses = vec![0; dag.nodes.len()];
    dag.nodes.iter().flat_map(|n| &n.inputs).chain(&dag.roots).for_each(|&x| uses[x] += 1);
    let same = |node: &Entry, x: NodeId| dag.nodes[x].shape == node.shape;
    let is_sum = |node: &Entry| matches!(node.op, Op::Add(_)) && node.inputs.iter().all(|&x| same(node, x));
    // Sums that are terms of one other sum alone.
    let mut inner = vec![false; dag.nodes.len()];
    for node in dag.nodes.iter().filter(|node| is_sum(node)) {
        node.inputs.iter().for_each(|&x| inner[x] = uses[x] == 1 && is_sum(&dag.nodes[x]));
    }
    let mut stacker = Stacker { result: Dag { nodes: vec![], roots: vec![] }, stacks: HashMap::new() };
    let mut renamed: Vec<NodeId> = vec![];
    for (id, node) in dag.nodes.iter().enumerate() {
        let shorter = (is_sum(node) && !inner[id]).then(|| {
            let (mut terms, mut pending) = (vec![], vec![id]);
            while let Some(x) = pending.pop() {
                let sum = x == id || inner[x];
                if sum { pending.extend(dag.nodes[x].inputs.iter().rev()) } else { terms.push((renamed[x], uses[x])) }
            }
            stacker.shorter(node, &terms)
        });
        renamed.push(shorter.flatten().unwrap_or_else(|| {
            let inputs = node.inputs.iter().map(|&x| renamed[x]).collect();
            stacker.push(Entry { inputs, ..node.clone() })
        }));
    }
    stacker.result.roots = dag.roots.iter().map(|&r| renamed[r]).collect();
    stacker.result.without_dead()
}

/// What a term is joined with.
#[derive(Clone, Copy)]
enum Joined {
    Product,
    Sum,
    Nothing,
}

struct Stacker {
    result: Dag,
    /// For a value the stacks that hold it and its place in them.
    stacks: HashMap<NodeId, Vec<(NodeId, usize)>>,
}

impl Stacker {
    fn push(&mut self, node: Entry) -> NodeId {
        let id = self.result.nodes.len();
        if let Op::Concat(Concat { axis }) = &node.op
            && node.shape.at(1)[..*axis].iter().all(|&n| n == 1)
        {
            for (place, &x) in node.inputs.iter().enumerate() {
                self.stacks.entry(self.bare(x)).or_default().push((id, place));
            }
        }
        self.result.nodes.push(node);
        id
    }

    /// The value without changes of its shape.
    fn bare(&self, mut x: NodeId) -> NodeId {
        while matches!(self.result.nodes[x].op, Op::Reshape(_)) {
            x = self.result.nodes[x].inputs[0];
        }
        x
    }

    fn len(&self, x: NodeId) -> usize {
        self.result.nodes[x].shape.len_at(1)
    }

    /// The sum of terms, given with how often each is read, with fewer terms; none if there are no terms to join.
    fn shorter(&mut self, sum: &Entry, terms: &[(NodeId, usize)]) -> Option<NodeId> {
        let (mut products, mut sums, mut joined) = (vec![], vec![], vec![]);
        for &(x, uses) in terms {
            let bare = &self.result.nodes[self.bare(x)];
            joined.push(match &bare.op {
                Op::MatMul(MatMul { transpose_a: true, transpose_b: false }) if uses == 1 && bare.shape.rank() == 2 => {
                    products.push((bare.inputs[0], bare.inputs[1]));
                    Joined::Product
                }
                Op::Reduce(Reduce { axes, mean: false, scale }) if uses == 1 && *axes == [0] && *scale == 1.0 => {
                    sums.push(bare.inputs[0]);
                    Joined::Sum
                }
                _ => Joined::Nothing,
            });
        }
        let pays = products.iter().all(|&(a, b)| {
            let (rows, columns) = (self.result.nodes[a].shape.at(1)[1], self.result.nodes[b].shape.at(1)[1]);
            self.len(a) + self.len(b) < 2 * rows * columns
        });
        let products_join = products.len() >= MANY || products.len() > 1 && pays;
        let sums_join = sums.len() >= MANY && self.are_rows(&sums);
        if !products_join && !sums_join {
            return None;
        }
        let stays = |how: Joined| match how {
            Joined::Product => !products_join,
            Joined::Sum => !sums_join,
            Joined::Nothing => true,
        };
        let stay = terms.iter().zip(joined).filter(|(_, how)| stays(*how));
        let mut rest: Vec<NodeId> = stay.map(|(&(x, _), _)| x).collect();
        if products_join {
            rest.push(self.product(sum, &products));
        }
        if sums_join {
            rest.push(self.sum_of_rows(sum, &sums));
        }
        rest.into_iter().reduce(|a, b| self.push(Entry { inputs: vec![a, b], ..sum.clone() }))
    }

    /// Whether these are matrices with equally long rows.
    fn are_rows(&self, parts: &[NodeId]) -> bool {
        let columns = |x: NodeId| (self.result.nodes[x].shape.rank() == 2).then(|| self.result.nodes[x].shape.at(1)[1]);
        columns(parts[0]).is_some() && parts.iter().all(|&x| columns(x) == columns(parts[0]))
    }

    fn product(&mut self, sum: &Entry, factors: &[(NodeId, NodeId)]) -> NodeId {
        let mut factors = factors.to_vec();
        // In the order of a stack that is there.
        if let Some((_, order)) = self.find(&factors.iter().map(|f| f.1).collect::<Vec<_>>()) {
            factors = order.into_iter().map(|i| factors[i]).collect();
        } else if let Some((_, order)) = self.find(&factors.iter().map(|f| f.0).collect::<Vec<_>>()) {
            factors = order.into_iter().map(|i| factors[i]).collect();
        }
        let (a, b): (Vec<NodeId>, Vec<NodeId>) = factors.into_iter().unzip();
        let inputs = vec![self.stack(sum, &a), self.stack(sum, &b)];
        let shape = Shape::fixed(&inputs.iter().map(|&x| self.result.nodes[x].shape.at(1)[1]).collect::<Vec<_>>());
        let op = MatMul { transpose_a: true, transpose_b: false };
        let product = self.push(Entry { op: op.into(), inputs, shape, ..sum.clone() });
        self.reshape(sum, product, sum.shape.clone())
    }

    fn sum_of_rows(&mut self, sum: &Entry, parts: &[NodeId]) -> NodeId {
        let order = self.find(parts).map_or_else(|| (0..parts.len()).collect(), |(_, order)| order);
        let x = self.stack(sum, &order.into_iter().map(|i| parts[i]).collect::<Vec<_>>());
        let shape = Shape::fixed(&[1, self.result.nodes[x].shape.at(1)[1]]);
        let op = Reduce { axes: vec![0], mean: false, scale: 1.0 };
        let total = self.push(Entry { op: op.into(), inputs: vec![x], shape, ..sum.clone() });
        self.reshape(sum, total, sum.shape.clone())
    }

    fn reshape(&mut self, like: &Entry, x: NodeId, shape: Shape) -> NodeId {
        if self.result.nodes[x].shape == shape {
            return x;
        }
        let op = Reshape { shape: shape.clone() };
        self.push(Entry { op: op.into(), inputs: vec![x], shape, ..like.clone() })
    }

    /// A stack that holds these values side by side, and in which order: the stack with its first place, and the values' numbers.
    fn find(&self, parts: &[NodeId]) -> Option<((NodeId, usize), Vec<usize>)> {
        let known = |x: NodeId| self.stacks.get(&self.bare(x)).map_or(&[][..], |known| known);
        known(parts[0]).iter().find_map(|&(stack, _)| {
            let place = |&x: &NodeId| known(x).iter().find(|(of, _)| *of == stack).map(|&(_, place)| place);
            let places: Vec<usize> = parts.iter().map(place).collect::<Option<_>>()?;
            let mut order: Vec<usize> = (0..parts.len()).collect();
            order.sort_by_key(|&i| places[i]);
            let first = places[order[0]];
            order.iter().enumerate().all(|(n, &i)| places[i] == first + n).then_some(((stack, first), order))
        })
    }

    /// Matrices `[k, n]` one below the other: rows of a stack that is there, or a new one.
    fn stack(&mut self, like: &Entry, parts: &[NodeId]) -> NodeId {
        let columns = self.result.nodes[parts[0]].shape.at(1)[1];
        let len: usize = parts.iter().map(|&x| self.len(x)).sum();
        let rows = len / columns;
        if let Some(((stack, first), order)) = self.find(parts)
            && order.iter().copied().eq(0..parts.len())
        {
            let before: usize = self.result.nodes[stack].inputs[..first].iter().map(|&x| self.len(x)).sum();
            let all = self.len(stack);
            if before.is_multiple_of(columns) && all.is_multiple_of(columns) {
                let whole = self.reshape(like, stack, Shape::fixed(&[all / columns, columns]));
                if len == all {
                    return whole;
                }
                let start = before / columns;
                let op = Slice { axis: 0, start, stop: start + rows, step: 1 };
                let shape = Shape::fixed(&[rows, columns]);
                return self.push(Entry { op: op.into(), inputs: vec![whole], shape, ..like.clone() });
            }
        }
        let (op, shape) = (Concat { axis: 0 }, Shape::fixed(&[rows, columns]));
        self.push(Entry { op: op.into(), inputs: parts.to_vec(), shape, ..like.clone() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::passes::concrete::concrete;
    use crate::passes::simplify::simplify;
    use crate::{Graph, Mode, Node};

    /// The kernels of a recurrence `h = tanh(h·w)`, its result, and the gradient of w.
    fn ops(steps: usize) -> (Vec<&'static str>, Vec<&'static str>) {
        let g = Graph::new();
        let w = g.variable("w", [4, 4], crate::Constant(0.5), crate::Role::Weight);
        let mut h = g.input("x", [4]);
        for _ in 0..steps {
            h = h.matmul(&w).tanh();
        }
        let dw: Node = g.gradients(&h.square().sum_all(), &[&w]).unwrap().remove(0);
        let model = g.model(&[("dw", &dw)]).unwrap();
        let root = model.inner.outputs[0].1;
        let before = simplify(&concrete(&model.inner.nodes, &[root], 3, Mode::Train));
        let names = |dag: &Dag| {
            dag.nodes.iter().map(|n| n.op.name()).filter(|n| ["matmul", "add", "concat"].contains(n)).collect()
        };
        (names(&before), names(&stack_products(&before)))
    }

    #[test]
    fn the_gradient_of_weights_used_in_every_step_is_one_product() {
        let (before, after) = ops(4);
        let count = |names: &[&str], name| names.iter().filter(|n| **n == name).count();
        assert_eq!((count(&before, "matmul"), count(&before, "add"), count(&before, "concat")), (11, 3, 0));
        assert_eq!((count(&after, "matmul"), count(&after, "add"), count(&after, "concat")), (8, 0, 2));
        let (before, after) = ops(1);
        assert_eq!(before, after);
    }
}
