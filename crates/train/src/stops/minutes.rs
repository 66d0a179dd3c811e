//! An amount of time.

use super::{Stop, at_least};
use crate::error::TrainError;
use gradus_nn::table::Config;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Ends after this many minutes of training, those before a resumption included: `{ minutes = 30 }`.
///
/// It ends at another step each time: such a run is not repeatable.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Minutes(pub f64);

impl Config for Minutes {
    fn examples() -> Vec<Minutes> {
        vec![Minutes(5.0)]
    }

    fn from_number(x: f64) -> Result<Minutes, String> {
        Ok(Minutes(x))
    }
}

impl Stop for Minutes {
    fn time(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.0 * 60.0).ok()
    }

    fn check(&self) -> Result<(), TrainError> {
        at_least(self.0 > 0.0 && self.time().is_some(), "minutes", self.0, "above 0")
    }
}
