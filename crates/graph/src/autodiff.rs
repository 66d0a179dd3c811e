//! Reverse-mode differentiation, graph to graph: the gradient is made of nodes, so it can be differentiated again.

use crate::graph::Graph;
use crate::model::NodeId;
use crate::op::{Grad, Result};
use crate::{GraphError, Node, Op};

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
        let mut sums: Vec<Option<Node>> = vec![None; loss.id + 1];
        let mut cuts: Vec<Option<String>> = vec![None; loss.id + 1];
        sums[loss.id] = Some(self.scalar(1.0));
        for id in (0..=loss.id).rev() {
            let Some(dy) = sums[id].clone().filter(|_| wanted[id] && !inputs[id].is_empty()) else { continue };
            let x: Vec<Node> = inputs[id].iter().map(|&i| node(i)).collect();
            let grads = ops[id].grad(&x, &node(id), &dy);
            debug_assert_eq!(grads.len(), x.len(), "{} gives one gradient for each input", ops[id].name());
            for (&input, grad) in inputs[id].iter().zip(grads) {
                match grad {
                    _ if !wanted[input] => {}
                    Grad::Flow(dx) => {
                        sums[input] = Some(match sums[input].take() {
                            Some(sum) => sum + dx,
                            None => dx,
                        });
                    }
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
