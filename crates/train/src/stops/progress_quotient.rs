//! Prechelt's quotient of generalisation loss and progress, `PQ = GL/P_k > α`. Prechelt 1998, "Early stopping, but when?".

use super::generalization_loss::generalization_loss;
use super::{Check, Stop, Watch, alpha, check_strip, check_watch, every_epoch, five, is_strip_end, table};
use crate::error::TrainError;
use gradus_metrics::Direction;
use gradus_nn::table::Config;
use serde::{Deserialize, Serialize};

/// Ends when the validation error grows faster than the training error still falls: `{ progress_quotient = 0.5 }`.
///
/// `GL/P_k > α`, where `GL` is that of [`GeneralizationLoss`](super::GeneralizationLoss) and the progress of a strip of `k` checks is
/// `P_k = 1000·(mean of the strip's training errors / their minimum - 1)`, tested at the ends of strips. Without progress (`P_k` = 0) it
/// stops when `GL` is above 0. Training errors are the means over the epoch so far that each check saw.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProgressQuotient {
    /// The bound on the quotient.
    pub alpha: f64,
    /// How many checks make a strip.
    #[serde(default = "five")]
    pub strip: u64,
    /// What is watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// How often, in epochs.
    #[serde(default = "every_epoch")]
    pub check_every: f64,
}

impl ProgressQuotient {
    /// A bound on the quotient, with strips of five epochs.
    pub fn new(alpha: f64) -> ProgressQuotient {
        ProgressQuotient { alpha, strip: five(), monitor: None, check_every: every_epoch() }
    }
}

impl Config for ProgressQuotient {
    fn examples() -> Vec<ProgressQuotient> {
        vec![ProgressQuotient::new(0.5)]
    }

    fn from_number(x: f64) -> Result<ProgressQuotient, String> {
        table("alpha", x)
    }
}

impl Stop for ProgressQuotient {
    fn watch(&self) -> Option<Watch<'_>> {
        Some(Watch { monitor: self.monitor.as_deref(), check_every: self.check_every })
    }

    fn needs_error(&self) -> bool {
        true
    }

    fn reached(&self, checks: &[Check], _better: Direction) -> bool {
        if !is_strip_end(checks, self.strip) {
            return false;
        }
        let loss = generalization_loss(checks);
        match progress(&checks[checks.len() - self.strip as usize..]) {
            0.0 => loss > 0.0,
            progress => loss / progress > self.alpha,
        }
    }

    fn check(&self) -> Result<(), TrainError> {
        alpha(self.alpha)?;
        check_strip(self.strip)?;
        check_watch(self.check_every)
    }
}

/// By how many per mille the mean training error of a strip is above its minimum.
fn progress(strip: &[Check]) -> f64 {
    let errors = || strip.iter().map(|check| check.train_loss);
    let (sum, lowest) = (errors().sum::<f64>(), errors().fold(f64::NAN, f64::min));
    let mean = sum / strip.len() as f64;
    if mean <= lowest { 0.0 } else { 1000.0 * (mean / lowest - 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checks(pairs: &[(f64, f64)]) -> Vec<Check> {
        let check = |(i, &(value, train_loss)): (usize, &(f64, f64))| Check { step: i as u64 + 1, value, train_loss };
        pairs.iter().enumerate().map(check).collect()
    }

    #[test]
    fn loss_is_weighed_against_progress() {
        // GL = 100·(0.55/0.5 - 1) = 10; the mean training error is 0.44, the lowest 0.4: P = 1000·0.1 = 100; PQ = 0.1.
        let seen = checks(&[(0.6, 0.48), (0.5, 0.46), (0.52, 0.44), (0.53, 0.42), (0.55, 0.4)]);
        let stop = |alpha: f64| ProgressQuotient::new(alpha).reached(&seen, Direction::Lower);
        assert!(stop(0.0999) && !stop(0.1001));
        assert!(!ProgressQuotient::new(0.01).reached(&seen[..4], Direction::Lower), "within a strip");
    }

    #[test]
    fn without_progress_any_loss_stops() {
        let flat = |last: f64| checks(&[(0.5, 0.25), (0.5, 0.25), (0.5, 0.25), (0.5, 0.25), (last, 0.25)]);
        let stop = ProgressQuotient::new(1e9);
        assert!(stop.reached(&flat(0.5001), Direction::Lower));
        assert!(!stop.reached(&flat(0.5), Direction::Lower));
        assert!(!stop.reached(&flat(0.4), Direction::Lower));
        // Training errors that reach 0: the progress is infinite.
        let learnt = checks(&[(0.5, 0.25), (0.5, 0.25), (0.5, 0.25), (0.5, 0.25), (0.9, 0.0)]);
        assert!(!stop.reached(&learnt, Direction::Lower));
    }
}
