//! Reverse-mode differentiation, graph to graph: the gradient is made of nodes, so it can be differentiated again.

use crate::graph::Graph;
use crate::model::NodeId;
use crate::op::{Grad, Result};
use crate::{GraphError, Node, Op};
use gradus_tensor::Dim;
use std::sync::Arc;

/// The last part of the path of a layer's gradients.
const GRADIENT: &str = "gradient";

impl Graph {
    /// The gradients of a single number with respect to some nodes (variables, inputs or others), each of its node's shape.
    ///
    /// # Errors
    /// A node that the loss does not depend on, or only through ops without gradient, is an error that names it and says where the
    /// path was cut: no gradient is ever silently 0. The graph's own first error comes before that.
    ///
    /// ```
    /// use gradus_graph::{Constant, Graph, Role};
    /// let g = Graph::new();
    /// let w = g.variable("w", [2], Constant(3.0), Role::Weight);
    /// let loss = w.square().sum_all();
    /// let dw = g.gradients(&loss, &[&w]).unwrap();
    /// assert_eq!(dw[0].shape(), w.shape());
    /// ```
    pub fn gradients(&self, loss: &Node, targets: &[&Node]) -> Result<Vec<Node>> {
        if let Some(error) = self.0.borrow().errors.first() {
            return Err(error.clone());
        }
        if loss.shape().rank() != 0 {
            return Err(GraphError::NotScalar { shape: loss.shape().to_string() });
        }
        let (ops, inputs): (Vec<Op>, Vec<Vec<NodeId>>) = {
            let g = self.0.borrow();
            g.nodes[..=loss.id].iter().map(|n| (n.op.clone(), n.inputs.clone())).unzip()
        };
        // Which nodes lead to a target: gradients are made along those only.
        let mut wanted = vec![false; loss.id + 1];
        for target in targets.iter().filter(|t| t.id <= loss.id) {
            wanted[target.id] = true;
        }
        for id in 0..=loss.id {
            wanted[id] |= inputs[id].iter().any(|&i| wanted[i]);
        }
        let node = |id: NodeId| Node { graph: self.clone(), id };
        let mut parts: Vec<Vec<Node>> = vec![vec![]; loss.id + 1];
        let mut sums: Vec<Option<Node>> = vec![None; loss.id + 1];
        let mut cuts: Vec<Option<String>> = vec![None; loss.id + 1];
        parts[loss.id].push(self.scalar(1.0));
        for id in (0..=loss.id).rev() {
            let first = self.0.borrow().nodes.len();
            sums[id] = total(std::mem::take(&mut parts[id]));
            let flows = wanted[id] && !inputs[id].is_empty();
            let Some(dy) = sums[id].clone().filter(|_| flows) else {
                self.belong(first, id);
                continue;
            };
            let x: Vec<Node> = inputs[id].iter().map(|&i| node(i)).collect();
            let grads = ops[id].grad(&x, &node(id), &dy);
            self.belong(first, id);
            debug_assert_eq!(grads.len(), x.len(), "{} gives one gradient for each input", ops[id].name());
            for (&input, grad) in inputs[id].iter().zip(grads) {
                match grad {
                    _ if !wanted[input] => {}
                    Grad::Flow(dx) => parts[input].push(dx),
                    Grad::Stop(why) => {
                        cuts[input] =
                            Some(format!("`{}` in `{}`: {why}", ops[id].name(), self.0.borrow().nodes[id].path));
                    }
                }
            }
        }
        if let Some(error) = self.0.borrow().errors.first() {
            return Err(error.clone());
        }
        targets
            .iter()
            .map(|t| {
                sums.get(t.id).cloned().flatten().ok_or_else(|| GraphError::NoGradient {
                    variable: self.name(t),
                    cut: self.cut(t.id, &inputs, &cuts),
                })
            })
            .collect()
    }

    /// Puts the nodes from `first` on, which have no path of their own, with the layer whose gradient they are.
    fn belong(&self, first: usize, of: NodeId) {
        let mut g = self.0.borrow_mut();
        let path: Arc<str> = match &*g.nodes[of].path {
            "" => return,
            path => format!("{path}/{GRADIENT}").into(),
        };
        g.nodes[first..].iter_mut().filter(|node| node.path.is_empty()).for_each(|node| node.path = path.clone());
    }

    fn name(&self, node: &Node) -> String {
        let g = self.0.borrow();
        match g.nodes[node.id].op {
            Op::Variable(v) => g.variables[v].path.clone(),
            Op::Input(i) => g.inputs[i].name.clone(),
            _ => format!("%{} in {}", node.id, g.nodes[node.id].path),
        }
    }

    /// The first cut downstream of a node, or that there is nothing downstream.
    fn cut(&self, from: NodeId, inputs: &[Vec<NodeId>], cuts: &[Option<String>]) -> String {
        let mut reached = vec![false; inputs.len()];
        for id in from..inputs.len() {
            if id == from || inputs[id].iter().any(|&i| reached[i]) {
                reached[id] = true;
                if let Some(cut) = &cuts[id] {
                    return cut.clone();
                }
            }
        }
        "the loss does not depend on it".into()
    }
}

/// The sum of what flows back to one node along several paths.
///
/// Gradients of slices are zero but for their part. Those that do not overlap are put side by side: one pass over the whole instead
/// of one for each slice, which a sequence cut into its steps would pay for with the square of its length.
fn total(parts: Vec<Node>) -> Option<Node> {
    let slice = |part: &Node| match part.op() {
        Op::Pad(pad) if pad.value == 0.0 => Some(pad),
        _ => None,
    };
    let first = parts.iter().find_map(slice).map(|pad| pad.axis);
    let (slices, mut rest): (Vec<Node>, Vec<Node>) =
        parts.into_iter().partition(|part| first.is_some() && slice(part).map(|pad| pad.axis) == first);
    match first.and_then(|axis| side_by_side(&slices, axis)) {
        Some(joined) => rest.push(joined),
        None => rest.splice(..0, slices).for_each(drop),
    }
    rest.into_iter().reduce(|sum, part| sum + part)
}

/// Slices in a border of zeros each, as one value; none if there are not several or if they overlap.
fn side_by_side(slices: &[Node], axis: usize) -> Option<Node> {
    let mut placed: Vec<(usize, usize, Node)> = slices
        .iter()
        .filter_map(|part| {
            let Op::Pad(pad) = part.op() else { return None };
            let size = part.shape().dims()[axis].fixed()?;
            let graph = part.graph();
            let inner = graph.node(graph.0.borrow().nodes[part.id].inputs[0])?;
            Some((pad.before, size - pad.after, inner))
        })
        .collect();
    placed.sort_by_key(|(start, ..)| *start);
    let (whole, graph) = (slices.first()?.shape(), slices[0].graph());
    if placed.len() < 2 || placed.len() != slices.len() || placed.windows(2).any(|pair| pair[0].1 > pair[1].0) {
        return None;
    }
    let (start, end) = (placed[0].0, placed[placed.len() - 1].1);
    let mut row: Vec<Node> = vec![];
    let mut at = start;
    for (from, to, part) in placed {
        if from > at {
            let mut gap = whole.dims().to_vec();
            gap[axis] = Dim::Fixed(from - at);
            row.push(graph.fill(0.0, gap));
        }
        row.push(part);
        at = to;
    }
    let size = whole.dims()[axis].fixed()?;
    let joined = Node::concat(&row.iter().collect::<Vec<_>>(), axis as isize);
    Some(joined.pad(axis as isize, start, size - end, 0.0))
}
