//! What becomes of the validation data after an early stop: training once more on all of the data.
//!
//! Early stopping spends data on finding out when to stop. Goodfellow, Bengio, Courville, *Deep Learning* (2016), section 7.8, give two
//! ways to use them after all, and [`Retrain`] names them. [`Trainer::retrain`] does it with what [`Trainer::fit`] gave:
//!
//! * `from_scratch` (algorithm 7.2): new weights, trained on training and validation data for as many steps as the best took;
//! * `continue` (algorithm 7.3): the best weights, trained on both until the mean loss on the validation part is under a target.
//!
//! After that nothing is held out any more: the last weights are the result, [`Outcome::best`] is `None`, and only test data tell how
//! good they are. The transforms stay those that were fitted to the training part. The optimiser and the order of the samples start
//! anew in either way, and a schedule runs its course over the steps of the retraining.

use crate::error::{Result, TrainError};
use crate::history::Phase;
use crate::run::Run;
use crate::stops::{AnyStop, Epochs, LossBelow, Steps};
use crate::trainer::{Keep, Outcome, Trainer, TrainingData};
use gradus_data::Dataset;
use gradus_nn::Schedule as _;
use serde::de::{self, Deserialize, Deserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Whether and how to train on the validation data, too, after an early stop. In a recipe: `retrain = "from_scratch"`,
/// `retrain = "continue"`, or `retrain = { continue = { target = "valid_loss", epochs = 20 } }`.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Retrain {
    /// Not at all: the result is what the first training gave.
    #[default]
    None,
    /// New weights, for as many steps as the best took (all steps, where the last weights were kept).
    FromScratch,
    /// The best weights go on.
    Continue(Continue),
}

/// How far the best weights go on.
#[derive(Clone, Debug, PartialEq, Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Continue {
    /// What the loss on the validation part is to get under.
    pub target: Target,
    /// At most this many epochs; as many as the first training may have, if it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<u64>,
    /// How often the loss is looked at, in epochs.
    pub check_every: f64,
}

impl Default for Continue {
    fn default() -> Continue {
        Continue { target: Target::default(), epochs: None, check_every: 1.0 }
    }
}

/// The loss that ends `continue`: that of the best weights, in predicting mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// On the training data (Goodfellow's algorithm): the validation part is to be learnt as well as the training part was.
    #[default]
    TrainLoss,
    /// On the validation data: easily reached, as the validation part is trained on now.
    ValidLoss,
}

impl Retrain {
    /// The keys that a recipe may use.
    pub const KEYS: &'static [&'static str] = &["none", "from_scratch", "continue"];

    /// Its key in a recipe.
    pub fn key(&self) -> &'static str {
        match self {
            Retrain::None => "none",
            Retrain::FromScratch => "from_scratch",
            Retrain::Continue(_) => "continue",
        }
    }

    /// What is wrong with its settings.
    ///
    /// # Errors
    /// No epochs, or an interval that is not above 0.
    pub fn check(&self) -> Result<()> {
        let Retrain::Continue(settings) = self else { return Ok(()) };
        if settings.epochs == Some(0) {
            let expected = "at least 1".into();
            return Err(TrainError::Option { option: "epochs", received: "0".into(), expected });
        }
        if !(settings.check_every > 0.0 && settings.check_every.is_finite()) {
            let (option, received) = ("check_every", settings.check_every.to_string());
            return Err(TrainError::Option { option, received, expected: "epochs, above 0".into() });
        }
        Ok(())
    }

    /// Checks that there is something to retrain on, before the first training begins.
    ///
    /// # Errors
    /// Retraining without validation data.
    pub fn check_data(&self, valid: Option<&Dataset>) -> Result<()> {
        if *self == Retrain::None || valid.is_some() {
            return Ok(());
        }
        Err(TrainError::Fit {
            what: format!("`retrain` is `{}`, but there are no validation data", self.key()),
            expected: "validation data, which are trained on after the early stop".into(),
            received: "none".into(),
            help: "hold some out, as in valid = { fraction = 0.1 }, or leave `retrain` out".into(),
        })
    }
}

/// The file of the retraining's checkpoint beside that of the first training: `last.safetensors` gives `last.retrain.safetensors`.
pub fn retrain_file(checkpoint: &Path) -> PathBuf {
    let ending = checkpoint.extension().map(|ending| format!("retrain.{}", ending.to_string_lossy()));
    checkpoint.with_extension(ending.unwrap_or_else(|| "retrain".into()))
}

impl Trainer<'_> {
    /// Trains on training and validation data together, as `how` says, with what [`Trainer::fit`] gave for them: call it with the same
    /// data. `most` bounds `continue`. [`Retrain::None`] gives the outcome back as it is.
    ///
    /// The outcome tells of this second training alone (epochs are those of the joined data); its records are marked
    /// [`Phase::Retrain`](crate::Phase). It was stopped by `steps` from scratch; going on, by `loss_below` when the target was reached
    /// (at once, without a step, if it was under from the beginning), else by `epochs`. Stops and [`Keep`] of the trainer do not count.
    /// Checkpoints go to a file of their own, [`retrain_file`]; a trainer that resumes goes on from there if that file exists, and
    /// begins the retraining if not.
    ///
    /// ```
    /// use gradus_data::readers::Embedded;
    /// use gradus_data::split::{Holdout, hold_out};
    /// use gradus_graph::Graph;
    /// use gradus_nn::{LayerExt, layers::Dense, losses::CrossEntropy};
    /// use gradus_train::{Epochs, Patience, Retrain, Trainer};
    ///
    /// let (train, mut parts) = hold_out(&Embedded::Iris.read(), &[Holdout::fraction(0.2)], 7)?;
    /// let valid = parts.remove(0);
    /// let g = Graph::new();
    /// let y = g.input("x", [4]).layer(Dense::new(8).relu()).layer(Dense::new(3));
    /// let model = g.model(&[("species", &y)])?;
    /// let mut trainer = Trainer::new(&model).loss("species", CrossEntropy::default()).stop(Patience::new(5)).batch_size(15);
    /// let early = trainer.fit(&train, &valid, Epochs(60))?;
    /// let all = trainer.retrain(&early, &train, &valid, &Retrain::FromScratch, Epochs(60))?;
    /// assert_eq!(all.steps, early.best.unwrap().step);
    /// # Ok::<(), gradus_train::TrainError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Trainer::fit`]; data sets that cannot be joined; an interrupted outcome, which is to be resumed first.
    pub fn retrain(
        &mut self,
        early: &Outcome,
        train: impl TrainingData,
        valid: &Dataset,
        how: &Retrain,
        most: Epochs,
    ) -> Result<Outcome> {
        how.check()?;
        if early.stopped_by == "interrupted" {
            return Err(TrainError::Fit {
                what: "the training was interrupted".into(),
                expected: "one that ended by itself, to retrain after it".into(),
                received: format!("one that was interrupted after {} steps", early.steps),
                help: "resume it first".into(),
            });
        }
        self.assign_metrics()?;
        let train = train.shared();
        let steps = early.best.as_ref().map_or(early.steps, |best| best.step);
        let (plan, until, settings) = match how {
            Retrain::None => return Ok(early.clone()),
            Retrain::FromScratch => (format!("from scratch for {steps} steps"), AnyStop::from(Steps(steps)), None),
            Retrain::Continue(settings) => {
                let epochs = settings.epochs.map_or(most, Epochs);
                let target = match settings.target {
                    Target::TrainLoss => early.evaluate(&train)?.scores["loss"],
                    Target::ValidLoss => early.evaluate(valid)?.scores["loss"],
                };
                let check_every = settings.check_every;
                let below = LossBelow { value: target, monitor: Some("valid/loss".into()), check_every };
                let plan = format!("from step {steps} until the validation part's loss is under {target}");
                (plan, AnyStop::from(epochs), Some(below))
            }
        };
        if let Some(below) = &settings
            && early.evaluate(valid)?.scores["loss"] < below.value
        {
            return Ok(Outcome {
                stopped_by: "loss_below".into(),
                last: early.state.clone(),
                best: None,
                history: vec![],
                epochs: 0.0,
                steps: 0,
                seconds: 0.0,
                warnings: vec![],
                ..early.clone()
            });
        }
        let joined = Arc::new(Dataset::concat(&[&train, valid])?);
        // A plateau schedule watches the validation part, which is trained on now.
        let watched = settings.is_some() || self.objective.schedule.plateau().is_some();
        let held = watched.then_some(valid);
        let own = self.enter(early, plan, settings);
        let result = Run::new(self, joined, held, until).and_then(Run::go);
        self.leave(own);
        result
    }

    /// Exchanges what the retraining has otherwise.
    fn enter(&mut self, early: &Outcome, plan: String, below: Option<LossBelow>) -> Own {
        let file = |path: &PathBuf| retrain_file(path);
        let own = Own {
            stops: std::mem::take(&mut self.stops),
            keep: std::mem::replace(&mut self.keep, Keep::Last),
            initial: self.initial.clone(),
            checkpoint: self.checkpoints.as_ref().map(|to| to.path.clone()),
            resume: self.resume.clone(),
        };
        if let Some(below) = below {
            self.stops.push(below.into());
            self.initial = Some(early.state.clone());
        }
        if let Some(to) = &mut self.checkpoints {
            to.path = file(&to.path);
        }
        self.resume = self.resume.as_ref().map(file).filter(|path| path.exists());
        self.retraining = Some(plan);
        own
    }

    /// Takes it back.
    fn leave(&mut self, own: Own) {
        (self.stops, self.keep, self.initial) = (own.stops, own.keep, own.initial);
        (self.resume, self.retraining) = (own.resume, None);
        if let (Some(to), Some(path)) = (&mut self.checkpoints, own.checkpoint) {
            to.path = path;
        }
    }

    /// Which phase the next run is.
    pub(crate) fn phase(&self) -> Phase {
        if self.retraining.is_some() { Phase::Retrain } else { Phase::Train }
    }
}

/// What a trainer has of its own while it retrains.
struct Own {
    stops: Vec<AnyStop>,
    keep: Keep,
    initial: Option<gradus_graph::State<f32>>,
    checkpoint: Option<PathBuf>,
    resume: Option<PathBuf>,
}

impl Serialize for Retrain {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Retrain::Continue(settings) => serializer.collect_map([(self.key(), settings)]),
            _ => serializer.serialize_str(self.key()),
        }
    }
}

impl<'de> Deserialize<'de> for Retrain {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Retrain, D::Error> {
        struct Member;

        impl<'de> Visitor<'de> for Member {
            type Value = Retrain;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "one of {}, the last also as a table with its settings", Retrain::KEYS.join(", "))
            }

            fn visit_str<E: de::Error>(self, key: &str) -> std::result::Result<Retrain, E> {
                match key {
                    "none" => Ok(Retrain::None),
                    "from_scratch" => Ok(Retrain::FromScratch),
                    "continue" => Ok(Retrain::Continue(Continue::default())),
                    _ => Err(E::unknown_variant(key, Retrain::KEYS)),
                }
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Retrain, A::Error> {
                #[derive(serde::Deserialize)]
                #[serde(deny_unknown_fields)]
                struct Nothing {}

                let Some(key) = map.next_key_seed(gradus_nn::table::Key(Retrain::KEYS))? else {
                    return Err(de::Error::invalid_length(0, &self));
                };
                let retrain = match key {
                    "continue" => Retrain::Continue(map.next_value()?),
                    _ => {
                        map.next_value::<Nothing>()?;
                        self.visit_str(key)?
                    }
                };
                match map.next_key::<String>()? {
                    None => Ok(retrain),
                    Some(second) => {
                        Err(de::Error::custom(format_args!("expected one way, found `{key}` and `{second}`")))
                    }
                }
            }
        }

        deserializer.deserialize_any(Member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_tables() {
        #[derive(Debug, serde::Deserialize)]
        struct Table {
            retrain: Retrain,
        }
        let read = |text: &str| toml::from_str::<Table>(&format!("retrain = {text}")).map(|table| table.retrain);
        assert_eq!(read("'none'").unwrap(), Retrain::None);
        assert_eq!(read("'from_scratch'").unwrap(), Retrain::FromScratch);
        assert_eq!(read("{ from_scratch = {} }").unwrap(), Retrain::FromScratch);
        assert_eq!(read("'continue'").unwrap(), Retrain::Continue(Continue::default()));
        let settings = Continue { target: Target::ValidLoss, epochs: Some(20), check_every: 0.5 };
        let text = "{ continue = { target = 'valid_loss', epochs = 20, check_every = 0.5 } }";
        assert_eq!(read(text).unwrap(), Retrain::Continue(settings.clone()));
        for retrain in [Retrain::None, Retrain::FromScratch, Retrain::Continue(settings)] {
            let json = serde_json::to_string(&retrain).unwrap();
            assert_eq!(serde_json::from_str::<Retrain>(&json).unwrap(), retrain, "{json}");
        }
        for (text, part) in [
            ("'again'", "unknown variant `again`, expected one of `none`, `from_scratch`, `continue`"),
            ("{ again = {} }", "unknown variant `again`"),
            ("{ continue = { goal = 1 } }", "unknown field `goal`"),
            ("{ continue = { target = 'loss' } }", "unknown variant `loss`, expected `train_loss` or `valid_loss`"),
            ("{ continue = {}, none = {} }", "expected one way, found `continue` and `none`"),
            ("3", "expected one of none, from_scratch, continue"),
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let error = Retrain::Continue(Continue { epochs: Some(0), ..Continue::default() }).check().unwrap_err();
        assert_eq!(error.to_string(), "`epochs` is 0\n  expected: at least 1");
        assert!(Retrain::Continue(Continue { check_every: f64::NAN, ..Continue::default() }).check().is_err());
    }

    #[test]
    fn a_file_beside_the_other() {
        assert_eq!(retrain_file(Path::new("run/last.safetensors")), Path::new("run/last.retrain.safetensors"));
        assert_eq!(retrain_file(Path::new("last")), Path::new("last.retrain"));
    }
}
