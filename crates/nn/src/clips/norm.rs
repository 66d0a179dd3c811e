//! Clipping by the norm of each parameter's gradient.

use super::{Clip, scaled};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// The gradient of each parameter, `g·min(1, limit/‖g‖₂)`. As `clipnorm` of Keras.
///
/// Parameters with small gradients keep them whatever the others do, so the direction of the whole may turn.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Norm {
    /// The largest norm of one parameter's gradient.
    pub limit: f64,
}

impl Norm {
    /// This limit.
    pub fn new(limit: f64) -> Norm {
        Norm { limit }
    }
}

impl Default for Norm {
    fn default() -> Norm {
        Norm::new(1.0)
    }
}

impl Config for Norm {
    fn examples() -> Vec<Norm> {
        vec![Norm::default(), Norm::new(0.5)]
    }

    fn from_number(limit: f64) -> Result<Norm, String> {
        Ok(Norm::new(limit))
    }
}

impl Clip for Norm {
    fn clip(&self, gradients: Vec<Node>) -> Vec<Node> {
        gradients.iter().map(|g| scaled(g, &g.square().sum_all(), self.limit)).collect()
    }

    fn by_parameter(&self) -> bool {
        true
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("limit", self.limit)
    }
}
