//! Step decay: the rate is cut at equal intervals.

use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Step decay, `r₀·γ^⌊t/every⌋`. As StepLR of PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StepDecay {
    /// How long each rate lasts.
    pub every: f64,
    /// γ, by which it is multiplied.
    pub gamma: f64,
}

impl Default for StepDecay {
    fn default() -> StepDecay {
        StepDecay { every: 30.0, gamma: 0.1 }
    }
}

impl Config for StepDecay {
    fn examples() -> Vec<StepDecay> {
        vec![StepDecay::default(), StepDecay { every: 2.0, gamma: 0.5 }]
    }
}

impl Schedule for StepDecay {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        base * clock.graph().scalar(self.gamma).pow(clock.times(self.every))
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("every", self.every)?;
        check::positive("gamma", self.gamma)
    }
}
