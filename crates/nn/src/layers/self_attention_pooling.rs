//! Structured self-attention. Lin et al. 2017, arXiv:1703.03130.

use super::Layer;
use super::sequence::{Steps, softmax_among};
use crate::activations::{Identity, Tanh};
use crate::init::Fans;
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, Role, ShapeError, ops};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Pooling over time into several vectors, `x: [B, T, D] -> [B, vectors, D]`: `A = softmax(W₂·tanh(W₁·xᵀ))` over time, and the result is
/// `A·x`. Each row of A looks at another part of the sequence.
///
/// So that the rows differ, `penalty·‖A·Aᵀ - I‖²` (Frobenius) is added to what training minimises, averaged over the batch. `hidden_weight:
/// [D, hidden]` is W₁ᵀ and `weight: [hidden, vectors]` is W₂ᵀ. Padding (a mask) gets no attention; padding alone gives zeros and no
/// penalty. The paper has hidden 350, 30 vectors and a penalty of 1 (0.3 on some data); flatten the result for a dense layer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SelfAttentionPooling {
    /// How many vectors are made.
    pub vectors: usize,
    /// The width of the hidden layer; D where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// The penalty's factor.
    #[serde(default = "unit")]
    pub penalty: f64,
    /// How the weights start.
    #[serde(default)]
    pub weight_init: AnyInit,
}

fn unit() -> f64 {
    1.0
}

impl SelfAttentionPooling {
    /// So many vectors, with the penalty of the paper.
    pub fn new(vectors: usize) -> SelfAttentionPooling {
        SelfAttentionPooling { vectors, hidden: None, penalty: unit(), weight_init: AnyInit::default() }
    }
}

impl Config for SelfAttentionPooling {
    fn examples() -> Vec<SelfAttentionPooling> {
        let few = SelfAttentionPooling::new(2);
        vec![few.clone(), SelfAttentionPooling { hidden: Some(5), penalty: 0.0, ..few }]
    }
}

impl Layer for SelfAttentionPooling {
    fn build(&self, x: &Node) -> Node {
        let steps = match Steps::of(x, "self_attention_pooling") {
            Ok(steps) => steps,
            Err(refused) => return refused,
        };
        let (inputs, hidden) = (steps.units, self.hidden.unwrap_or(steps.units));
        let first = self.weight_init.resolve(&AnyActivation::from(Tanh)).with(Fans { inputs, outputs: hidden });
        let second = self.weight_init.resolve(&AnyActivation::from(Identity));
        let second = second.with(Fans { inputs: hidden, outputs: self.vectors });
        let scores = steps.x.matmul(&x.param("hidden_weight", [inputs, hidden], first, Role::Weight)).tanh();
        let scores = scores.matmul(&x.param("weight", [hidden, self.vectors], second, Role::Weight));
        let allowed = steps.mask.as_ref().map(|mask| mask.unsqueeze(1));
        let attention = softmax_among(&scores.transpose(), allowed.as_ref());
        if self.penalty > 0.0 {
            let square = || Shape::fixed(&[self.vectors, self.vectors]);
            let at = |axis| x.graph().apply(ops::Iota { axis, shape: square() }, &[]);
            let off = attention.matmul(&attention.transpose()) - at(0).eq(at(1));
            let each = off.square().sum([1, 2]).reshape(vec![steps.batch]);
            let each = match steps.present() {
                Some(present) => each * present.squeeze(1),
                None => each,
            };
            x.graph().penalize("penalty", &(each.mean_all() * self.penalty));
        }
        steps.pooled(&attention.matmul(&steps.filled(0.0)))
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("vectors", self.vectors)?;
        check::at_least_one("hidden", self.hidden.unwrap_or(1))?;
        check::not_negative("penalty", self.penalty)?;
        self.weight_init.check()
    }
}
