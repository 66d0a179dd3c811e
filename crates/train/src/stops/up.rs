//! Prechelt's successive strips of growing error, `UP_s`. Prechelt 1998, "Early stopping, but when?".

use super::{Check, Stop, Watch, at_least, check_strip, check_watch, every_epoch, five, is_strip_end, whole};
use crate::error::TrainError;
use gradus_metrics::Direction;
use gradus_nn::table::Config;
use serde::{Deserialize, Serialize};

/// Ends when the watched value has become worse in this many strips in a row: `{ up = 3 }`.
///
/// A strip is worse when the value at its end is worse than at the end of the strip before; how large the value or the change is does
/// not matter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Up {
    /// How many strips in a row, Prechelt's s.
    pub strips: u64,
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

impl Up {
    /// So many strips of five epochs.
    pub fn new(strips: u64) -> Up {
        Up { strips, strip: five(), monitor: None, check_every: every_epoch() }
    }
}

impl Config for Up {
    fn examples() -> Vec<Up> {
        vec![Up::new(3)]
    }

    fn from_number(x: f64) -> Result<Up, String> {
        whole(x).map(Up::new)
    }
}

impl Stop for Up {
    fn watch(&self) -> Option<Watch<'_>> {
        Some(Watch { monitor: self.monitor.as_deref(), check_every: self.check_every })
    }

    fn reached(&self, checks: &[Check], better: Direction) -> bool {
        if !is_strip_end(checks, self.strip) {
            return false;
        }
        let ends: Vec<f64> = checks.iter().rev().step_by(self.strip as usize).map(|check| check.value).collect();
        let worse = ends.windows(2).take_while(|pair| better.is_better(pair[1], pair[0]) && pair[0].is_finite());
        worse.count() as u64 >= self.strips
    }

    fn check(&self) -> Result<(), TrainError> {
        at_least(self.strips > 0, "strips", self.strips as f64, "at least 1")?;
        check_strip(self.strip)?;
        check_watch(self.check_every)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::checks;
    use super::*;

    #[test]
    fn strips_in_a_row_are_counted() {
        // Strips of two: their ends are 0.5, 0.6, 0.7 and 0.65.
        let values = [0.9, 0.5, 0.1, 0.6, 0.9, 0.7, 0.0, 0.65];
        let stop = |strips: u64, seen: usize| {
            Up { strip: 2, ..Up::new(strips) }.reached(&checks(&values[..seen]), Direction::Lower)
        };
        assert!(!stop(1, 2), "the first strip has none before it");
        assert!(stop(1, 4) && !stop(2, 4));
        assert!(!stop(2, 5), "within a strip");
        assert!(stop(2, 6) && !stop(3, 6));
        assert!(!stop(1, 8));
    }

    #[test]
    fn what_improves_upwards_is_worse_when_lower() {
        let stop = Up { strip: 1, ..Up::new(2) };
        assert!(stop.reached(&checks(&[0.9, 0.8, 0.7]), Direction::Higher));
        assert!(!stop.reached(&checks(&[0.9, 0.8, 0.8]), Direction::Higher));
        assert!(!stop.reached(&checks(&[0.7, 0.8, f64::NAN]), Direction::Lower));
    }
}
