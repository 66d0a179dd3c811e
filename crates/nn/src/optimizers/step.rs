//! What an update rule has at hand beside a parameter and its gradient.

use gradus_graph::{Constant, Graph, IntoNode, Node, Role};

/// What an update rule has at hand beside parameters and their gradient: the rate, the decay, the number of the step, and values that
/// it carries from step to step (slots).
pub struct Step {
    graph: Graph,
    len: usize,
    /// The learning rate of this step and of these parameters: a single number.
    pub lr: Node,
    /// λ of weight decay, 0 for parameters that do not decay.
    pub decay: f64,
    momentum: Option<Node>,
}

impl Step {
    /// A step for parameters `w`, a flat vector. `momentum` takes the place of the rule's own where a schedule moves it.
    pub(crate) fn new(w: &Node, lr: Node, decay: f64, momentum: Option<Node>) -> Step {
        Step { graph: w.graph().clone(), len: w.units(), lr, decay, momentum }
    }

    /// The number of this step, 1 in the first.
    pub fn t(&self) -> Node {
        self.graph.step() + 1.0
    }

    /// βᵗ, where t is the number of this step.
    pub fn power(&self, beta: impl IntoNode) -> Node {
        beta.into_node(&self.lr).pow(self.t())
    }

    /// The rule's own momentum, or what the schedule puts in its place (a one-cycle moves β₁ of Adam, too).
    pub fn momentum(&self, own: f64) -> Node {
        self.momentum.clone().unwrap_or_else(|| self.graph.scalar(own))
    }

    /// `g + λw`: decay as part of the gradient.
    pub fn decayed(&self, g: &Node, w: &Node) -> Node {
        if self.decay == 0.0 { g.clone() } else { g + w * self.decay }
    }

    /// `w·(1 - lr·λ)`: decay of the weights themselves, as in AdamW.
    pub fn shrunk(&self, w: &Node) -> Node {
        if self.decay == 0.0 { w.clone() } else { w * (1.0 - &self.lr * self.decay) }
    }

    /// The same step for a rule whose decay has been done.
    pub fn without_decay(&self) -> Step {
        Step {
            graph: self.graph.clone(),
            len: self.len,
            lr: self.lr.clone(),
            decay: 0.0,
            momentum: self.momentum.clone(),
        }
    }

    /// The new values of a slot, one for each parameter, given a formula for them in terms of the old: `let v = step.next("v", |v| v * μ + g);`.
    /// They start at 0.
    pub fn next(&self, name: &str, formula: impl FnOnce(&Node) -> Node) -> Node {
        self.next_from(name, 0.0, formula)
    }

    /// As [`Step::next`] for a slot that starts elsewhere.
    pub fn next_from(&self, name: &str, start: f64, formula: impl FnOnce(&Node) -> Node) -> Node {
        self.carry(&[self.len], name, start, formula)
    }

    /// As [`Step::next_from`] for one number that all parameters share.
    pub fn number(&self, name: &str, start: f64, formula: impl FnOnce(&Node) -> Node) -> Node {
        self.carry(&[], name, start, formula)
    }

    fn carry(&self, shape: &[usize], name: &str, start: f64, formula: impl FnOnce(&Node) -> Node) -> Node {
        let old = self.graph.variable(name, shape, Constant(start), Role::Slot);
        let new = formula(&old);
        self.graph.update(&old, &new);
        new
    }
}
