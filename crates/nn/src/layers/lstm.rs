//! Long short-term memory: a state behind gates. Hochreiter & Schmidhuber 1997; with a forget gate: Gers et al. 2000.

use super::recurrent::{Cell, Settings, Weights, gate, recurrent_layer};
use super::{Layer, Merge, recurrent};
use crate::table::Config;
use crate::{AnyInit, check};
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Long short-term memory, `x: [B, T, D] -> [B, units]` or `[B, T, units]`: `c = σ(f)∘c + σ(i)∘tanh(g)`, `h = σ(o)∘tanh(c)`, where
/// `i, f, g, o = x_t·W + h·U + b`, from `h = c = 0`.
///
/// `weight: [D, 4·units]`, `recurrent_weight: [units, 4·units]` and `bias: [4·units]` hold the gates in the order input, forget, candidate,
/// output, as in PyTorch (which keeps the transposed matrices and two biases, whose sum is ours) and Keras; ONNX has i, o, f, c.
/// `forget_bias` is added to the forget gate's first biases, so that the state lives long at the start (Jozefowicz et al. 2015): 1 as in
/// Keras, 0 in PyTorch.
///
/// With several `layers` or directions the names have a path: `layer0/forward/weight`. Steps of padding (a mask) leave the state as it
/// is and give zeros, in both directions, so padding never changes a result; a sequence of nothing but padding gives zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lstm {
    /// The size of the state.
    pub units: usize,
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
    /// How far the forget gate's biases start above the others.
    #[serde(default = "unit")]
    pub forget_bias: f64,
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

fn unit() -> f64 {
    1.0
}

impl Lstm {
    /// One layer, forward, that returns its last output.
    pub fn new(units: usize) -> Lstm {
        Lstm {
            units,
            layers: 1,
            bidirectional: false,
            merge: Merge::Concat,
            return_sequence: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            bias: true,
            forget_bias: 1.0,
            weight_init: AnyInit::default(),
            recurrent_init: recurrent::orthogonal(),
            bias_init: recurrent::zero(),
        }
    }
}

recurrent_layer!(Lstm, "lstm");

impl Config for Lstm {
    fn examples() -> Vec<Lstm> {
        use crate::init::FanIn;
        let plain = Lstm::new(3);
        vec![
            plain.clone(),
            Lstm {
                dropout: 0.2,
                recurrent_dropout: 0.1,
                forget_bias: 0.0,
                ..plain.clone().layers(2).return_sequence()
            },
            Lstm {
                merge: Merge::Mean,
                weight_init: FanIn::default().into(),
                ..plain.clone().bidirectional().return_sequence()
            },
            Lstm { merge: Merge::Product, bias: false, ..plain.bidirectional() },
        ]
    }
}

impl Cell for Lstm {
    const GATES: usize = 4;
    const STATES: usize = 2;

    fn step(&self, p: &Node, states: &[Node], h: &Node, weights: &Weights) -> Vec<Node> {
        let gates = h.matmul(&weights.recurrent) + p;
        let [input, forget, candidate, output] = [0, 1, 2, 3].map(|i| gate(&gates, i, self.units));
        let c = forget.sigmoid() * &states[1] + input.sigmoid() * candidate.tanh();
        vec![output.sigmoid() * c.tanh(), c]
    }

    fn bias_shift(&self) -> Option<(Range<usize>, f64)> {
        Some((self.units..2 * self.units, self.forget_bias))
    }

    fn check_own(&self) -> Result<(), ShapeError> {
        check::finite("forget_bias", self.forget_bias)
    }
}
