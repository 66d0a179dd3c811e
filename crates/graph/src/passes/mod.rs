//! From a symbolic model to a small concrete graph: each pass is a function from graph to graph.
//!
//! | pass | does |
//! |---|---|
//! | [`concrete`] | puts in the batch size and the mode, keeps what is asked for |
//! | [`simplify`] | folds constants, applies algebra, merges equal nodes, until nothing changes |
//! | [`stack`] | makes one product of a sum of products, such as the gradient of a recurrence's weights |
//! | [`split`] | lets large gradients be applied where they are computed |
//! | [`again`] | decides what is computed again instead of stored |
//! | [`group`] | decides which nodes are computed together by one kernel |
//!
//! [`fold`](fn@fold::fold) is another kind of pass: from a model and its values to a smaller model that predicts the same.

pub(crate) mod again;
mod centred;
pub(crate) mod concrete;
pub(crate) mod fold;
pub(crate) mod group;
mod pools;
pub(crate) mod simplify;
mod sink;
pub(crate) mod split;
pub(crate) mod stack;

use crate::model::{Entry, NodeId};
use crate::{Kernel, Op};

/// A graph of concrete sizes and the nodes that are wanted of it.
#[derive(Clone, Debug)]
pub(crate) struct Dag {
    pub(crate) nodes: Vec<Entry>,
    pub(crate) roots: Vec<NodeId>,
}

impl Dag {
    pub(crate) fn sizes(&self, id: NodeId) -> Vec<usize> {
        self.nodes[id].shape.at(1)
    }

    pub(crate) fn kernel(&self, id: NodeId) -> Option<Kernel> {
        let node = &self.nodes[id];
        let x: Vec<Vec<usize>> = node.inputs.iter().map(|&i| self.sizes(i)).collect();
        node.op.kernel(&x, &self.sizes(id))
    }

    /// The constant that a node is, if it is one.
    pub(crate) fn constant(&self, id: NodeId) -> Option<f64> {
        match &self.nodes[id].op {
            Op::Fill(fill) => Some(fill.value),
            _ => None,
        }
    }

    /// The same graph without the nodes that no root needs.
    pub(crate) fn without_dead(&self) -> Dag {
        let mut live = vec![false; self.nodes.len()];
        let mut stack = self.roots.clone();
        while let Some(id) = stack.pop() {
            if !std::mem::replace(&mut live[id], true) {
                stack.extend(&self.nodes[id].inputs);
            }
        }
        let mut renamed = vec![usize::MAX; self.nodes.len()];
        let mut nodes = vec![];
        for (id, node) in self.nodes.iter().enumerate().filter(|(id, _)| live[*id]) {
            renamed[id] = nodes.len();
            let mut node = node.clone();
            node.inputs.iter_mut().for_each(|i| *i = renamed[*i]);
            nodes.push(node);
        }
        Dag { nodes, roots: self.roots.iter().map(|&r| renamed[r]).collect() }
    }
}
