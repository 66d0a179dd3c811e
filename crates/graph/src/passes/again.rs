//! Values that are computed again by every kernel that needs them, instead of being stored once and read by each.
//!
//! * Few cheap operations on one other value: the mask of a rectifier is made again from its output.
//! * Where values are too many for the caches, also with factors and terms that are few (those of a batch norm, one for each channel), and
//!   of two values, if these are in memory anyway: a pass over memory costs more than some operations.

use super::Dag;
use crate::model::NodeId;
use crate::ops::Comparison;
use crate::{Kernel, Op};
use gradus_kernels::{Binary, Inst, Unary};

/// Values with fewer elements are near at hand once they are stored.
const LARGE: usize = 1 << 15;
/// Operations that cost less than reading one value, and less than reading two.
const COSTS: [usize; 2] = [4, 6];
/// What is few compared with the values.
const FEW: usize = 16;

/// What a node is made of, through free nodes.
struct Makings {
    cost: usize,
    /// Other values of the node's shape.
    whole: Vec<NodeId>,
    /// Whether there are factors or terms for some axes alone.
    few: bool,
}

/// Whether a node is cheap to compute again, and used only elementwise.
pub(super) fn cheap(dag: &Dag, kernels: &[Option<Kernel>], free: &[bool], users: &[Vec<NodeId>], id: NodeId) -> bool {
    let node = &dag.nodes[id];
    if dag.roots.contains(&id) || node.shape.rank() == 0 {
        return false;
    }
    let elementwise = |&user: &NodeId| match &kernels[user] {
        Some(Kernel::Map(_)) => dag.nodes[user].shape == node.shape,
        Some(Kernel::Reduce { .. }) => true,
        _ => false,
    };
    if users[id].is_empty() || !users[id].iter().all(elementwise) {
        return false;
    }
    let Some(made) = makings(dag, kernels, free, id) else { return false };
    let large = node.shape.len_at(1) >= LARGE && made.whole.iter().all(|&x| is_stored(kernels, users, x));
    match made.whole.len() {
        1 => made.cost <= COSTS[0] && (!made.few || large),
        2 => made.cost <= COSTS[1] && large && users[id].len() <= 3,
        _ => false,
    }
}

/// The operations and values that make a node; none if there are dear ones.
fn makings(dag: &Dag, kernels: &[Option<Kernel>], free: &[bool], id: NodeId) -> Option<Makings> {
    let shape = &dag.nodes[id].shape;
    let mut made = Makings { cost: 0, whole: vec![], few: false };
    let mut stack = vec![id];
    let mut seen = vec![];
    while let Some(n) = stack.pop() {
        let Some(Kernel::Map(expr)) = &kernels[n] else { return None };
        if dag.nodes[n].shape != *shape && dag.constant(n).is_none() {
            return None;
        }
        for inst in expr.insts() {
            made.cost += match inst {
                Inst::Input(_) | Inst::Const(_) => 0,
                Inst::Unary(Unary::Neg | Unary::Abs | Unary::Square, _) | Inst::Select(..) => 1,
                Inst::Binary(f, _, _) if !matches!(f, Binary::Pow | Binary::Div) => 1,
                _ => return None,
            };
        }
        for &x in dag.nodes[n].inputs.iter().filter(|&x| !seen.contains(x)).collect::<Vec<_>>() {
            seen.push(x);
            let mut source = x;
            while matches!(dag.nodes[source].op, Op::Expand(_)) {
                source = dag.nodes[source].inputs[0];
            }
            if free[x] {
                stack.push(x);
            } else if dag.nodes[source].shape == *shape {
                made.whole.push(source);
            } else if dag.nodes[source].shape.len_at(1) * FEW <= shape.len_at(1) {
                made.few = true;
            } else {
                return None;
            }
        }
    }
    Some(made)
}

/// Whether a value is in memory whatever becomes of those that are made of it: a kernel of its own makes it, or needs it.
fn is_stored(kernels: &[Option<Kernel>], users: &[Vec<NodeId>], id: NodeId) -> bool {
    let fused = |kernel: &Option<Kernel>| {
        matches!(kernel, Some(Kernel::Map(_) | Kernel::MatMul { .. } | Kernel::Reduce { .. }))
    };
    !fused(&kernels[id])
        || users[id].iter().any(|&user| match &kernels[user] {
            Some(Kernel::View { .. } | Kernel::Reshape) | None => false,
            Some(Kernel::MatMul { .. }) => true,
            kernel => !fused(kernel),
        })
}

/// The masks of rectifiers made from what the rectifier was given, where that is cheap to compute again: then its output need not be read.
pub(crate) fn masks_of_sources(dag: &Dag) -> Dag {
    let mut changed = dag.clone();
    let mut masks = vec![];
    for id in 0..dag.nodes.len() {
        let node = &dag.nodes[id];
        if let Op::Compare(compare) = &node.op
            && compare.relation == Comparison::Greater
            && dag.constant(node.inputs[1]) == Some(0.0)
            && matches!(dag.nodes[node.inputs[0]].op, Op::Relu(_))
        {
            changed.nodes[id].inputs[0] = dag.nodes[node.inputs[0]].inputs[0];
            masks.push(id);
        }
    }
    if masks.is_empty() {
        return changed;
    }
    let kernels: Vec<Option<Kernel>> = (0..changed.nodes.len()).map(|id| changed.kernel(id)).collect();
    let mut users: Vec<Vec<NodeId>> = vec![vec![]; changed.nodes.len()];
    for (id, node) in changed.nodes.iter().enumerate() {
        node.inputs.iter().for_each(|&x| users[x].push(id));
    }
    let mut free = vec![false; changed.nodes.len()];
    for id in 0..free.len() {
        free[id] = changed.constant(id).is_some() || cheap(&changed, &kernels, &free, &users, id);
    }
    for id in masks {
        let source = changed.nodes[id].inputs[0];
        let made = makings(&changed, &kernels, &free, source).filter(|made| free[source] && made.whole.len() == 1);
        if made.is_none() {
            changed.nodes[id].inputs.clone_from(&dag.nodes[id].inputs);
        }
    }
    changed
}
