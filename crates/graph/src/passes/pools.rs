//! Algebra of windows' largest elements: what grows with its input is applied to the few pooled values instead of all that windows see.
//!
//! * `max(x + b) = max(x) + b` for b the same in all places of a window, and `max(relu(x)) = relu(max(x))`: to the bit, since rounding keeps
//!   the order.
//! * Their gradients alike: what goes back to the largest elements and is then cut where the rectifier was off is cut before it goes back.
//! * A window hands its value to one place: the sum of what went back is the sum of what was there.

use super::simplify::Builder;
use crate::Op;
use crate::model::{Entry, NodeId};
use crate::ops::{Add, Comparison, MaxPool, MaxPoolReturn, Mul, Reduce, Relu};
use gradus_tensor::Dim;

impl Builder {
    /// The maximum of windows over values that a rectifier or a bias made.
    pub(super) fn pool_before(&mut self, node: &Entry) -> Option<NodeId> {
        let Op::MaxPool(pool) = &node.op else { return None };
        let source = self.dag.nodes[node.inputs[0]].clone();
        let (rest, op, others): (NodeId, Op, _) = match source.op {
            Op::Relu(_) => (source.inputs[0], Relu.into(), vec![]),
            Op::Add(_) => {
                let (x, bias) = self.biased(&source)?;
                (x, Add.into(), vec![bias])
            }
            _ => return None,
        };
        let pooled =
            self.place(Entry { op: MaxPool { axes: pool.axes.clone() }.into(), inputs: vec![rest], ..node.clone() });
        Some(self.place(Entry { op, inputs: [vec![pooled], others].concat(), ..node.clone() }))
    }

    /// The gradient of windows over rectified values, times the rectifier's mask.
    pub(super) fn mask_before_return(&mut self, node: &Entry) -> Option<NodeId> {
        let Op::Mul(_) = node.op else { return None };
        let [a, b] = node.inputs[..] else { return None };
        self.masked_return(node, a, b).or_else(|| self.masked_return(node, b, a))
    }

    fn masked_return(&mut self, node: &Entry, back: NodeId, mask: NodeId) -> Option<NodeId> {
        let Entry { op: Op::MaxPoolReturn(pool), inputs, .. } = &self.dag.nodes[back] else { return None };
        let (rectified, dy, axes) = (inputs[0], inputs[1], pool.axes.clone());
        let Entry { op: Op::Relu(_), inputs: before, .. } = &self.dag.nodes[rectified] else { return None };
        let mut source = before[0];
        let Entry { op: Op::Compare(compare), inputs: compared, .. } = &self.dag.nodes[mask] else { return None };
        let (compare, zero) = (compare.clone(), compared[1]);
        let positive = compare.relation == Comparison::Greater
            && (compared[0] == rectified || compared[0] == source)
            && self.dag.constant(zero) == Some(0.0)
            && self.shape(mask) == self.shape(rectified);
        if !positive {
            return None;
        }
        let small = self.dag.nodes[dy].clone();
        let mut place = |op: Op, inputs| self.place(Entry { op, inputs, shape: small.shape.clone(), ..node.clone() });
        let pooled = place(MaxPool { axes: axes.clone() }.into(), vec![rectified]);
        let on = place(compare.into(), vec![pooled, zero]);
        let dy = place(Mul.into(), vec![dy, on]);
        if let Some((x, _)) = self.biased(&self.dag.nodes[source]) {
            source = x;
        }
        Some(self.place(Entry { op: MaxPoolReturn { axes }.into(), inputs: vec![source, dy], ..node.clone() }))
    }

    /// The sum, over all places at least, of what went back to the largest elements of windows.
    pub(super) fn sum_before_return(&mut self, node: &Entry) -> Option<NodeId> {
        let Op::Reduce(reduce) = &node.op else { return None };
        let Entry { op: Op::MaxPoolReturn(_), inputs, shape, .. } = &self.dag.nodes[node.inputs[0]] else {
            return None;
        };
        if !(1..shape.rank() - 1).all(|axis| reduce.axes.contains(&axis)) {
            return None;
        }
        let (dy, all) = (inputs[1], shape.at(1));
        let scale = match reduce.mean {
            true => reduce.scale / reduce.axes.iter().map(|&axis| all[axis]).product::<usize>() as f64,
            false => reduce.scale,
        };
        let sum = Reduce { axes: reduce.axes.clone(), mean: false, scale };
        Some(self.place(Entry { op: sum.into(), inputs: vec![dy], ..node.clone() }))
    }

    /// Values and what is added to them in all places alike, of `[B, ..sizes, C]`.
    fn biased(&self, node: &Entry) -> Option<(NodeId, NodeId)> {
        let (Op::Add(_), [a, b]) = (&node.op, &node.inputs[..]) else { return None };
        let whole = |x: NodeId| *self.shape(x) == node.shape;
        let same_everywhere = |x: NodeId| {
            let dims = self.shape(x).dims();
            dims.len() <= node.shape.rank() && dims.iter().rev().skip(1).all(|&d| d == Dim::Fixed(1))
        };
        match (*a, *b) {
            (x, bias) if whole(x) && same_everywhere(bias) => Some((x, bias)),
            (bias, x) if whole(x) && same_everywhere(bias) => Some((x, bias)),
            _ => None,
        }
    }
}
