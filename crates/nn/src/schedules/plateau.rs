//! The rate is cut when a watched value no longer improves.

use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Constant, Node, Role, ShapeError};
use serde::{Deserialize, Serialize};

/// The rate is cut by `factor` after more than `patience` checks without an improvement of the watched value. As ReduceLROnPlateau of PyTorch;
/// Keras cuts after `patience` such checks.
///
/// The watched value is the validation loss (the training loss where there are no validation data), looked at every epoch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plateau {
    /// By which the rate is multiplied.
    pub factor: f64,
    /// How many checks without improvement are borne.
    pub patience: u64,
    /// What counts as an improvement: a change by more than this share of the best value so far.
    pub threshold: f64,
    /// Take `threshold` as it is, not as a share.
    pub absolute: bool,
    /// How many checks after a cut do not count.
    pub cooldown: u64,
    /// The lowest rate.
    pub min: f64,
    /// What is watched, such as `valid/accuracy`; the loss where nothing is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// How often, in epochs; fractions allowed.
    pub check_every: f64,
}

impl Default for Plateau {
    fn default() -> Plateau {
        Plateau {
            factor: 0.1,
            patience: 10,
            threshold: 1e-4,
            absolute: false,
            cooldown: 0,
            min: 0.0,
            monitor: None,
            check_every: 1.0,
        }
    }
}

impl Config for Plateau {
    fn examples() -> Vec<Plateau> {
        let default = Plateau::default;
        vec![
            default(),
            Plateau { factor: 0.5, patience: 2, absolute: true, threshold: 1e-3, cooldown: 1, min: 1e-5, ..default() },
            Plateau { monitor: Some("valid/accuracy".into()), check_every: 0.5, ..default() },
        ]
    }
}

/// The variable that holds the number of cuts.
const CUTS: &str = "cuts";

impl Plateau {
    /// The path of the value of a training state that holds the number of cuts so far.
    pub fn cuts_path() -> String {
        format!("{}/{CUTS}", super::curve::SCOPE)
    }

    /// How often the rate has been cut, given all values seen so far. `lower` says that smaller is better.
    ///
    /// ```
    /// use gradus_nn::schedules::Plateau;
    /// let plateau = Plateau { patience: 1, ..Plateau::default() };
    /// assert_eq!(plateau.cuts([1.0, 0.5, 0.5, 0.6], true), 1);
    /// assert_eq!(plateau.cuts([1.0, 0.5, 0.5, 0.4], true), 0);
    /// ```
    pub fn cuts(&self, values: impl IntoIterator<Item = f64>, lower: bool) -> u64 {
        let mut best = if lower { f64::INFINITY } else { f64::NEG_INFINITY };
        let (mut bad, mut cooling, mut cuts) = (0, 0, 0);
        for value in values {
            let better = match (lower, self.absolute) {
                (true, true) => value < best - self.threshold,
                (true, false) => value < best * (1.0 - self.threshold),
                (false, true) => value > best + self.threshold,
                (false, false) => value > best * (1.0 + self.threshold),
            };
            if better {
                (best, bad) = (value, 0);
            } else {
                bad += 1;
            }
            if cooling > 0 {
                (cooling, bad) = (cooling - 1, 0);
            }
            if bad > self.patience {
                (cooling, bad, cuts) = (self.cooldown, 0, cuts + 1);
            }
        }
        cuts
    }
}

impl Schedule for Plateau {
    /// The number of cuts is a value of the training state, which the trainer sets.
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let cuts = clock.graph().variable(CUTS, [], Constant(0.0), Role::Slot);
        (base * clock.graph().scalar(self.factor).pow(cuts)).maximum(self.min)
    }

    fn plateau(&self) -> Option<&Plateau> {
        Some(self)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::within("factor", self.factor, 0.0..1.0, "of at least 0 and below 1")?;
        check::not_negative("threshold", self.threshold)?;
        check::not_negative("min", self.min)?;
        check::positive("check_every", self.check_every)
    }
}
