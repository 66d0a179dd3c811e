//! Attention with a context vector, the pooling of hierarchical attention networks. Yang et al. 2016.

use super::Layer;
use super::sequence::{Steps, softmax_among};
use crate::activations::{Identity, Tanh};
use crate::init::{Fans, Zero};
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, Role, ShapeError};
use gradus_tensor::Dim;
use serde::{Deserialize, Serialize};

/// Pooling over time by attention with a context vector, `x: [B, T, D] -> [B, D]`: `u_t = tanh(x_t·W + b)`, `α = softmax(u·c)` over time,
/// and the result is `Σ α_t·x_t`. `weight: [D, hidden]`, `bias: [hidden]`, and `context: [hidden]` is c, what an important step looks like.
///
/// In a hierarchical attention network it stands twice: over the words of each sentence, `[B, S, T, D] -> [B, S, D]`, and over the
/// sentences, `[B, S, D] -> [B, D]`, each behind a recurrent layer; sentences of padding alone are padding in the second. Padding (a
/// mask) gets no attention; padding alone gives zeros.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AttentionPooling {
    /// The length of the context vector; D where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hidden: Option<usize>,
    /// How the weights start.
    pub weight_init: AnyInit,
}

impl Config for AttentionPooling {
    fn examples() -> Vec<AttentionPooling> {
        vec![AttentionPooling::default(), AttentionPooling { hidden: Some(5), ..AttentionPooling::default() }]
    }
}

impl Layer for AttentionPooling {
    fn build(&self, x: &Node) -> Node {
        let steps = match Steps::of(x, "attention_pooling") {
            Ok(steps) => steps,
            Err(refused) => return refused,
        };
        let (inputs, hidden) = (steps.units, self.hidden.unwrap_or(steps.units));
        let fans = Fans { inputs, outputs: hidden };
        let init = self.weight_init.resolve(&AnyActivation::from(Tanh)).with(fans);
        let context =
            self.weight_init.resolve(&AnyActivation::from(Identity)).with(Fans { inputs: hidden, outputs: 1 });
        let u = steps.x.matmul(&x.param("weight", [inputs, hidden], init, Role::Weight));
        let u = (u + x.param("bias", [hidden], AnyInit::from(Zero).with(fans), Role::Bias)).tanh();
        let context = x.param("context", [hidden], context, Role::Weight);
        let scores = u.matmul(&context.reshape([hidden, 1])).reshape(vec![steps.batch, Dim::Fixed(steps.length)]);
        let attention = softmax_among(&scores, steps.mask.as_ref());
        steps.pooled(&attention.unsqueeze(1).matmul(&steps.filled(0.0)).squeeze(1))
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("hidden", self.hidden.unwrap_or(1))?;
        self.weight_init.check()
    }
}
