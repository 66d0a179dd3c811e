//! Inverse time decay.

use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Inverse time decay, `r₀/(1 + decay·t)`; some texts call it fraction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InverseTime {
    /// How fast it falls: after 1/decay it is half.
    pub decay: f64,
}

impl Default for InverseTime {
    fn default() -> InverseTime {
        InverseTime { decay: 1.0 }
    }
}

impl Config for InverseTime {
    fn examples() -> Vec<InverseTime> {
        vec![InverseTime::default(), InverseTime { decay: 0.01 }]
    }
}

impl Schedule for InverseTime {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        base / (1.0 + self.decay * clock.t())
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("decay", self.decay)
    }
}
