//! Piecewise constant: given rates between given times.

use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Piecewise constant: `values[i]` between the boundaries i-1 and i. At a boundary the later value holds (PyTorch); Keras and TensorFlow
/// have the earlier one there.
///
/// The values are rates of the optimiser's `lr`; other groups follow in proportion.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Piecewise {
    /// The times at which the rate changes, in order.
    pub boundaries: Vec<f64>,
    /// The rates: one more than boundaries.
    pub values: Vec<f64>,
}

impl Default for Piecewise {
    fn default() -> Piecewise {
        Piecewise { boundaries: vec![1.0], values: vec![1e-2, 1e-3] }
    }
}

impl Config for Piecewise {
    fn examples() -> Vec<Piecewise> {
        vec![Piecewise::default(), Piecewise { boundaries: vec![1.0, 3.0], values: vec![0.1, 0.05, 0.01] }]
    }
}

impl Schedule for Piecewise {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let mut rate = clock.graph().scalar(self.values.first().copied().unwrap_or(base));
        for (&boundary, &value) in self.boundaries.iter().zip(self.values.iter().skip(1)) {
            rate = clock.reached(boundary).select(value, rate);
        }
        rate
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::rising("boundaries", &self.boundaries)?;
        self.values.iter().try_for_each(|&value| check::not_negative("values", value))?;
        if self.values.len() == self.boundaries.len() + 1 {
            return Ok(());
        }
        let expected = format!("{} `values` for {} boundaries", self.boundaries.len() + 1, self.boundaries.len());
        Err(ShapeError::new(expected, self.values.len().to_string(), "give one value more than boundaries"))
    }
}
