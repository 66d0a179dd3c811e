//! Activations: functions applied element by element, or to rows.
//!
//! In a recipe: `activation = "relu"`, or with settings `activation = { leaky_relu = { slope = 0.2 } }`.

use gradus_graph::{Node, ShapeError};

/// An activation function.
///
/// ```
/// use gradus_graph::Graph;
/// use gradus_nn::activations::{Activate, AnyActivation, LeakyRelu};
/// let x = Graph::new().input("x", [4]);
/// assert_eq!(LeakyRelu { slope: 0.2 }.activate(&x).shape(), x.shape());
/// assert!(AnyActivation::KEYS.contains(&"leaky_relu"));
/// ```
pub trait Activate {
    /// `x: [..] -> [..]`
    fn activate(&self, x: &Node) -> Node;

    /// For functions like ReLU the slope on the negative side, which the default initialisation of weights before them needs.
    fn rectifier_slope(&self) -> Option<f64> {
        None
    }

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

table! {
    /// Any activation.
    pub enum AnyActivation: Activate, "an activation" {
        identity::Identity, sigmoid::Sigmoid, tanh::Tanh, relu::Relu, leaky_relu::LeakyRelu, elu::Elu, softmax::Softmax,
    }
}

impl Default for AnyActivation {
    /// The identity.
    fn default() -> AnyActivation {
        Identity.into()
    }
}
