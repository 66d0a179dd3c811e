//! How well a run fits: good, under-fit, over-fit or both; over-confident; and what to try next.
//!
//! The verdict compares three errors of the weights that the run returned, measured in predicting mode: on the training data, on the
//! validation data, and that of a *baseline* which looks at no input and is made from the training targets alone: the most frequent
//! class, or the mean. For classes the error is the share of wrong answers; for values the root mean square error (RMSE; the baseline's
//! has R² = 0). The baseline is judged on the validation data (the training data where there are none), and is the yardstick for both
//! thresholds, so that these need no knowledge of the units of the data:
//!
//! * **under-fit**: training error > `underfit` · baseline error, or > `desired` where the recipe says what error is good enough;
//! * **over-fit**: validation error - training error > `overfit` · baseline error, and more than `standard_errors` standard errors of
//!   the validation error, so that a few unlucky samples are no over-fit;
//! * **validation loss rose**: over the last quarter of the looks after its lowest it was on average more than `rise` above that; with a
//!   validation accuracy that rose nevertheless the net is **over-confident** (Guo et al. 2017, arXiv:1706.04599): its mistakes become
//!   fewer, but it is surer and surer of them.
//!
//! Noise in the targets looks like under-fit: where no net could do better, say so with `desired`.

use crate::error::Result;
use crate::history::Record;
use crate::trainer::Outcome;
use gradus_data::{Dataset, Target};
use serde::{Deserialize, Serialize};

/// The thresholds: `[verdict]` of a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct VerdictOptions {
    /// The training error that is good enough, instead of a share of the baseline's: a share of wrong answers for classes, an RMSE in the
    /// units of the data for values.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<f64>,
    /// Under-fit is a training error above this share of the baseline's: 0.1 for classes and 0.5 (R² below 0.75) for values, if it is
    /// left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub underfit: Option<f64>,
    /// Over-fit is a validation error that exceeds the training error by more than this share of the baseline's error.
    pub overfit: f64,
    /// Over-fit must also exceed so many standard errors of the validation error.
    pub standard_errors: f64,
    /// How far the validation loss may rise above its lowest, as a share of that.
    pub rise: f64,
}

impl Default for VerdictOptions {
    fn default() -> VerdictOptions {
        VerdictOptions { desired: None, underfit: None, overfit: 0.05, standard_errors: 2.0, rise: 0.1 }
    }
}

impl VerdictOptions {
    /// What is wrong with them: a threshold's name, its value, and what it must be.
    pub fn check(&self) -> std::result::Result<(), (&'static str, f64, &'static str)> {
        let settings = [
            ("desired", self.desired),
            ("underfit", self.underfit),
            ("overfit", Some(self.overfit)),
            ("standard_errors", Some(self.standard_errors)),
            ("rise", Some(self.rise)),
        ];
        for (name, value) in settings {
            if let Some(value) = value.filter(|value| !(*value >= 0.0 && value.is_finite())) {
                return Err((name, value, "at least 0"));
            }
        }
        Ok(())
    }
}

/// What an error is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The share of wrong answers.
    ErrorRate,
    /// The root mean square error.
    Rmse,
}

/// What a verdict rests on.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// What the errors are.
    pub measure: Measure,
    /// The baseline in words: ``always `setosa` `` or `the mean`.
    pub baseline: String,
    /// Its error, on the validation data, or on the training data where there are none.
    pub baseline_error: f64,
    /// The error on the training data.
    pub train_error: f64,
    /// The error on the validation data.
    pub valid_error: Option<f64>,
    /// The standard error of that: what chance made of it with so few samples.
    pub valid_deviation: f64,
    /// How the validation loss rose, if it did.
    pub rise: Option<Rise>,
}

/// A validation loss that has its lowest value behind it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rise {
    /// The epoch of the lowest.
    pub epoch: f64,
    /// By which share of the lowest it was above that in the end.
    pub share: f64,
    /// The validation accuracy where the loss was lowest, and in the end.
    pub accuracy: Option<(f64, f64)>,
}

/// How well a run fits.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Whether the training error is too high.
    pub under_fit: bool,
    /// Whether the validation error is too far above it; `None` without validation data.
    pub over_fit: Option<bool>,
    /// Whether it is surer of its mistakes than it was.
    pub over_confident: bool,
    /// Each comparison with its threshold, in words.
    pub reasons: Vec<String>,
    /// What to try.
    pub remedies: Vec<&'static str>,
    /// What it rests on.
    pub evidence: Evidence,
}

const UNDER: [&str; 3] = ["a larger net", "longer training", "another optimiser or architecture"];
const OVER: [&str; 7] =
    ["more data", "an L1 or L2 penalty", "dropout", "an early stop", "augmentation", "noise", "weight sharing"];
const SURE: [&str; 2] = ["an early stop by the validation loss", "smoothed labels"];

/// Comes to a verdict.
///
/// ```
/// use gradus_train::verdict::{Evidence, Measure, VerdictOptions, judge};
/// let evidence = Evidence {
///     measure: Measure::ErrorRate, baseline: "always `0`".into(), baseline_error: 0.9,
///     train_error: 0.0, valid_error: Some(0.25), valid_deviation: 0.01, rise: None,
/// };
/// let verdict = judge(evidence, &VerdictOptions::default());
/// assert_eq!(verdict.headline(), "over-fit");
/// assert_eq!(
///     verdict.reasons[1],
///     "validation error 25.0%, 25.0% above the training error > 4.5%, 5% of the baseline's"
/// );
/// ```
pub fn judge(evidence: Evidence, options: &VerdictOptions) -> Verdict {
    let in_words = |error: f64| in_words(evidence.measure, error);
    let share = options.underfit.unwrap_or(if evidence.measure == Measure::ErrorRate { 0.1 } else { 0.5 });
    let bound = options.desired.unwrap_or(share * evidence.baseline_error);
    let fits = evidence.train_error <= bound;
    let base = format!("the baseline's {} ({})", in_words(evidence.baseline_error), evidence.baseline);
    let mut reasons = vec![format!(
        "training error {} {} {}, {}",
        in_words(evidence.train_error),
        if fits { "≤" } else { ">" },
        in_words(bound),
        match options.desired {
            Some(_) => format!("the desired error; {base} for comparison"),
            None => format!("{} of {base}", percent(share)),
        }
    )];
    let over_fit = evidence.valid_error.map(|valid| {
        let gap = valid - evidence.train_error;
        let bound = options.overfit * evidence.baseline_error;
        let chance = options.standard_errors * evidence.valid_deviation;
        let (large, beyond) = (gap > bound || gap.is_nan(), gap > chance || gap.is_nan());
        let mut reason = format!("validation error {}, ", in_words(valid));
        reason += &match gap < 0.0 {
            true => "no higher than the training error".to_string(),
            false => format!(
                "{} above the training error {} {}, {} of the baseline's",
                in_words(gap),
                if large { ">" } else { "≤" },
                in_words(bound),
                percent(options.overfit)
            ),
        };
        if large && !beyond {
            let errors = options.standard_errors;
            reason += &format!(", but within {errors} standard errors of so few samples ({})", in_words(chance));
        }
        reasons.push(reason);
        large && beyond
    });
    let mut over_confident = false;
    if let Some(rise) = &evidence.rise {
        let mut reason = format!(
            "validation loss {} above its lowest, after epoch {}, > {}",
            percent(rise.share),
            round(rise.epoch),
            percent(options.rise)
        );
        if let Some((then, now)) = rise.accuracy.filter(|(then, now)| now > then) {
            over_confident = true;
            reason += &format!(", while validation accuracy rose from {:.2}% to {:.2}%", 100.0 * then, 100.0 * now);
        }
        reasons.push(reason);
    }
    let parts = [(!fits, &UNDER[..]), (over_fit == Some(true), &OVER[..]), (over_confident, &SURE[..])];
    let remedies = parts.into_iter().filter(|part| part.0).flat_map(|part| part.1).copied().collect();
    Verdict { under_fit: !fits, over_fit, over_confident, reasons, remedies, evidence }
}

impl Verdict {
    /// The verdict in a few words.
    pub fn headline(&self) -> String {
        let fit = match (self.under_fit, self.over_fit) {
            (false, Some(false)) => "good fit",
            (true, Some(false)) => "under-fit",
            (false, Some(true)) => "over-fit",
            (true, Some(true)) => "under-fit and over-fit",
            (true, None) => "under-fit (and no validation data to tell over-fit by)",
            (false, None) => "no under-fit (and no validation data to tell over-fit by)",
        };
        let sure = if self.over_confident { ", over-confident" } else { "" };
        format!("{fit}{sure}")
    }

    /// What to try for each of them, in one sentence; nothing where all is well.
    pub fn advice(&self) -> Option<String> {
        (!self.remedies.is_empty()).then(|| format!("try {}", self.remedies.join(", ")))
    }
}

impl Evidence {
    /// Measures the weights of an outcome. Of several outputs the first counts.
    ///
    /// # Errors
    /// Data that do not fit the model.
    pub fn measure(
        outcome: &Outcome,
        train: &Dataset,
        valid: Option<&Dataset>,
        options: &VerdictOptions,
    ) -> Result<Evidence> {
        let judged = valid.unwrap_or(train);
        let rise = Rise::of(&outcome.history, options.rise);
        let on_train = outcome.evaluate(train)?;
        if let Some(matrix) = on_train.confusion {
            let (class, baseline_error) = majority(train, judged);
            let valid_error = match valid {
                None => None,
                Some(valid) => outcome.evaluate(valid)?.confusion.map(|matrix| 1.0 - matrix.accuracy()),
            };
            let spread = valid_error.map_or(0.0, |p| p * (1.0 - p) / judged.len() as f64);
            return Ok(Evidence {
                measure: Measure::ErrorRate,
                baseline: format!("always `{class}`"),
                baseline_error,
                train_error: 1.0 - matrix.accuracy(),
                valid_error,
                valid_deviation: spread.sqrt(),
                rise,
            });
        }
        let errors = |data: &Dataset| -> Result<(f64, f64)> {
            let output = &outcome.objective.heads[0].output;
            let predicted = outcome.predictor(output)?.predict(data.input_values())?;
            Ok(root_mean_square(&predicted, &data.target_values(), data.target().width()))
        };
        let mean = means(train);
        let guess: Vec<f32> = mean.iter().copied().cycle().take(judged.len() * mean.len()).collect();
        let (valid_error, valid_deviation) = match valid {
            None => (None, 0.0),
            Some(valid) => errors(valid).map(|(error, deviation)| (Some(error), deviation))?,
        };
        Ok(Evidence {
            measure: Measure::Rmse,
            baseline: "the mean, R² = 0".into(),
            baseline_error: root_mean_square(&guess, &judged.target_values(), mean.len()).0,
            train_error: errors(train)?.0,
            valid_error,
            valid_deviation,
            rise,
        })
    }

    /// Errors of scaled values in the units of the data: divided by the scale of the target.
    pub fn in_units(mut self, factor: f64) -> Evidence {
        if self.measure == Measure::Rmse {
            let errors = [&mut self.baseline_error, &mut self.train_error, &mut self.valid_deviation];
            errors.into_iter().chain(&mut self.valid_error).for_each(|error| *error /= factor.abs());
        }
        self
    }
}

impl Rise {
    /// Whether the validation loss ended more than `bound` above its lowest: the mean over the last quarter of at least four looks after
    /// that.
    pub fn of(history: &[Record], bound: f64) -> Option<Rise> {
        let looks: Vec<(&Record, f64)> =
            history.iter().filter_map(|record| Some((record, record.value("valid/loss")?))).collect();
        let lowest = (0..looks.len()).min_by(|&a, &b| looks[a].1.total_cmp(&looks[b].1))?;
        let after = &looks[lowest + 1..];
        if after.len() < 4 {
            return None;
        }
        let late = &after[after.len() - after.len() / 4..];
        let mean = |values: &mut dyn Iterator<Item = f64>| values.sum::<f64>() / late.len() as f64;
        let (record, loss) = looks[lowest];
        let share = mean(&mut late.iter().map(|look| look.1)) / loss - 1.0;
        let accuracy = || {
            let scores = record.valid.as_ref()?;
            let (name, then) = scores.iter().find(|(name, _)| name.rsplit('/').next() == Some("accuracy"))?;
            let of = |record: &Record| record.valid.as_ref().and_then(|scores| scores.get(name)).unwrap_or(f64::NAN);
            Some((then, mean(&mut late.iter().map(|look| of(look.0)))))
        };
        (loss > 0.0 && share > bound).then(|| Rise { epoch: record.epoch, share, accuracy: accuracy() })
    }
}

/// The most frequent class of the training data, and how often it is wrong on others.
fn majority(train: &Dataset, judged: &Dataset) -> (String, f64) {
    let (labels, others) = (labels(train), labels(judged));
    let mut counts = vec![0; labels.iter().max().map_or(1, |&most| most + 1)];
    labels.iter().for_each(|&label| counts[label] += 1);
    let most = counts.iter().max().copied().unwrap_or_default();
    let class = counts.iter().position(|&count| count == most).unwrap_or_default();
    let wrong = others.iter().filter(|&&label| label != class).count() as f64 / others.len().max(1) as f64;
    let name = train.classes().and_then(|classes| classes.get(class)).cloned();
    (name.unwrap_or_else(|| class.to_string()), wrong)
}

/// Class by class index; of one-hot rows the largest, of single values whether they are above ½.
fn labels(data: &Dataset) -> Vec<usize> {
    match data.target() {
        Target::Classes { labels, .. } => labels.iter().map(|&label| label as usize).collect(),
        Target::None => vec![],
        Target::Values { names, .. } => {
            let values = data.target_values();
            let class = |y: &[f32]| if let [y] = y { usize::from(*y > 0.5) } else { gradus_metrics::argmax(y) };
            values.chunks_exact(names.len().max(1)).map(class).collect()
        }
    }
}

/// The mean of each target.
fn means(data: &Dataset) -> Vec<f32> {
    let (values, width) = (data.target_values(), data.target().width().max(1));
    let column = |k: usize| values.iter().skip(k).step_by(width).map(|&y| f64::from(y)).sum::<f64>();
    (0..width).map(|k| (column(k) / data.len().max(1) as f64) as f32).collect()
}

/// The root mean square error of `[N, width]` values, and its standard error over the N samples.
fn root_mean_square(predicted: &[f32], truth: &[f32], width: usize) -> (f64, f64) {
    let squares: Vec<f64> = predicted.iter().zip(truth).map(|(p, t)| (f64::from(*p) - f64::from(*t)).powi(2)).collect();
    let rows: Vec<f64> = squares.chunks(width.max(1)).map(|row| row.iter().sum::<f64>() / row.len() as f64).collect();
    let count = rows.len().max(1) as f64;
    let mean = rows.iter().sum::<f64>() / count;
    let variance = rows.iter().map(|square| (square - mean).powi(2)).sum::<f64>() / (count - 1.0).max(1.0);
    let root = mean.sqrt();
    (root, if root > 0.0 { (variance / count).sqrt() / (2.0 * root) } else { 0.0 })
}

/// `2.5%` for shares, four digits for values.
fn in_words(measure: Measure, error: f64) -> String {
    match measure {
        Measure::ErrorRate => format!("{:.1}%", 100.0 * error),
        Measure::Rmse if error.abs() >= 1000.0 => format!("{error:.0}"),
        Measure::Rmse => {
            let digits = if error == 0.0 { 1 } else { 3 - error.abs().log10().floor() as i32 };
            format!("{error:.*}", digits.clamp(0, 12) as usize)
        }
    }
}

/// `5%`, `2.5%`
fn percent(share: f64) -> String {
    format!("{}%", round(100.0 * share))
}

/// At most one digit behind the point.
fn round(x: f64) -> f64 {
    (10.0 * x).round() / 10.0
}
