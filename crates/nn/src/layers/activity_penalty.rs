//! A penalty on activations, `λ₁·Σ|h| + λ₂/2·Σh²`: sparse representations.

use super::Layer;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError, ops};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// A penalty on the activations that pass through, `x: [B, ..] -> [B, ..]` unchanged: `λ₁·Σ|x| + λ₂/2·Σx²`, summed over the units and
/// averaged over the batch. It is added to what training minimises, and reported as `penalty`.
///
/// With λ₁ most activations become 0 (a sparse representation), where a penalty on weights makes the weights sparse. λ₂ has the
/// factor ½ of our L2 penalty: Keras' `ActivityRegularization(l2 = λ)` is twice ours, its `l1` the same. Place it behind the layer whose
/// activations are meant. When predicting it does nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ActivityPenalty {
    /// λ₁.
    pub l1: f64,
    /// λ₂.
    pub l2: f64,
}

impl ActivityPenalty {
    /// On absolute values.
    pub fn l1(l1: f64) -> ActivityPenalty {
        ActivityPenalty { l1, l2: 0.0 }
    }

    /// On squares.
    pub fn l2(l2: f64) -> ActivityPenalty {
        ActivityPenalty { l1: 0.0, l2 }
    }
}

impl Config for ActivityPenalty {
    fn examples() -> Vec<ActivityPenalty> {
        vec![ActivityPenalty::l1(1e-3), ActivityPenalty::l2(1e-2), ActivityPenalty { l1: 1e-4, l2: 1e-4 }]
    }
}

impl Layer for ActivityPenalty {
    fn build(&self, x: &Node) -> Node {
        let samples = Shape::new(x.shape().dims().iter().take(1).copied().collect::<Vec<_>>());
        let samples = x.graph().apply(ops::Count { of: samples }, &[]);
        let absolute = (self.l1 != 0.0).then(|| x.abs() * self.l1);
        let square = (self.l2 != 0.0).then(|| x.square() * (self.l2 / 2.0));
        if let Some(values) = absolute.into_iter().chain(square).reduce(|a, b| a + b) {
            x.graph().penalize("penalty", &(values.sum_all() / samples));
        }
        x.clone()
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("l1", self.l1)?;
        check::not_negative("l2", self.l2)?;
        if self.l1 == 0.0 && self.l2 == 0.0 {
            let help = "give `l1` or `l2` a value above 0, or take the layer out";
            return Err(ShapeError::new("`l1` or `l2` above 0", "0 for both", help));
        }
        Ok(())
    }
}
