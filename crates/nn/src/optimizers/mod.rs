//! Optimisers: formulas that turn parameters and gradients into new parameters.
//!
//! A formula is written over nodes and reads like the paper. It is applied to a whole group of parameters as one flat vector, so that
//! the compiled step updates the group in a single sweep. In a recipe: `optimizer = { adam_w = { lr = 1e-3 } }`.
//!
//! Weight decay touches weights (`Role::Weight`) only, never biases or the parameters of a normalisation, unless all is asked for
//! ([`Decay::All`](crate::updates::Decay::All), PyTorch's default). `t` counts steps from 1. Which parameter is treated how, and what happens
//! to gradients before they get here, is in [`updates`](crate::updates).

mod step;

pub use step::Step;

use gradus_graph::{Node, ShapeError};

/// An update rule.
///
/// ```
/// use gradus_graph::Node;
/// use gradus_nn::{Optimizer, optimizers::Step};
///
/// /// Signed gradient descent: `w -= lr·sign(v)` with `v = βv + (1-β)g`. Bernstein et al. 2018, arXiv:1802.04434 (Signum).
/// struct Signum { lr: f64, beta: f64 }
///
/// impl Optimizer for Signum {
///     fn lr(&self) -> f64 { self.lr }
///     fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
///         let beta = step.momentum(self.beta);
///         let v = step.next("v", |v| &beta * v + (1.0 - &beta) * g);
///         w - &step.lr * v.sign()
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

    /// The parameters `w` after a step along the gradient `g`.
    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node;

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

table! {
    /// Any optimiser.
    pub enum AnyOptimizer: Optimizer, "an optimizer" {
        sgd::Sgd, momentum::Momentum, nesterov::Nesterov, adagrad::Adagrad, adadelta::Adadelta, rmsprop::RmsProp, adam::Adam,
        adam_w::AdamW, nadam::Nadam, radam::Radam, adamax::Adamax, lion::Lion,
    }
}

impl Optimizer for AnyOptimizer {
    fn lr(&self) -> f64 {
        (**self).lr()
    }

    fn weight_decay(&self) -> f64 {
        (**self).weight_decay()
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        (**self).update(w, g, step)
    }

    fn check(&self) -> Result<(), ShapeError> {
        (**self).check()
    }
}

/// `√s + ε`, or `√(s + ε)`.
fn root(s: &Node, eps: f64, inside: bool) -> Node {
    if inside { (s + eps).sqrt() } else { s.sqrt() + eps }
}
