//! When a run ends.
//!
//! A stop is one configuration struct, one file, one line of the table below; the module's name is its key in recipes and what
//! [`Outcome::stopped_by`](crate::Outcome::stopped_by) says. In a recipe it stands as a table with its key, and where one number says
//! all, that number: `stop = [ { loss_below = 0.12 }, { patience = { checks = 5, monitor = "valid/accuracy" } } ]`.
//!
//! Stops that watch a value have two settings in common:
//!
//! * `monitor`: which, `valid/loss` by default, `train/loss` where there are no validation data;
//! * `check_every`: how often they look, in epochs (fractions allowed): every `round(check_every · steps per epoch)` steps.
//!
//! They decide from the list of what they have seen so far, so that they have nothing else to remember when a run is resumed.

use crate::error::TrainError;
use gradus_metrics::Direction;
use serde::de::value::{Error as ValueError, MapDeserializer};
use serde::de::{Deserialize, IntoDeserializer};
use std::time::Duration;

/// When a run ends. Every method has a default that never ends one; a stop overrides what it needs.
pub trait Stop {
    /// What it watches, and how often.
    fn watch(&self) -> Option<Watch<'_>> {
        None
    }

    /// Whether to stop, given what was seen at its checks so far, the newest last (there is at least one).
    fn reached(&self, _checks: &[Check], _better: Direction) -> bool {
        false
    }

    /// Whether what it watches must be an error: at least 0, and better when lower.
    fn needs_error(&self) -> bool {
        false
    }

    /// After how many steps the run ends.
    fn last_step(&self, _steps_per_epoch: u64) -> Option<u64> {
        None
    }

    /// After how much time the run ends.
    fn time(&self) -> Option<Duration> {
        None
    }

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), TrainError> {
        Ok(())
    }
}

/// What a stop watches, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Watch<'a> {
    /// The value, or `None` for the loss.
    pub monitor: Option<&'a str>,
    /// How often, in epochs.
    pub check_every: f64,
}

/// What a stop has seen at one of its checks.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Check {
    /// Steps done.
    pub step: u64,
    /// The watched value.
    #[serde(with = "crate::number")]
    pub value: f64,
    /// The training loss: the mean over the epoch so far.
    #[serde(with = "crate::number")]
    pub train_loss: f64,
}

gradus_nn::table! {
    /// Any stop.
    pub enum AnyStop: Stop, "a stop" {
        epochs::Epochs, steps::Steps, minutes::Minutes, loss_below::LossBelow, loss_change::LossChange, patience::Patience,
        generalization_loss::GeneralizationLoss, progress_quotient::ProgressQuotient, up::Up, worsening::Worsening,
    }
}

/// Reads a whole number through the stop's own form.
fn whole(x: f64) -> Result<u64, String> {
    if x >= 1.0 && x.fract() == 0.0 && x <= 2f64.powi(53) {
        return Ok(x as u64);
    }
    Err(format!("expected a whole number of at least 1, received {x}"))
}

/// A stop from its number, for stops whose table needs that number alone.
fn table<'de, T: Deserialize<'de>>(setting: &'static str, x: f64) -> Result<T, String> {
    let map = MapDeserializer::<_, ValueError>::new([(setting, x.into_deserializer())].into_iter());
    T::deserialize(map).map_err(|e| e.to_string())
}

/// The default of `check_every`.
fn every_epoch() -> f64 {
    1.0
}

/// The default of `strip`: Prechelt's k.
fn five() -> u64 {
    5
}

/// Whether the newest check ends a strip of so many.
fn is_strip_end(checks: &[Check], strip: u64) -> bool {
    !checks.is_empty() && (checks.len() as u64).is_multiple_of(strip.max(1))
}

/// Checks the length of a strip.
fn check_strip(strip: u64) -> Result<(), TrainError> {
    at_least(strip > 0, "strip", strip as f64, "at least 1")
}

/// Checks the bound of Prechelt's quotients.
fn alpha(alpha: f64) -> Result<(), TrainError> {
    at_least(alpha >= 0.0 && alpha.is_finite(), "alpha", alpha, "at least 0")
}

/// Checks the settings that watching stops share.
fn check_watch(check_every: f64) -> Result<(), TrainError> {
    at_least(check_every > 0.0 && check_every.is_finite(), "check_every", check_every, "epochs, above 0")
}

/// An error unless a setting is right.
fn at_least(right: bool, option: &'static str, received: f64, expected: &str) -> Result<(), TrainError> {
    if right {
        return Ok(());
    }
    Err(TrainError::Option { option, received: received.to_string(), expected: expected.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<AnyStop>, String> {
        #[derive(serde::Deserialize)]
        struct Table {
            stop: Vec<AnyStop>,
        }
        toml::from_str::<Table>(&format!("stop = [{text}]")).map(|t| t.stop).map_err(|e| e.to_string())
    }

    pub(super) fn checks(values: &[f64]) -> Vec<Check> {
        values.iter().enumerate().map(|(i, &value)| Check { step: i as u64 + 1, value, train_loss: value }).collect()
    }

    #[test]
    fn numbers_and_tables() {
        let stops = read(
            "{ epochs = 3 }, { steps = 100 }, { minutes = 0.5 }, { loss_below = 0.12 }, { loss_change = 1e-7 }, { patience = 5 }, \
             { loss_below = { value = 0.12, monitor = 'valid/loss', check_every = 0.05 } }, { patience = { checks = 2, min_delta = 0.1 } }, \
             { generalization_loss = 5 }, { progress_quotient = 0.5 }, { up = 3 }, { worsening = 4 }, \
             { generalization_loss = { alpha = 2, strip = 1, monitor = 'valid/mse' } }",
        )
        .unwrap();
        assert_eq!(stops[0], Epochs(3).into());
        assert_eq!(stops[3], LossBelow::new(0.12).into());
        let bound = LossBelow { monitor: Some("valid/loss".into()), check_every: 0.05, ..LossBelow::new(0.12) };
        assert_eq!(stops[6], bound.into());
        let keys = stops.iter().map(AnyStop::key).collect::<Vec<_>>();
        assert_eq!([&keys[..6], &keys[8..12]].concat(), AnyStop::KEYS);
        for stop in stops {
            let json = serde_json::to_string(&stop).unwrap();
            assert_eq!(serde_json::from_str::<AnyStop>(&json).unwrap(), stop, "{json}");
            stop.check().unwrap();
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, part) in [
            ("{ loss_bellow = 0.1 }", "unknown variant `loss_bellow`, expected one of `epochs`"),
            (
                "{ loss_below = { value = 0.1, monitr = 'x' } }",
                "unknown field `monitr`, expected one of `value`, `monitor`",
            ),
            ("{ loss_below = { monitor = 'x' } }", "missing field `value`"),
            ("{ epochs = 1.5 }", "expected a whole number of at least 1, received 1.5"),
            ("{ epochs = 1, steps = 3 }", "expected one name of a stop, found `epochs` and `steps`"),
            ("{ loss_below = 'low' }", "expected a table of settings"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
        let stop = LossBelow { check_every: 0.0, ..LossBelow::new(0.1) };
        assert_eq!(stop.check().unwrap_err().to_string(), "`check_every` is 0\n  expected: epochs, above 0");
    }
}
