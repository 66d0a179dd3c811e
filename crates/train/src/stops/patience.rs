//! No improvement for some checks. Prechelt 1998 compares such rules.

use super::{Check, Stop, Watch, at_least, check_watch, every_epoch, whole};
use crate::error::TrainError;
use gradus_metrics::Direction;
use gradus_nn::table::Config;
use serde::{Deserialize, Serialize};

/// Ends when the watched value has not improved in this many checks in a row: `{ patience = 5 }`.
///
/// An improvement is one by more than `min_delta` over the best so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Patience {
    /// How many checks without improvement end the run.
    pub checks: u64,
    /// The smallest change that counts as an improvement.
    #[serde(default)]
    pub min_delta: f64,
    /// What is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// How often, in epochs.
    #[serde(default = "every_epoch")]
    pub check_every: f64,
}

impl Patience {
    /// Patience with the loss, looked at every epoch.
    pub fn new(checks: u64) -> Patience {
        Patience { checks, min_delta: 0.0, monitor: None, check_every: every_epoch() }
    }
}

impl Config for Patience {
    fn examples() -> Vec<Patience> {
        vec![Patience::new(5)]
    }

    fn from_number(x: f64) -> Result<Patience, String> {
        whole(x).map(Patience::new)
    }
}

impl Stop for Patience {
    fn watch(&self) -> Option<Watch<'_>> {
        Some(Watch { monitor: self.monitor.as_deref(), check_every: self.check_every })
    }

    fn reached(&self, checks: &[Check], better: Direction) -> bool {
        let mut best = f64::NAN;
        let mut waited = 0;
        for check in checks {
            let bar = if better == Direction::Lower { best - self.min_delta } else { best + self.min_delta };
            if better.is_better(check.value, bar) {
                (best, waited) = (check.value, 0);
            } else {
                waited += 1;
            }
        }
        waited >= self.checks
    }

    fn check(&self) -> Result<(), TrainError> {
        at_least(self.checks > 0, "checks", self.checks as f64, "at least 1")?;
        at_least(self.min_delta >= 0.0 && self.min_delta.is_finite(), "min_delta", self.min_delta, "at least 0")?;
        check_watch(self.check_every)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::checks;
    use super::*;

    #[test]
    fn checks_without_improvement_are_counted() {
        let stop = Patience::new(2);
        assert!(!stop.reached(&checks(&[3.0, 2.0, 2.0]), Direction::Lower));
        assert!(stop.reached(&checks(&[3.0, 2.0, 2.0, 2.5]), Direction::Lower));
        assert!(!stop.reached(&checks(&[3.0, 2.0, 2.0, 1.9]), Direction::Lower));
        assert!(stop.reached(&checks(&[f64::NAN, f64::NAN]), Direction::Lower));
        assert!(stop.reached(&checks(&[0.5, 0.4, 0.5]), Direction::Higher));
        let strict = Patience { min_delta: 0.2, ..stop };
        assert!(strict.reached(&checks(&[3.0, 2.9, 2.85]), Direction::Lower));
        assert!(!strict.reached(&checks(&[3.0, 2.9, 2.75]), Direction::Lower));
    }
}
