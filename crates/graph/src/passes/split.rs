//! Splits the optimiser's sweep over a flat vector at large parameters whose gradient is a product or an elementwise function: their
//! part of the sweep then joins the kernel of the gradient, which never goes through memory.

use super::Dag;
use crate::model::{Entry, NodeId, padded};
use crate::ops::{Fill, Reshape, Slice};
use crate::{Kernel, Op};
use gradus_tensor::Shape;
use std::collections::HashMap;

/// Gradients with fewer elements stay in the common sweep: one kernel more would cost more than it saves.
const LARGE: usize = 16384;

/// A stretch of a flat vector: one large gradient, or everything between two of them.
struct Segment {
    start: usize,
    shape: Shape,
    /// The gradient over the stretch.
    gradient: NodeId,
}

/// Splits the updates, given as (first element of the state, position in the roots), and returns the new graph and updates.
pub(crate) fn split_updates(dag: &Dag, updates: &[(usize, usize)]) -> (Dag, Vec<(usize, usize)>) {
    let mut result = dag.clone();
    let mut updates = updates.to_vec();
    for pack in (0..dag.nodes.len()).filter(|&id| matches!(dag.nodes[id].op, Op::Pack(_))) {
        let after = dependents(dag, pack);
        if is_gathered(dag, pack, &after) {
            continue;
        }
        let of_pack = |root: usize| {
            let id = dag.roots[root];
            after[id] && splits(dag, id, pack)
        };
        let (swept, others): (Vec<_>, Vec<_>) = updates.iter().partition(|u| u.1 < dag.roots.len() && of_pack(u.1));
        let segments = segments(&mut result, dag, pack);
        let as_before = |s: &Segment| matches!(result.nodes[s.gradient].op, Op::Pack(_));
        if swept.is_empty() || segments.iter().all(as_before) {
            continue;
        }
        updates = others;
        for segment in &segments {
            let mut made = HashMap::new();
            for &(target, root) in &swept {
                let id = part(&mut result, dag, dag.roots[root], pack, segment, &mut made);
                result.roots.push(id);
                updates.push((target + segment.start, result.roots.len() - 1));
                // The whole is not wanted any more.
                result.roots[root] = id;
            }
        }
    }
    (result, updates)
}

/// Whether a node is an elementwise function over the flat vector, of values that can be taken in parts.
fn splits(dag: &Dag, id: NodeId, pack: NodeId) -> bool {
    let node = &dag.nodes[id];
    if node.shape.rank() == 0 || id == pack {
        return true;
    }
    node.shape == dag.nodes[pack].shape
        && match &node.op {
            Op::Flat(_) | Op::Variable(_) | Op::Fill(_) => true,
            _ => {
                matches!(dag.kernel(id), Some(Kernel::Map(_)))
                    && !node.inputs.is_empty()
                    && node.inputs.iter().all(|&x| splits(dag, x, pack))
            }
        }
}

/// For each node whether it depends on the pack.
fn dependents(dag: &Dag, pack: NodeId) -> Vec<bool> {
    let mut after = vec![false; dag.nodes.len()];
    after[pack] = true;
    for id in pack + 1..after.len() {
        after[id] = dag.nodes[id].inputs.iter().any(|&x| after[x]);
    }
    after
}

/// Whether something needs the flat gradient as a whole, such as its norm: it goes through memory then, and splitting saves nothing.
fn is_gathered(dag: &Dag, pack: NodeId, after: &[bool]) -> bool {
    let flat = &dag.nodes[pack].shape;
    let takes = |node: &Entry| node.inputs.iter().any(|&x| after[x] && dag.nodes[x].shape == *flat);
    dag.nodes.iter().any(|node| node.shape != *flat && takes(node))
}

fn segments(result: &mut Dag, dag: &Dag, pack: NodeId) -> Vec<Segment> {
    let mut segments = vec![];
    let mut common: Vec<NodeId> = vec![];
    let (mut start, mut common_start) = (0, 0);
    let close = |result: &mut Dag, common: &mut Vec<NodeId>, from: usize, to: usize| {
        let shape = Shape::fixed(&[to - from]);
        let (op, inputs) = match std::mem::take(common) {
            none if none.is_empty() => return None,
            // Nothing to gather.
            one if one.len() == 1 && dag.nodes[one[0]].shape.len_at(1) == to - from => {
                (Reshape { shape: shape.clone() }.into(), one)
            }
            some => (dag.nodes[pack].op.clone(), some),
        };
        result.nodes.push(Entry { op, inputs, shape: shape.clone(), ..dag.nodes[pack].clone() });
        Some(Segment { start: from, shape, gradient: result.nodes.len() - 1 })
    };
    for &x in &dag.nodes[pack].inputs {
        let len = dag.nodes[x].shape.len_at(1);
        let mut base = x;
        while matches!(dag.nodes[base].op, Op::Reshape(_)) {
            base = dag.nodes[base].inputs[0];
        }
        let joins = matches!(dag.nodes[base].op, Op::MatMul(_)) || matches!(dag.kernel(base), Some(Kernel::Map(_)));
        if len >= LARGE && joins && dag.nodes[base].shape.len_at(1) == len {
            segments.extend(close(result, &mut common, common_start, start));
            segments.push(Segment { start, shape: dag.nodes[base].shape.clone(), gradient: base });
            common_start = start + padded(len);
        } else {
            common.push(x);
        }
        start += padded(len);
    }
    segments.extend(close(result, &mut common, common_start, start));
    segments
}

/// The part of a node over a segment.
fn part(
    result: &mut Dag,
    dag: &Dag,
    id: NodeId,
    pack: NodeId,
    segment: &Segment,
    made: &mut HashMap<NodeId, NodeId>,
) -> NodeId {
    let node = &dag.nodes[id];
    if id == pack {
        return segment.gradient;
    }
    if node.shape.rank() == 0 {
        return id;
    }
    if let Some(&known) = made.get(&id) {
        return known;
    }
    let len = segment.shape.len_at(1);
    let mut add = |entry: Entry| {
        result.nodes.push(entry);
        result.nodes.len() - 1
    };
    let new = match &node.op {
        Op::Flat(_) | Op::Variable(_) => {
            let op = Slice { axis: 0, start: segment.start, stop: segment.start + len, step: 1 };
            let slice = add(Entry { op: op.into(), inputs: vec![id], shape: Shape::fixed(&[len]), ..node.clone() });
            if segment.shape.rank() == 1 {
                slice
            } else {
                let op = Reshape { shape: segment.shape.clone() };
                add(Entry { op: op.into(), inputs: vec![slice], shape: segment.shape.clone(), ..node.clone() })
            }
        }
        Op::Fill(fill) => {
            let op = Fill { value: fill.value, shape: segment.shape.clone() };
            add(Entry { op: op.into(), shape: segment.shape.clone(), ..node.clone() })
        }
        _ => {
            let inputs = node.inputs.iter().map(|&x| part(result, dag, x, pack, segment, made)).collect();
            result.nodes.push(Entry { inputs, shape: segment.shape.clone(), ..node.clone() });
            result.nodes.len() - 1
        }
    };
    made.insert(id, new);
    new
}
