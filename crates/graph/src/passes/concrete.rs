//! Puts the batch size and the mode into a model's graph, and brings reductions into the form that kernels have.

use super::Dag;
use crate::model::{Entry, NodeId};
use crate::ops::{Fill, Mul, Reduce};
use crate::{Mode, Op};
use gradus_tensor::Shape;

/// The graph of the roots at a batch size: every size fixed, every switch decided.
pub(crate) fn concrete(nodes: &[Entry], roots: &[NodeId], batch: usize, mode: Mode) -> Dag {
    let mut resolved: Vec<NodeId> = vec![];
    let mut result: Vec<Entry> = vec![];
    for node in nodes {
        let inputs: Vec<NodeId> = node.inputs.iter().map(|&i| resolved[i]).collect();
        if let Op::Switch(_) = node.op {
            resolved.push(inputs[if mode == Mode::Train { 0 } else { 1 }]);
            continue;
        }
        let shape = Shape::fixed(&node.shape.at(batch));
        let op = match &node.op {
            Op::Fill(fill) => Op::Fill(Fill { value: fill.value, shape: shape.clone() }),
            Op::Count(count) => Op::Fill(Fill { value: count.of.len_at(batch) as f64, shape: shape.clone() }),
            op => op.clone(),
        };
        let entry = Entry { op, inputs, shape, ..node.clone() };
        match &entry.op {
            Op::Reduce(reduce) => {
                let id = reduce_runs(&mut result, &entry, reduce);
                resolved.push(id);
            }
            _ => {
                result.push(entry);
                resolved.push(result.len() - 1);
            }
        }
    }
    Dag { nodes: result, roots: roots.iter().map(|&r| resolved[r]).collect() }.without_dead()
}

/// One kernel reduces one run of neighbouring axes: reduces run by run, the last first. Axes of size 1 need none.
fn reduce_runs(nodes: &mut Vec<Entry>, node: &Entry, reduce: &Reduce) -> NodeId {
    let mut x = node.inputs[0];
    let mut sizes = nodes[x].shape.at(1);
    let mut axes: Vec<usize> = reduce.axes.iter().copied().filter(|&a| sizes[a] != 1).collect();
    while let Some(last) = axes.pop() {
        let mut run = vec![last];
        while let Some(&next) = axes.last()
            && (next + 1..run[0]).all(|a| sizes[a] == 1)
        {
            run.insert(0, next);
            axes.pop();
        }
        run.iter().for_each(|&a| sizes[a] = 1);
        let scale = if axes.is_empty() { reduce.scale } else { 1.0 };
        let op = Reduce { axes: run, mean: reduce.mean, scale }.into();
        nodes.push(Entry { op, inputs: vec![x], shape: Shape::fixed(&sizes), ..node.clone() });
        x = nodes.len() - 1;
    }
    match nodes[x].op {
        // Nothing to reduce, but still to scale.
        Op::Reduce(_) if x != node.inputs[0] => x,
        _ if reduce.scale == 1.0 => x,
        _ => {
            let fill = Fill { value: reduce.scale, shape: Shape::scalar() };
            nodes.push(Entry { op: fill.into(), inputs: vec![], shape: Shape::scalar(), ..node.clone() });
            let inputs = vec![x, nodes.len() - 1];
            nodes.push(Entry { op: Mul.into(), inputs, shape: nodes[x].shape.clone(), ..node.clone() });
            nodes.len() - 1
        }
    }
}
