//! A bound on the loss.

use super::{Check, Stop, Watch, at_least, check_watch, every_epoch, table};
use crate::error::TrainError;
use gradus_metrics::Direction;
use gradus_nn::table::Config;
use serde::{Deserialize, Serialize};

/// Ends when the watched value is below a bound (above it, for one that improves upwards): `{ loss_below = 0.12 }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LossBelow {
    /// The bound.
    pub value: f64,
    /// What is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// How often, in epochs.
    #[serde(default = "every_epoch")]
    pub check_every: f64,
}

impl LossBelow {
    /// A bound on the loss, looked at every epoch.
    pub fn new(value: f64) -> LossBelow {
        LossBelow { value, monitor: None, check_every: every_epoch() }
    }
}

impl Config for LossBelow {
    fn examples() -> Vec<LossBelow> {
        vec![LossBelow::new(0.1)]
    }

    fn from_number(x: f64) -> Result<LossBelow, String> {
        table("value", x)
    }
}

impl Stop for LossBelow {
    fn watch(&self) -> Option<Watch<'_>> {
        Some(Watch { monitor: self.monitor.as_deref(), check_every: self.check_every })
    }

    fn reached(&self, checks: &[Check], better: Direction) -> bool {
        checks.last().is_some_and(|check| better.is_better(check.value, self.value))
    }

    fn check(&self) -> Result<(), TrainError> {
        at_least(self.value.is_finite(), "value", self.value, "a finite number")?;
        check_watch(self.check_every)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::checks;
    use super::*;

    #[test]
    fn the_newest_value_decides() {
        let stop = LossBelow::new(0.5);
        assert!(stop.reached(&checks(&[0.9, 0.49]), Direction::Lower));
        assert!(!stop.reached(&checks(&[0.4, 0.5]), Direction::Lower));
        assert!(!stop.reached(&checks(&[f64::NAN]), Direction::Lower));
        assert!(stop.reached(&checks(&[0.9]), Direction::Higher));
    }
}
