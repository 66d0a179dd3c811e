//! Optimisers: formulas that turn parameters and gradients into new parameters.
//!
//! A formula is written over nodes and reads like the paper. It is applied to a whole group of parameters as one flat vector, so that
//! the compiled step updates the group in a single sweep. In a recipe: `optimizer = { adam_w = { lr = 1e-3 } }`.
//!
//! Weight decay touches weights (`Role::Weight`) only, never biases or the parameters of a normalisation, unless all is asked for
//! ([`Decay::All`], PyTorch's default). `t` counts steps from 1.

use crate::{AnyRegularizer, regularizers::Regularizer as _};
use gradus_graph::{Constant, Graph, Node, Role, ShapeError};
use serde::{Deserialize, Serialize};

/// An update rule.
///
/// ```
/// use gradus_graph::Node;
/// use gradus_nn::{Optimizer, optimizers::Slots};
///
/// /// Lion: `w -= lr·(sign(β₁m + (1-β₁)g) + λw); m = β₂m + (1-β₂)g`. Chen et al. 2023, arXiv:2302.06675.
/// struct Lion { lr: f64, beta1: f64, beta2: f64, weight_decay: f64 }
///
/// impl Optimizer for Lion {
///     fn lr(&self) -> f64 { self.lr }
///     fn weight_decay(&self) -> f64 { self.weight_decay }
///     fn update(&self, w: &Node, g: &Node, lr: &Node, decay: f64, slots: &mut Slots) -> Node {
///         let mut direction = g.clone();
///         slots.next("m", |m| {
///             direction = (self.beta1 * m + (1.0 - self.beta1) * g).sign();
///             self.beta2 * m + (1.0 - self.beta2) * g
///         });
///         w - lr * (direction + decay * w)
///     }
/// }
/// ```
pub trait Optimizer {
    /// The learning rate at the start.
    fn lr(&self) -> f64;

    /// λ of weight decay.
    fn weight_decay(&self) -> f64 {
        0.0
    }

    /// The parameters `w` after a step along the gradient `g`. `decay` is λ for parameters that decay, and 0 for the others.
    fn update(&self, w: &Node, g: &Node, lr: &Node, decay: f64, slots: &mut Slots) -> Node;

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

table! {
    /// Any optimiser.
    pub enum AnyOptimizer: Optimizer, "an optimizer" {
        sgd::Sgd, momentum::Momentum, nesterov::Nesterov, adam::Adam, adam_w::AdamW,
    }
}

impl Optimizer for AnyOptimizer {
    fn lr(&self) -> f64 {
        (**self).lr()
    }

    fn weight_decay(&self) -> f64 {
        (**self).weight_decay()
    }

    fn update(&self, w: &Node, g: &Node, lr: &Node, decay: f64, slots: &mut Slots) -> Node {
        (**self).update(w, g, lr, decay, slots)
    }

    fn check(&self) -> Result<(), ShapeError> {
        (**self).check()
    }
}

/// Values that an optimiser carries from step to step, one for each parameter it updates. They start at 0.
pub struct Slots {
    graph: Graph,
    len: usize,
}

impl Slots {
    /// The number of this step, 1 in the first.
    pub fn t(&self) -> Node {
        self.graph.step() + 1.0
    }

    /// The new value of a slot, given a formula for it in terms of the old one: `let v = slots.next("v", |v| v * μ + g);`
    pub fn next(&mut self, name: &str, formula: impl FnOnce(&Node) -> Node) -> Node {
        let old = self.graph.variable(name, [self.len], Constant(0.0), Role::Slot);
        let new = formula(&old);
        self.graph.update(&old, &new);
        new
    }
}

/// Which parameters decay: those that weight decay and a regulariser touch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// Weights; no biases, no parameters of normalisations.
    #[default]
    Weights,
    /// All trained parameters.
    All,
}

impl Decay {
    /// Whether a parameter of this role decays.
    pub fn covers(self, role: Role) -> bool {
        role == Role::Weight || self == Decay::All
    }
}

/// Adds one optimiser step to a graph: updates of the variables with these indices along their gradients.
///
/// Slots are variables under `optimizer/`. There is one flat vector of all parameters, or two where some decay and others do not.
/// The gradients are those of the loss on data; the penalty's is added here.
pub fn apply(
    graph: &Graph,
    parameters: &[(usize, Node)],
    optimizer: &dyn Optimizer,
    lr: &Node,
    regularizer: Option<&AnyRegularizer>,
    decay: Decay,
) {
    let variables = graph.variables();
    let covered = |&&(v, _): &&(usize, Node)| decay.covers(variables[v].role);
    let count = parameters.iter().filter(covered).map(|&(v, _)| variables[v].len()).sum();
    let (decaying, others): (Vec<_>, Vec<_>) = match regularizer.is_some() || optimizer.weight_decay() != 0.0 {
        true => parameters.iter().partition(covered),
        false => (vec![], parameters.iter().collect()),
    };
    let both = !decaying.is_empty() && !others.is_empty();
    graph.scope("optimizer", || {
        for (name, group, decays) in [("decaying", decaying, true), ("others", others, false)] {
            if group.is_empty() {
                continue;
            }
            let sweep = || {
                let indices: Vec<usize> = group.iter().map(|p| p.0).collect();
                let gradients: Vec<Node> = group.iter().map(|p| p.1.clone()).collect();
                let w = graph.flat(&indices);
                let mut g = graph.pack(&w, &gradients);
                if let Some(regularizer) = regularizer.filter(|_| decays) {
                    g = g + regularizer.gradient(&w, count);
                }
                let mut slots = Slots { graph: graph.clone(), len: w.units() };
                let lambda = if decays { optimizer.weight_decay() } else { 0.0 };
                graph.update(&w, &optimizer.update(&w, &g, lr, lambda, &mut slots));
            };
            if both { graph.scope(name, sweep) } else { sweep() }
        }
    });
}

/// `g + λw`: decay as part of the gradient, for the rules in which it is.
fn decayed(g: &Node, w: &Node, decay: f64) -> Node {
    if decay == 0.0 { g.clone() } else { g + w * decay }
}
