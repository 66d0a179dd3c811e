//! Prechelt's generalisation loss, `GL = 100·(E_va/E_opt - 1) > α`. Prechelt 1998, "Early stopping, but when?".

use super::{Check, Stop, Watch, alpha, check_strip, check_watch, every_epoch, five, is_strip_end, table};
use crate::error::TrainError;
use gradus_metrics::Direction;
use gradus_nn::table::Config;
use serde::{Deserialize, Serialize};

/// Ends when the validation error is more than α per cent above its lowest so far: `{ generalization_loss = 5 }`.
///
/// `GL = 100·(E_va/E_opt - 1) > α`, where `E_va` is the newest value and `E_opt` the lowest of all checks, tested at the ends of strips
/// of `strip` checks. The watched value must be an error, at least 0 and better when lower; while `E_opt` is 0 it never stops.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GeneralizationLoss {
    /// The bound on the generalisation loss, in per cent.
    pub alpha: f64,
    /// How many checks make a strip; 1 tests at every check.
    #[serde(default = "five")]
    pub strip: u64,
    /// What is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// How often, in epochs.
    #[serde(default = "every_epoch")]
    pub check_every: f64,
}

impl GeneralizationLoss {
    /// A bound on the generalisation loss in per cent, with strips of five epochs.
    pub fn new(alpha: f64) -> GeneralizationLoss {
        GeneralizationLoss { alpha, strip: five(), monitor: None, check_every: every_epoch() }
    }
}

impl Config for GeneralizationLoss {
    fn examples() -> Vec<GeneralizationLoss> {
        vec![GeneralizationLoss::new(5.0)]
    }

    fn from_number(x: f64) -> Result<GeneralizationLoss, String> {
        table("alpha", x)
    }
}

impl Stop for GeneralizationLoss {
    fn watch(&self) -> Option<Watch<'_>> {
        Some(Watch { monitor: self.monitor.as_deref(), check_every: self.check_every })
    }

    fn needs_error(&self) -> bool {
        true
    }

    fn reached(&self, checks: &[Check], _better: Direction) -> bool {
        is_strip_end(checks, self.strip) && generalization_loss(checks) > self.alpha
    }

    fn check(&self) -> Result<(), TrainError> {
        alpha(self.alpha)?;
        check_strip(self.strip)?;
        check_watch(self.check_every)
    }
}

/// By how many per cent the newest value is above the lowest; 0 while the lowest is not above 0.
pub(super) fn generalization_loss(checks: &[Check]) -> f64 {
    let lowest = checks.iter().map(|check| check.value).fold(f64::NAN, f64::min);
    match checks.last() {
        Some(newest) if lowest > 0.0 => 100.0 * (newest.value / lowest - 1.0),
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::checks;
    use super::*;

    #[test]
    fn the_newest_is_compared_with_the_lowest_at_strip_ends() {
        let stop = |alpha: f64, strip: u64| GeneralizationLoss { strip, ..GeneralizationLoss::new(alpha) };
        // 0.525 is 5 % above 0.5.
        let values = [1.0, 0.5, 0.75, 0.6, 0.525];
        assert!((generalization_loss(&checks(&values)) - 5.0).abs() < 1e-12);
        assert!(stop(4.9, 5).reached(&checks(&values), Direction::Lower));
        assert!(!stop(5.1, 5).reached(&checks(&values), Direction::Lower));
        assert!(!stop(4.9, 5).reached(&checks(&values[..3]), Direction::Lower), "within a strip");
        assert!(stop(4.9, 1).reached(&checks(&values[..3]), Direction::Lower));
        assert!(!stop(0.0, 1).reached(&checks(&values[..2]), Direction::Lower), "a new lowest");
        assert!(!stop(0.0, 5).reached(&checks(&[1.0, 0.0, 0.75, 0.6, 0.525]), Direction::Lower), "a lowest of 0");
        assert!(stop(4.9, 5).reached(&checks(&[f64::NAN, 0.5, 0.75, 0.6, 0.525]), Direction::Lower));
        assert!(!stop(0.0, 1).reached(&checks(&[0.5, f64::NAN]), Direction::Lower));
    }
}
