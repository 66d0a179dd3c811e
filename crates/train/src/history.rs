//! What a run writes down: one [`Record`] for each time it looked at itself.

use crate::error::{Result, TrainError, list};
use crate::number::{self, Number};
use gradus_metrics::{Direction, Metric};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;
use std::path::Path;

/// Loss and metrics of a pass over data, by name: `loss`, `accuracy`, `mse`, …; with several outputs `OUTPUT/accuracy`.
///
/// ```
/// use gradus_train::Scores;
/// let scores: Scores = [("loss", 0.5), ("accuracy", 0.9)].into_iter().collect();
/// assert_eq!(scores["loss"], 0.5);
/// assert_eq!(scores.get("mse"), None);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Scores(BTreeMap<String, f64>);

impl Scores {
    /// One of them.
    pub fn get(&self, name: &str) -> Option<f64> {
        self.0.get(name).copied()
    }

    /// All, by name.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, f64)> {
        self.0.iter().map(|(name, &value)| (name.as_str(), value))
    }

    pub(crate) fn insert(&mut self, name: String, value: f64) {
        self.0.insert(name, value);
    }
}

/// The same bits under the same names: NaN equals NaN.
impl PartialEq for Scores {
    fn eq(&self, other: &Scores) -> bool {
        self.0.len() == other.0.len() && self.iter().zip(other.iter()).all(|(a, b)| a.0 == b.0 && same(a.1, b.1))
    }
}

impl std::ops::Index<&str> for Scores {
    type Output = f64;

    /// Panics if there is none of this name; see [`Scores::get`].
    fn index(&self, name: &str) -> &f64 {
        self.0.get(name).unwrap_or_else(|| panic!("there is no score `{name}`, only {}", list(self.0.keys())))
    }
}

impl<S: Into<String>> FromIterator<(S, f64)> for Scores {
    fn from_iter<I: IntoIterator<Item = (S, f64)>>(scores: I) -> Scores {
        Scores(scores.into_iter().map(|(name, value)| (name.into(), value)).collect())
    }
}

impl Serialize for Scores {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, &value)| (name, Number(value))))
    }
}

impl<'de> Deserialize<'de> for Scores {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Scores, D::Error> {
        let scores: BTreeMap<String, Number> = Deserialize::deserialize(deserializer)?;
        Ok(Scores(scores.into_iter().map(|(name, value)| (name, value.0)).collect()))
    }
}

/// Which training a record belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The training itself.
    #[default]
    Train,
    /// That on training and validation data together, after an early stop.
    Retrain,
}

impl Phase {
    fn is_train(&self) -> bool {
        *self == Phase::Train
    }
}

/// How the run stood after some step. One line of `history.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Which training; left out of the file for the first.
    #[serde(default, skip_serializing_if = "Phase::is_train")]
    pub phase: Phase,
    /// Epochs done, with their fraction.
    #[serde(with = "number")]
    pub epoch: f64,
    /// Steps done.
    pub step: u64,
    /// Of the training data: means over the epoch so far, of each step as it was (in training mode, before its update).
    pub train: Scores,
    /// Of the validation data, if there are any: the weights at this step, in predicting mode, over all of the data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Scores>,
    /// The learning rate of the last step.
    #[serde(with = "number")]
    pub lr: f64,
    /// Seconds since the run's start, those before a resumption included.
    #[serde(with = "number")]
    pub seconds: f64,
}

/// The same record to the bit, but for the time it took.
impl PartialEq for Record {
    fn eq(&self, other: &Record) -> bool {
        self.phase == other.phase
            && same(self.epoch, other.epoch)
            && self.step == other.step
            && self.train == other.train
            && self.valid == other.valid
            && same(self.lr, other.lr)
    }
}

impl Record {
    /// A watched value: `valid/loss`, `train/accuracy`, …
    pub fn value(&self, monitor: &str) -> Option<f64> {
        let (part, name) = monitor.split_once('/')?;
        match part {
            "train" => self.train.get(name),
            "valid" => self.valid.as_ref()?.get(name),
            _ => None,
        }
    }
}

/// Writes records as lines of JSON, all or nothing.
pub fn write_history(path: &Path, history: &[Record]) -> Result<()> {
    use std::io::Write;
    let write = |out: &mut std::io::BufWriter<std::fs::File>| {
        for record in history {
            serde_json::to_writer(&mut *out, record)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    };
    gradus_tensor::write_atomic(path, write).map_err(|source| TrainError::Io {
        action: "write",
        file: path.display().to_string(),
        source,
    })
}

/// Which way a watched value improves: as its metric does, and downwards for a loss.
pub(crate) fn direction(monitor: &str) -> Direction {
    let name = monitor.rsplit('/').next().unwrap_or_default();
    name.parse::<Metric>().map_or(Direction::Lower, Metric::direction)
}

/// The same bits, any NaN for any other.
fn same(a: f64, b: f64) -> bool {
    a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_come_back_to_the_bit() {
        let record = Record {
            phase: Phase::Train,
            epoch: 1.0 / 3.0,
            step: 7,
            train: [("loss", 0.1 + 0.2), ("r2", f64::NAN)].into_iter().collect(),
            valid: Some([("loss", f64::INFINITY), ("accuracy", 1.0)].into_iter().collect()),
            lr: 1e-3,
            seconds: 1.5,
        };
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(
            line,
            r#"{"epoch":0.3333333333333333,"step":7,"train":{"loss":0.30000000000000004,"r2":"NaN"},"valid":{"accuracy":1.0,"loss":"inf"},"lr":0.001,"seconds":1.5}"#
        );
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
        assert_eq!(record.value("valid/accuracy"), Some(1.0));
        assert_eq!(record.value("accuracy"), None);
    }

    #[test]
    fn directions() {
        for (monitor, way) in [
            ("valid/loss", Direction::Lower),
            ("valid/accuracy", Direction::Higher),
            ("train/class/mse", Direction::Lower),
        ] {
            assert_eq!(direction(monitor), way, "{monitor}");
        }
    }
}
