//! Multi-step decay: the rate is cut at given times.

use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Multi-step decay: multiplied by γ at each boundary. As MultiStepLR of PyTorch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MultiStep {
    /// The times of the cuts, in order.
    pub boundaries: Vec<f64>,
    /// γ, by which it is multiplied.
    pub gamma: f64,
}

impl Default for MultiStep {
    fn default() -> MultiStep {
        MultiStep { boundaries: vec![30.0, 60.0, 90.0], gamma: 0.1 }
    }
}

impl Config for MultiStep {
    fn examples() -> Vec<MultiStep> {
        vec![MultiStep::default(), MultiStep { boundaries: vec![1.0, 1.5, 4.0], gamma: 0.5 }]
    }
}

impl Schedule for MultiStep {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let cuts = self.boundaries.iter().map(|&b| clock.reached(b)).reduce(|a, b| a + b);
        let cuts = cuts.unwrap_or_else(|| clock.graph().scalar(0.0));
        base * clock.graph().scalar(self.gamma).pow(cuts)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::rising("boundaries", &self.boundaries)?;
        check::positive("gamma", self.gamma)
    }
}
