//! A check before a run: a net that learns at all learns a handful of samples by heart.
//!
//! If it does not, something is broken that more data and time will not mend: a learning rate out of range, units without a gradient,
//! inputs without scale, targets that do not belong to their inputs. Karpathy, *A Recipe for Training Neural Networks* (2019), and
//! Goodfellow, Bengio, Courville, *Deep Learning* (2016), section 11.5, recommend it.

use crate::error::{Result, TrainError};
use crate::stops::{LossBelow, Minutes, Steps};
use crate::trainer::{Keep, Trainer};
use crate::verdict::{means, root_mean_square};
use gradus_data::{Dataset, Target, audit};
use gradus_graph::State;
use serde::Serialize;

/// How the samples are to be learnt.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OverfitOptions {
    /// How many samples, at most.
    pub samples: usize,
    /// In how many steps, each on all of them.
    pub steps: u64,
    /// How small the loss must become, as a share of its start.
    pub share: f64,
    /// In how many minutes.
    pub minutes: f64,
}

impl Default for OverfitOptions {
    fn default() -> OverfitOptions {
        OverfitOptions { samples: 10, steps: 20_000, share: 0.1, minutes: 0.5 }
    }
}

/// How far it came.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OverfitCheck {
    /// Whether the loss got under the bound.
    pub passed: bool,
    /// How many samples there were.
    pub samples: usize,
    /// Steps done.
    pub steps: u64,
    /// The loss of the initial weights.
    #[serde(with = "crate::number")]
    pub start: f64,
    /// What it had to get under.
    #[serde(with = "crate::number")]
    pub bound: f64,
    /// The lowest that it was.
    #[serde(with = "crate::number")]
    pub lowest: f64,
    /// Why it ended otherwise: the message of a training that diverged.
    pub error: Option<String>,
}

/// A few samples, spread over the data, no two with the same inputs; of every class, if there are enough.
///
/// # Errors
/// Never, for data that can be trained on.
pub fn handful(data: &Dataset, samples: usize) -> Result<Dataset> {
    let distinct = audit::distinct_inputs(data);
    let mut rows = vec![];
    if let Some(labels) = data.labels() {
        // The first of each class, the second of each class, …
        let mut seen = vec![0usize; data.classes().map_or(0, <[String]>::len)];
        let mut ranked: Vec<(usize, usize)> = distinct
            .iter()
            .map(|&row| {
                let rank = &mut seen[labels[row] as usize];
                *rank += 1;
                (*rank, row)
            })
            .collect();
        ranked.sort_unstable();
        rows.extend(ranked.into_iter().take(samples).map(|(_, row)| row));
    } else {
        let count = samples.min(distinct.len()).max(1);
        rows.extend((0..count).filter_map(|i| distinct.get(i * distinct.len() / count)));
    }
    Ok(data.select(&rows)?.with_augmentation(&[])?)
}

impl Trainer<'_> {
    /// Trains on a [`handful`] of samples, all in each step, until the loss is under a share of its start. Regularisation is to be left
    /// out of model and trainer.
    ///
    /// Of values the loss must also get under that share of what the samples' mean alone would give, so that learning the mean is not
    /// enough.
    ///
    /// ```
    /// use gradus_data::readers::Embedded;
    /// use gradus_graph::Graph;
    /// use gradus_nn::{LayerExt, layers::Dense, losses::CrossEntropy, optimizers::Adam};
    /// use gradus_train::{OverfitOptions, Trainer};
    /// let g = Graph::new();
    /// let y = g.input("x", [4]).layer(Dense::new(16).tanh()).layer(Dense::new(3));
    /// let model = g.model(&[("species", &y)])?;
    /// let adam = Adam { lr: 0.01, ..Adam::default() };
    /// let trainer = Trainer::new(&model).loss("species", CrossEntropy::default()).optimizer(adam);
    /// let check = trainer.overfit(&Embedded::Iris.read(), OverfitOptions::default())?;
    /// assert!(check.passed && check.lowest < 0.1 * check.start);
    /// # Ok::<(), gradus_train::TrainError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Trainer::fit`], but a training that diverges has not passed, which is no error.
    pub fn overfit(mut self, data: &Dataset, options: OverfitOptions) -> Result<OverfitCheck> {
        let few = handful(data, options.samples.max(1))?;
        let mut initial = State::new(&self.objective.model, self.seed);
        if let Some(given) = &self.initial {
            initial.copy_from(given);
        }
        let start = self.evaluate(&initial, &few)?.scores["loss"];
        let mut bound = options.share * start;
        if let (Target::Values { .. }, [head]) = (few.target(), &self.objective.heads[..]) {
            let (truth, mean) = (few.target_values(), means(&few));
            let output = head.output.clone();
            let predicted = self.predictor(&output, &initial)?.predict(few.input_values())?;
            let guess: Vec<f32> = mean.iter().copied().cycle().take(truth.len()).collect();
            let error = |predicted: &[f32]| root_mean_square(predicted, &truth, mean.len()).0;
            let share = (error(&guess) / error(&predicted)).powi(2);
            bound *= if share > 0.0 { share.min(1.0) } else { 1.0 };
        }
        // One step is one epoch here.
        let below = LossBelow { value: bound, monitor: Some("train/loss".into()), check_every: 10.0 };
        self.stops = vec![below.into(), Minutes(options.minutes).into()];
        self.keep = Keep::BestOf("train/loss".into());
        (self.batch_size, self.shuffle, self.validate_every) = (few.len(), false, 10.0);
        let check = |steps, lowest: f64, error| OverfitCheck {
            passed: lowest < bound || lowest == 0.0,
            samples: few.len(),
            steps,
            start,
            bound,
            lowest,
            error,
        };
        match self.fit(&few, None, Steps(options.steps)) {
            Ok(outcome) => {
                let losses = outcome.history.iter().filter_map(|record| record.train.get("loss"));
                Ok(check(outcome.steps, losses.fold(start, f64::min), None))
            }
            Err(error @ (TrainError::Diverged { .. } | TrainError::Gradient { .. })) => {
                let message = error.to_string();
                Ok(check(0, f64::INFINITY, message.lines().next().map(str::to_string)))
            }
            Err(error) => Err(error),
        }
    }
}
