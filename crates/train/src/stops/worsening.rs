//! The last few checks all worse than the one before them: a rule of thumb from courses, there with four checks of the accuracy.

use super::{Check, Stop, Watch, at_least, check_watch, every_epoch, whole};
use crate::error::TrainError;
use gradus_metrics::Direction;
use gradus_nn::table::Config;
use serde::{Deserialize, Serialize};

/// Ends when the last checks are all worse than the one before them: `{ worsening = { checks = 4, monitor = "valid/accuracy" } }` is
/// "the last four all below the fifth-last".
///
/// Unlike [`Patience`](super::Patience) it compares with one check, which need not be the best so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Worsening {
    /// How many checks must be worse than the one before them.
    pub checks: u64,
    /// What is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// How often, in epochs.
    #[serde(default = "every_epoch")]
    pub check_every: f64,
}

impl Worsening {
    /// So many checks of the loss, one an epoch.
    pub fn new(checks: u64) -> Worsening {
        Worsening { checks, monitor: None, check_every: every_epoch() }
    }
}

impl Config for Worsening {
    fn examples() -> Vec<Worsening> {
        vec![Worsening::new(4)]
    }

    fn from_number(x: f64) -> Result<Worsening, String> {
        whole(x).map(Worsening::new)
    }
}

impl Stop for Worsening {
    fn watch(&self) -> Option<Watch<'_>> {
        Some(Watch { monitor: self.monitor.as_deref(), check_every: self.check_every })
    }

    fn reached(&self, checks: &[Check], better: Direction) -> bool {
        let Some(before) = checks.len().checked_sub(self.checks as usize + 1) else { return false };
        let bar = checks[before].value;
        checks[before + 1..].iter().all(|check| check.value.is_finite() && better.is_better(bar, check.value))
    }

    fn check(&self) -> Result<(), TrainError> {
        at_least(self.checks > 0, "checks", self.checks as f64, "at least 1")?;
        check_watch(self.check_every)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::checks;
    use super::*;

    #[test]
    fn the_last_four_are_below_the_fifth_last() {
        let stop = |values: &[f64]| Worsening::new(4).reached(&checks(values), Direction::Higher);
        assert!(stop(&[0.5, 0.9, 0.89, 0.8, 0.85, 0.89]));
        assert!(!stop(&[0.9, 0.89, 0.8, 0.85]), "too few");
        assert!(!stop(&[0.9, 0.89, 0.8, 0.9, 0.89]), "one is as good");
        assert!(stop(&[0.95, 0.9, 0.89, 0.8, 0.85, 0.89]), "the fifth-last need not be the best");
        assert!(Worsening::new(2).reached(&checks(&[0.1, 0.2, 0.3]), Direction::Lower));
        assert!(!Worsening::new(1).reached(&checks(&[0.1, f64::NAN]), Direction::Lower));
    }
}
