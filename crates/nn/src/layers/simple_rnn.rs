//! The simple recurrent layer, `h = f(x·W + h·U + b)`. Elman 1990.

use super::recurrent::{Cell, Settings, Weights, recurrent_layer};
use super::{Layer, Merge, recurrent};
use crate::AnyInit;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// The simple recurrent layer, `x: [B, T, D] -> [B, units]` or `[B, T, units]`: `h_t = f(x_t·W + h_(t-1)·U + b)` from `h_0 = 0`, with
/// `weight: [D, units]`, `recurrent_weight: [units, units]` and `bias: [units]`.
///
/// It forgets within some ten steps, where an LSTM or a GRU remembers. PyTorch's and Keras' layer of this name; PyTorch adds two biases,
/// whose sum is ours, and returns the whole sequence.
///
/// With several `layers` or directions the names have a path: `layer0/forward/weight`. Steps of padding (a mask) leave the state as it
/// is and give zeros, in both directions, so padding never changes a result; a sequence of nothing but padding gives zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimpleRnn {
    /// The size of the state.
    pub units: usize,
    /// f: `"tanh"` or `"relu"`.
    #[serde(default)]
    pub activation: Nonlinearity,
    /// How many of them stand on each other.
    #[serde(default = "recurrent::one")]
    pub layers: usize,
    /// A second one reads each sequence from its end.
    #[serde(default)]
    pub bidirectional: bool,
    /// How the outputs of both directions become one: `"concat"`, `"sum"`, `"mean"`, `"product"` or `"max"`.
    #[serde(default)]
    pub merge: Merge,
    /// The outputs of all steps, `[B, T, units]`; otherwise the last one, `[B, units]`.
    #[serde(default)]
    pub return_sequence: bool,
    /// The probability to drop an output on its way to the next of the `layers`.
    #[serde(default)]
    pub dropout: f64,
    /// The probability to drop a state on its way to the next step, the same states in all steps.
    #[serde(default)]
    pub recurrent_dropout: f64,
    /// Whether biases are added.
    #[serde(default = "recurrent::yes")]
    pub bias: bool,
    /// How the weights of the inputs start.
    #[serde(default)]
    pub weight_init: AnyInit,
    /// How the weights of the states start: orthogonal.
    #[serde(default = "recurrent::orthogonal")]
    pub recurrent_init: AnyInit,
    /// How the biases start: at zero.
    #[serde(default = "recurrent::zero")]
    pub bias_init: AnyInit,
}

/// What a simple recurrent layer applies to its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nonlinearity {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// max(x, 0)
    Relu,
}

impl SimpleRnn {
    /// One layer, forward, that returns its last output.
    pub fn new(units: usize) -> SimpleRnn {
        SimpleRnn {
            units,
            activation: Nonlinearity::Tanh,
            layers: 1,
            bidirectional: false,
            merge: Merge::Concat,
            return_sequence: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            bias: true,
            weight_init: AnyInit::default(),
            recurrent_init: recurrent::orthogonal(),
            bias_init: recurrent::zero(),
        }
    }
}

recurrent_layer!(SimpleRnn, "simple_rnn");

impl Config for SimpleRnn {
    fn examples() -> Vec<SimpleRnn> {
        use crate::init::FanIn;
        let plain = SimpleRnn::new(3);
        vec![
            plain.clone(),
            SimpleRnn {
                dropout: 0.2,
                recurrent_dropout: 0.1,
                activation: Nonlinearity::Relu,
                ..plain.clone().layers(2).return_sequence()
            },
            SimpleRnn {
                merge: Merge::Mean,
                weight_init: FanIn::default().into(),
                ..plain.clone().bidirectional().return_sequence()
            },
            SimpleRnn { merge: Merge::Product, bias: false, ..plain.bidirectional() },
        ]
    }
}

impl Cell for SimpleRnn {
    const GATES: usize = 1;
    const STATES: usize = 1;

    fn step(&self, p: &Node, _states: &[Node], h: &Node, weights: &Weights) -> Vec<Node> {
        let sum = h.matmul(&weights.recurrent) + p;
        vec![match self.activation {
            Nonlinearity::Tanh => sum.tanh(),
            Nonlinearity::Relu => sum.relu(),
        }]
    }
}
