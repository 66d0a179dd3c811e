//! The gated recurrent unit. Cho et al. 2014, arXiv:1406.1078.

use super::recurrent::{Cell, Settings, Weights, gate, recurrent_layer};
use super::{Layer, Merge, recurrent};
use crate::AnyInit;
use crate::init::Fans;
use crate::table::Config;
use gradus_graph::{Node, Role, ShapeError};
use serde::{Deserialize, Serialize};

/// The gated recurrent unit, `x: [B, T, D] -> [B, units]` or `[B, T, units]`: `r = σ(x_t·W_r + h·U_r + b_r)`, `z = σ(x_t·W_z + h·U_z + b_z)`,
/// `n = tanh(x_t·W_n + b_n + r∘(h·U_n + c))`, `h = (1 - z)∘n + z∘h`, from `h = 0`.
///
/// That is `reset_after`, the form of PyTorch, cuDNN and Keras; without it the reset gate acts before the product, `(r∘h)·U_n` and no
/// c, as in the paper. `weight: [D, 3·units]`, `recurrent_weight: [units, 3·units]` and `bias: [3·units]` hold reset, update and
/// candidate in this order, as PyTorch (Keras and ONNX: update, reset, candidate); `recurrent_bias: [units]` is c. PyTorch's second
/// biases of r and z are in our first. In the paper z and 1 - z change places.
///
/// With several `layers` or directions the names have a path: `layer0/forward/weight`. Steps of padding (a mask) leave the state as it
/// is and give zeros, in both directions, so padding never changes a result; a sequence of nothing but padding gives zeros.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gru {
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
    /// The reset gate acts on the product of state and weights instead of on the state.
    #[serde(default = "recurrent::yes")]
    pub reset_after: bool,
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

impl Gru {
    /// One layer, forward, that returns its last output.
    pub fn new(units: usize) -> Gru {
        Gru {
            units,
            layers: 1,
            bidirectional: false,
            merge: Merge::Concat,
            return_sequence: false,
            dropout: 0.0,
            recurrent_dropout: 0.0,
            bias: true,
            reset_after: true,
            weight_init: AnyInit::default(),
            recurrent_init: recurrent::orthogonal(),
            bias_init: recurrent::zero(),
        }
    }
}

recurrent_layer!(Gru, "gru");

impl Config for Gru {
    fn examples() -> Vec<Gru> {
        use crate::init::FanIn;
        let plain = Gru::new(3);
        vec![
            plain.clone(),
            Gru {
                dropout: 0.2,
                recurrent_dropout: 0.1,
                reset_after: false,
                ..plain.clone().layers(2).return_sequence()
            },
            Gru {
                merge: Merge::Mean,
                weight_init: FanIn::default().into(),
                ..plain.clone().bidirectional().return_sequence()
            },
            Gru { merge: Merge::Product, bias: false, ..plain.bidirectional() },
        ]
    }
}

impl Cell for Gru {
    const GATES: usize = 3;
    const STATES: usize = 1;

    fn step(&self, p: &Node, states: &[Node], h: &Node, weights: &Weights) -> Vec<Node> {
        let (units, old) = (self.units, &states[0]);
        let both = p.slice(-1, 0..2 * units);
        let candidate = gate(p, 2, units);
        let (gates, product) = if self.reset_after {
            let all = h.matmul(&weights.recurrent);
            // Added to the whole product, where it costs nothing: zeros for the other gates.
            let all = match &weights.extra {
                Some(bias) => all + bias,
                None => all,
            };
            (both + all.slice(-1, 0..2 * units), Some(gate(&all, 2, units)))
        } else {
            (both + h.matmul(&weights.recurrent.slice(-1, 0..2 * units)), None)
        };
        let gates = gates.sigmoid();
        let (reset, update) = (gate(&gates, 0, units), gate(&gates, 1, units));
        let n = match product {
            Some(product) => candidate + reset * product,
            None => candidate + (reset * h).matmul(&gate(&weights.recurrent, 2, units)),
        };
        let n = n.tanh();
        vec![&n + update * (old - &n)]
    }

    fn extra(&self, x: &Node, units: usize) -> Option<Node> {
        let init = self.bias_init.with(Fans { inputs: units, outputs: units });
        self.reset_after.then(|| x.param("recurrent_bias", [units], init, Role::Bias).pad(0, 2 * units, 0, 0.0))
    }
}
