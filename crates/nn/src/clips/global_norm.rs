//! Clipping by the norm of all gradients together. Pascanu et al. 2013.

use super::{Clip, scaled};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// All gradients by one factor, `g·min(1, limit/‖g‖₂)` with the norm over all parameters: the direction stays. Pascanu et al. 2013,
/// arXiv:1211.5063.
///
/// As `clip_grad_norm_` of PyTorch, which adds 1e-6 to the norm, and `global_clipnorm` of Keras.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlobalNorm {
    /// The largest norm of all gradients together.
    pub limit: f64,
}

impl GlobalNorm {
    /// This limit.
    pub fn new(limit: f64) -> GlobalNorm {
        GlobalNorm { limit }
    }
}

impl Default for GlobalNorm {
    fn default() -> GlobalNorm {
        GlobalNorm::new(1.0)
    }
}

impl Config for GlobalNorm {
    fn examples() -> Vec<GlobalNorm> {
        vec![GlobalNorm::default(), GlobalNorm::new(0.5)]
    }

    fn from_number(limit: f64) -> Result<GlobalNorm, String> {
        Ok(GlobalNorm::new(limit))
    }
}

impl Clip for GlobalNorm {
    fn clip(&self, gradients: Vec<Node>) -> Vec<Node> {
        let squared = gradients.iter().map(|g| g.square().sum_all()).reduce(|a, b| a + b);
        let Some(squared) = squared else { return gradients };
        gradients.iter().map(|g| scaled(g, &squared, self.limit)).collect()
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("limit", self.limit)
    }
}
