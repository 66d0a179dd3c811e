//! Activations: functions applied element by element, or to rows.
//!
//! In a recipe: `activation = "relu"`, or with settings `activation = { leaky_relu = { slope = 0.2 } }`.

use crate::AnyInit;
use crate::init::{Msra, Xavier};
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

    /// The start that suits weights before it, where none is asked for: [`Msra`] for a function like ReLU, with its slope, else
    /// [`Xavier`], both uniform.
    fn weight_init(&self) -> AnyInit {
        match self.rectifier_slope() {
            Some(slope) => Msra { slope, ..Msra::default() }.into(),
            None => Xavier::default().into(),
        }
    }

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

pub use gelu::GeluForm;

table! {
    /// Any activation.
    pub enum AnyActivation: Activate, "an activation" {
        identity::Identity, sigmoid::Sigmoid, hard_sigmoid::HardSigmoid, tanh::Tanh, softsign::Softsign, relu::Relu, relu6::Relu6,
        leaky_relu::LeakyRelu, prelu::Prelu, rrelu::Rrelu, elu::Elu, celu::Celu, selu::Selu, gelu::Gelu, silu::Silu,
        hard_swish::HardSwish, mish::Mish, softplus::Softplus, softmax::Softmax, log_softmax::LogSoftmax,
    }
}

impl Default for AnyActivation {
    /// The identity.
    fn default() -> AnyActivation {
        Identity.into()
    }
}
