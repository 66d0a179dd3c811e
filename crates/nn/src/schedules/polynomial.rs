//! Polynomial decay.

use super::clock::CLOSE;
use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Polynomial decay, `(r₀ - end)(1 - min(t, s)/s)^power + end`. As PolynomialLR of PyTorch and PolynomialDecay of Keras; power 1 is linear.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Polynomial {
    /// s: after this time it stays; the whole run where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<f64>,
    /// The last rate.
    pub end: f64,
    /// The exponent.
    pub power: f64,
    /// Start again from a point on a line instead of staying: s becomes `s·max(1, ⌈t/s⌉)`.
    pub cycle: bool,
}

impl Default for Polynomial {
    fn default() -> Polynomial {
        Polynomial { length: None, end: 0.0, power: 1.0, cycle: false }
    }
}

impl Config for Polynomial {
    fn examples() -> Vec<Polynomial> {
        vec![Polynomial::default(), Polynomial { length: Some(4.0), end: 1e-3, power: 2.0, cycle: true }]
    }
}

impl Schedule for Polynomial {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let (t, mut length) = (clock.t(), clock.length(self.length));
        if self.cycle {
            length = &length * (-(CLOSE - t / &length).floor()).maximum(1.0);
        }
        let left = 1.0 - t.minimum(&length) / length;
        (base - self.end) * left.pow(self.power) + self.end
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("end", self.end)?;
        check::positive("power", self.power)?;
        self.length.map_or(Ok(()), |length| check::positive("length", length))
    }
}
