//! The same rate all the time.

use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// The same rate all the time, `factor·r₀`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Constant {
    /// By which r₀ is multiplied.
    pub factor: f64,
}

impl Default for Constant {
    fn default() -> Constant {
        Constant { factor: 1.0 }
    }
}

impl Config for Constant {
    fn examples() -> Vec<Constant> {
        vec![Constant::default(), Constant { factor: 0.1 }]
    }

    fn from_number(factor: f64) -> Result<Constant, String> {
        Ok(Constant { factor })
    }
}

impl Schedule for Constant {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        clock.graph().scalar(base * self.factor)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("factor", self.factor)
    }
}
