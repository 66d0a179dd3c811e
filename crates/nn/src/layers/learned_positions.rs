//! Learned positions. Gehring et al. 2017, arXiv:1705.03122; Devlin et al. 2019, arXiv:1810.04805.

use super::Layer;
use super::sequence::Steps;
use crate::AnyInit;
use crate::init::{Fans, Normal};
use crate::table::Config;
use gradus_graph::{Node, Role, ShapeError};
use serde::{Deserialize, Serialize};

/// Adds to each step a learned vector of its position, `x: [B, T, D] -> [B, T, D]`, `y_t = x_t + weight_t` with `weight: [T, D]`.
///
/// As BERT and GPT do. It fits the lengths that it was trained on; `sinusoidal_positions` needs no training and fits any.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LearnedPositions {
    /// How many positions there are vectors for; the length of the input where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// How the vectors start: normally distributed with standard deviation 0.02.
    pub weight_init: AnyInit,
}

impl Config for LearnedPositions {
    fn examples() -> Vec<LearnedPositions> {
        use crate::init::Uniform;
        vec![LearnedPositions::default(), LearnedPositions { length: Some(9), weight_init: Uniform::default().into() }]
    }
}

impl Layer for LearnedPositions {
    fn build(&self, x: &Node) -> Node {
        let steps = match Steps::of(x, "learned_positions") {
            Ok(steps) => steps,
            Err(refused) => return refused,
        };
        let known = self.length.unwrap_or(steps.length);
        if known < steps.length {
            let help = "raise `length`, or cut the sequences";
            let (expected, received) = (format!("sequences of at most {known} steps"), steps.length.to_string());
            return x.graph().refuse("learned_positions", ShapeError::new(expected, received, help));
        }
        let init = match &self.weight_init {
            AnyInit::Auto(_) => AnyInit::from(Normal { mean: 0.0, std: 0.02 }),
            other => other.clone(),
        };
        let fans = Fans { inputs: known, outputs: steps.units };
        let weight = x.param("weight", [known, steps.units], init.with(fans), Role::Weight);
        if known == steps.length { x + weight } else { x + weight.slice(0, 0..steps.length) }
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.weight_init.check()
    }
}
