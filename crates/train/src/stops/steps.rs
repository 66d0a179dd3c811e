//! A number of steps.

use super::{Stop, at_least, whole};
use crate::error::TrainError;
use gradus_nn::table::Config;
use serde::{Deserialize, Serialize};

/// Ends after this many updates: `{ steps = 1000 }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Steps(pub u64);

impl Config for Steps {
    fn examples() -> Vec<Steps> {
        vec![Steps(1000)]
    }

    fn from_number(x: f64) -> Result<Steps, String> {
        whole(x).map(Steps)
    }
}

impl Stop for Steps {
    fn last_step(&self, _steps_per_epoch: u64) -> Option<u64> {
        Some(self.0)
    }

    fn check(&self) -> Result<(), TrainError> {
        at_least(self.0 > 0, "steps", self.0 as f64, "at least 1")
    }
}
