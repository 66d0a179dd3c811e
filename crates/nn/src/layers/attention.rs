//! Attention, `softmax(q·kᵀ/√d)·v`, with several heads. Vaswani et al. 2017, arXiv:1706.03762.

use super::sequence::{Steps, softmax_among};
use super::{Dropout, Layer};
use crate::activations::Identity;
use crate::init::{Fans, Zero};
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, Role, ShapeError, ops};
use gradus_tensor::{Dim, Shape};
use serde::{Deserialize, Serialize};

/// Multi-head self-attention, `x: [B, T, D] -> [B, T, D]`: each head compares every step with every other, `a = softmax(q·kᵀ/√d)`, and
/// gives the sums `a·v`; q, k and v are linear functions of x with `d = units/heads` features for each head, and the heads side by
/// side go through a last linear function.
///
/// Padding (a mask) gets no attention; a step whose every key is padding gets zeros before the last function. `weight: [D, 3·units]` and
/// `bias: [3·units]` make q, k and v in this order, each head after head; `output_weight: [units, D]` and `output_bias: [D]` are the last
/// function. PyTorch's `MultiheadAttention` keeps the transposed matrices. Over another sequence: [`Attention::over`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Attention {
    /// The number of heads; a divisor of `units`.
    pub heads: usize,
    /// The features of q, k and v, of all heads together; those of the input where none are named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units: Option<usize>,
    /// No step sees a later one.
    pub causal: bool,
    /// The probability to drop a weight of attention when training.
    pub dropout: f64,
    /// Whether biases are added.
    pub bias: bool,
    /// How the weights start.
    pub weight_init: AnyInit,
}

impl Default for Attention {
    fn default() -> Attention {
        Attention { heads: 1, units: None, causal: false, dropout: 0.0, bias: true, weight_init: AnyInit::default() }
    }
}

impl Attention {
    /// So many heads over all steps.
    pub fn new(heads: usize) -> Attention {
        Attention { heads, ..Attention::default() }
    }

    /// No step sees a later one.
    pub fn causal(mut self) -> Attention {
        self.causal = true;
        self
    }

    /// Attention of `x: [.., T, D]` over another sequence, `memory: [.., S, M] -> [.., T, D]`: q comes from `x`, k and v from the memory,
    /// whose mask counts. Parameters are `weight: [D, units]`, `memory_weight: [M, 2·units]` and their biases; call it in a scope.
    ///
    /// ```
    /// use gradus_graph::Graph;
    /// use gradus_nn::layers::Attention;
    /// let g = Graph::new();
    /// let (x, memory) = (g.input("target", [5, 8]), g.input("source", [7, 6]));
    /// let y = x.scope("cross", |x| Attention::new(2).over(x, &memory));
    /// assert_eq!(y.shape().to_string(), "[B, 5, 8]");
    /// ```
    #[track_caller]
    pub fn over(&self, x: &Node, memory: &Node) -> Node {
        let (steps, memory) = match (Steps::of(x, "attention"), Steps::of(memory, "attention")) {
            (Ok(steps), Ok(memory)) => (steps, memory),
            (Err(refused), _) | (_, Err(refused)) => return refused,
        };
        if steps.batch != memory.batch {
            let help = "both need the same axes before time and features";
            let received = format!("{} and {}", steps.x.shape(), memory.x.shape());
            return x.graph().refuse("attention", ShapeError::new("as many memories as sequences", received, help));
        }
        let units = match self.width(x, steps.units) {
            Ok(units) => units,
            Err(refused) => return refused,
        };
        let q = self.linear(&steps.x, ["weight", "bias"], units, units);
        let both = self.linear(&memory.x, ["memory_weight", "memory_bias"], units, 2 * units);
        let (k, v) = (both.slice(-1, 0..units), both.slice(-1, units..2 * units));
        self.attend(&steps, &memory, [&q, &k, &v])
    }

    /// The features of all heads.
    fn width(&self, x: &Node, inputs: usize) -> Result<usize, Node> {
        let units = self.units.unwrap_or(inputs);
        if units.is_multiple_of(self.heads) {
            return Ok(units);
        }
        let help = "choose another number of `heads`, or set `units` to a multiple of it";
        let expected = format!("features that {} heads divide", self.heads);
        Err(x.graph().refuse("attention", ShapeError::new(expected, units.to_string(), help)))
    }

    /// `x·W + b`; each block of `units` columns has fans of its own.
    fn linear(&self, x: &Node, [weight, bias]: [&str; 2], units: usize, width: usize) -> Node {
        let inputs = x.units();
        let init = self.weight_init.resolve(&AnyActivation::from(Identity));
        let fans = Fans { inputs, outputs: units };
        let y = x.matmul(&x.param(weight, [inputs, width], init.with(fans), Role::Weight));
        if self.bias { y + x.param(bias, [width], AnyInit::from(Zero).with(fans), Role::Bias) } else { y }
    }

    fn attend(&self, steps: &Steps, memory: &Steps, [q, k, v]: [&Node; 3]) -> Node {
        let graph = q.graph();
        let (units, width) = (q.units(), q.units() / self.heads);
        // [N, T, units] -> [N, heads, T, width]
        let split = |x: &Node, length: usize| {
            let dims = vec![steps.batch, Dim::Fixed(length), Dim::Fixed(self.heads), Dim::Fixed(width)];
            x.reshape(dims).permute([0, 2, 1, 3])
        };
        let q = split(&(q * (1.0 / (width as f64).sqrt())), steps.length);
        let (k, v) = (split(k, memory.length), split(v, memory.length));
        let causal = self.causal.then(|| {
            let square = || Shape::fixed(&[steps.length, memory.length]);
            let at = |axis| graph.apply(ops::Iota { axis, shape: square() }, &[]);
            at(1).le(at(0))
        });
        let there = memory
            .mask
            .as_ref()
            .map(|mask| mask.reshape(vec![memory.batch, Dim::Fixed(1), Dim::Fixed(1), Dim::Fixed(memory.length)]));
        let allowed = match (there, causal) {
            (Some(there), Some(causal)) => Some(there * causal),
            (there, causal) => there.or(causal),
        };
        let weights = softmax_among(&q.matmul(&k.transpose()), allowed.as_ref());
        let weights = Dropout::new(self.dropout).build(&weights);
        let joined = weights.matmul(&v).permute([0, 2, 1, 3]);
        let joined = joined.reshape(vec![steps.batch, Dim::Fixed(steps.length), Dim::Fixed(units)]);
        steps.unfold(&self.linear(&joined, ["output_weight", "output_bias"], steps.units, steps.units))
    }
}

/// Scaled dot-product attention, `softmax(q·kᵀ/√d)·v`, of `query: [.., T, d]` over `key: [.., S, d]` and `value: [.., S, e]`, `-> [.., T, e]`.
/// `allowed` is 1 where a query may look, 0 elsewhere, and broadcasts to `[.., T, S]`; a query that may look nowhere gets zeros.
#[track_caller]
pub fn scaled_dot_product(query: &Node, key: &Node, value: &Node, allowed: Option<&Node>) -> Node {
    let scores = (query * (1.0 / (query.units() as f64).sqrt())).matmul(&key.transpose());
    softmax_among(&scores, allowed).matmul(value)
}

impl Config for Attention {
    fn examples() -> Vec<Attention> {
        use crate::init::Normal;
        vec![
            Attention::default(),
            Attention { units: Some(4), dropout: 0.1, ..Attention::new(2).causal() },
            Attention { bias: false, weight_init: Normal::default().into(), ..Attention::new(2) },
        ]
    }
}

impl Layer for Attention {
    fn build(&self, x: &Node) -> Node {
        let steps = match Steps::of(x, "attention") {
            Ok(steps) => steps,
            Err(refused) => return refused,
        };
        let units = match self.width(x, steps.units) {
            Ok(units) => units,
            Err(refused) => return refused,
        };
        let all = self.linear(&steps.x, ["weight", "bias"], units, 3 * units);
        let [q, k, v] = [0, 1, 2].map(|i| all.slice(-1, i * units..(i + 1) * units));
        self.attend(&steps, &steps, [&q, &k, &v])
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("heads", self.heads)?;
        check::at_least_one("units", self.units.unwrap_or(1))?;
        check::below_one("dropout", self.dropout)?;
        self.weight_init.check()
    }
}
