//! A number of epochs.

use super::{Stop, at_least, whole};
use crate::error::TrainError;
use gradus_nn::table::Config;
use serde::{Deserialize, Serialize};

/// Ends after this many passes over the training data: `{ epochs = 20 }`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Epochs(pub u64);

impl Config for Epochs {
    fn examples() -> Vec<Epochs> {
        vec![Epochs(20)]
    }

    fn from_number(x: f64) -> Result<Epochs, String> {
        whole(x).map(Epochs)
    }
}

impl Stop for Epochs {
    fn last_step(&self, steps_per_epoch: u64) -> Option<u64> {
        Some(self.0.saturating_mul(steps_per_epoch))
    }

    fn check(&self) -> Result<(), TrainError> {
        at_least(self.0 > 0, "epochs", self.0 as f64, "at least 1")
    }
}
