//! The same number everywhere.

use super::{Draw, Fans, Initialize};
use crate::check;
use crate::table::Config;
use gradus_graph::ShapeError;
use serde::{Deserialize, Serialize};

/// The same number everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Constant {
    /// The number: 0.
    pub value: f64,
}

impl Default for Constant {
    fn default() -> Constant {
        Constant { value: 0.0 }
    }
}

impl Config for Constant {
    fn examples() -> Vec<Constant> {
        vec![Constant { value: 0.1 }]
    }
}

impl Initialize for Constant {
    fn draw(&self, _fans: Fans) -> Draw {
        Draw::Constant(self.value)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::finite("value", self.value)
    }
}
