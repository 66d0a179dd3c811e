//! A bound on the change of the loss.

use super::{Check, Stop, Watch, at_least, check_watch, every_epoch, table};
use crate::error::TrainError;
use gradus_metrics::Direction;
use gradus_nn::table::Config;
use serde::{Deserialize, Serialize};

/// Ends when the watched value has changed by less than a bound since the check before, `|Lₖ - Lₖ₋₁| < value`:
/// `{ loss_change = 1e-7 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossChange {
    /// The bound.
    pub value: f64,
    /// What is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// How often, in epochs.
    #[serde(default = "every_epoch")]
    pub check_every: f64,
}

impl LossChange {
    /// A bound on the change of the loss from epoch to epoch.
    pub fn new(value: f64) -> LossChange {
        LossChange { value, monitor: None, check_every: every_epoch() }
    }
}

impl Config for LossChange {
    fn examples() -> Vec<LossChange> {
        vec![LossChange::new(1e-7)]
    }

    fn from_number(x: f64) -> Result<LossChange, String> {
        table("value", x)
    }
}

impl Stop for LossChange {
    fn watch(&self) -> Option<Watch<'_>> {
        Some(Watch { monitor: self.monitor.as_deref(), check_every: self.check_every })
    }

    fn reached(&self, checks: &[Check], _better: Direction) -> bool {
        match checks {
            [.., before, now] => (now.value - before.value).abs() < self.value,
            _ => false,
        }
    }

    fn check(&self) -> Result<(), TrainError> {
        at_least(self.value > 0.0 && self.value.is_finite(), "value", self.value, "above 0")?;
        check_watch(self.check_every)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::checks;
    use super::*;

    #[test]
    fn two_checks_are_compared() {
        let stop = LossChange::new(0.25);
        assert!(!stop.reached(&checks(&[0.1]), Direction::Lower));
        assert!(!stop.reached(&checks(&[0.75, 0.5]), Direction::Lower));
        assert!(stop.reached(&checks(&[9.0, 0.5, 0.74]), Direction::Lower));
    }
}
