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
//! * **validation loss rose**: its median over the last tenth of the looks is more than `rise` above the lowest over a tenth before; with
//!   a validation accuracy that rose nevertheless the net is **over-confident** (Guo et al. 2017, arXiv:1706.04599): its mistakes become
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
        let rise = Rise::of(&outcome.history, options);
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
    /// Whether the validation loss ended above its lowest: medians of a tenth of the looks each, so that no lucky look counts; by more
    /// than the share `options.rise`, and by more than `options.standard_errors` standard errors of the last of these.
    pub fn of(history: &[Record], options: &VerdictOptions) -> Option<Rise> {
        let looks: Vec<(&Record, f64)> =
            history.iter().filter_map(|record| Some((record, record.value("valid/loss")?))).collect();
        let width = (looks.len() / 10).max(1);
        let middle = |window: &[(&Record, f64)]| {
            let mut losses: Vec<f64> = window.iter().map(|look| look.1).collect();
            losses.sort_unstable_by(f64::total_cmp);
            (losses[(width - 1) / 2] + losses[width / 2]) / 2.0
        };
        let windows: Vec<&[(&Record, f64)]> = looks.windows(width).collect();
        let last = *windows.last()?;
        let apart = windows.len().checked_sub(width)?;
        let lowest = (0..apart).min_by(|&a, &b| middle(windows[a]).total_cmp(&middle(windows[b])))?;
        let (then, now) = (middle(windows[lowest]), middle(last));
        let spread = last.iter().map(|look| (look.1 - now).powi(2)).sum::<f64>() / (width as f64 - 1.0).max(1.0);
        let chance = options.standard_errors * (spread / width as f64).sqrt();
        if looks.len() < 5 || then <= 0.0 || now - then <= chance || now / then - 1.0 <= options.rise {
            return None;
        }
        let accuracy = |window: &[(&Record, f64)]| -> Option<f64> {
            let of = |record: &Record| {
                let scores = record.valid.as_ref()?;
                scores.iter().find(|(name, _)| name.rsplit('/').next() == Some("accuracy")).map(|score| score.1)
            };
            window.iter().map(|look| of(look.0)).sum::<Option<f64>>().map(|sum| sum / width as f64)
        };
        let epoch = windows[lowest][width / 2].0.epoch;
        let accuracy = accuracy(windows[lowest]).zip(accuracy(last));
        Some(Rise { epoch, share: now / then - 1.0, accuracy })
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
pub(crate) fn means(data: &Dataset) -> Vec<f32> {
    let (values, width) = (data.target_values(), data.target().width().max(1));
    let column = |k: usize| values.iter().skip(k).step_by(width).map(|&y| f64::from(y)).sum::<f64>();
    (0..width).map(|k| (column(k) / data.len().max(1) as f64) as f32).collect()
}

/// The root mean square error of `[N, width]` values, and its standard error over the N samples.
pub(crate) fn root_mean_square(predicted: &[f32], truth: &[f32], width: usize) -> (f64, f64) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Phase, Scores};

    fn evidence(train: f64, valid: Option<f64>) -> Evidence {
        Evidence {
            measure: Measure::ErrorRate,
            baseline: "always `1`".into(),
            baseline_error: 0.8,
            train_error: train,
            valid_error: valid,
            valid_deviation: 0.01,
            rise: None,
        }
    }

    /// Records of these validation losses and accuracies.
    fn history(looks: &[(f64, f64)]) -> Vec<Record> {
        let record = |(i, &(loss, accuracy)): (usize, &(f64, f64))| Record {
            phase: Phase::Train,
            epoch: i as f64 + 1.0,
            step: i as u64 + 1,
            train: Scores::default(),
            valid: Some([("loss", loss), ("accuracy", accuracy)].into_iter().collect()),
            lr: 0.1,
            seconds: 0.0,
        };
        looks.iter().enumerate().map(record).collect()
    }

    #[test]
    fn four_fits() {
        let options = VerdictOptions::default();
        let headline = |train, valid| judge(evidence(train, valid), &options).headline();
        // The bounds are 8 % for the training error, and 4 % for what the validation error is above it.
        assert_eq!(headline(0.08, Some(0.1199)), "good fit");
        assert_eq!(headline(0.0801, Some(0.1)), "under-fit");
        assert_eq!(headline(0.01, Some(0.0501)), "over-fit");
        assert_eq!(headline(0.3, Some(0.5)), "under-fit and over-fit");
        assert_eq!(headline(0.01, None), "no under-fit (and no validation data to tell over-fit by)");
        assert_eq!(headline(f64::NAN, Some(f64::NAN)), "under-fit and over-fit");
        assert_eq!(headline(0.05, Some(0.02)), "good fit");
        let both = judge(evidence(0.3, Some(0.5)), &options);
        assert_eq!(
            both.reasons,
            [
                "training error 30.0% > 8.0%, 10% of the baseline's 80.0% (always `1`)",
                "validation error 50.0%, 20.0% above the training error > 4.0%, 5% of the baseline's"
            ]
        );
        assert!(both.advice().unwrap().starts_with("try a larger net, longer training, another optimiser"));
        assert!(both.remedies.contains(&"weight sharing"));
        assert_eq!(judge(evidence(0.0, Some(0.0)), &options).advice(), None);
    }

    #[test]
    fn thresholds_are_those_that_were_set() {
        let with = |change: fn(&mut VerdictOptions), train, valid| {
            let mut options = VerdictOptions::default();
            change(&mut options);
            let verdict = judge(evidence(train, Some(valid)), &options);
            (verdict.under_fit, verdict.over_fit.unwrap())
        };
        assert_eq!(with(|o| o.desired = Some(0.02), 0.021, 0.03), (true, false));
        assert_eq!(with(|o| o.desired = Some(0.3), 0.21, 0.22), (false, false));
        assert_eq!(with(|o| o.underfit = Some(0.5), 0.39, 0.4), (false, false));
        assert_eq!(with(|o| o.overfit = 0.2, 0.01, 0.16), (false, false));
        assert_eq!(with(|o| o.standard_errors = 5.0, 0.01, 0.059), (false, false));
        let few = Evidence { valid_deviation: 0.05, ..evidence(0.01, Some(0.1)) };
        assert_eq!(
            judge(few, &VerdictOptions::default()).reasons[1],
            "validation error 10.0%, 9.0% above the training error > 4.0%, 5% of the baseline's, but within 2 standard errors of \
             so few samples (10.0%)"
        );
        let values =
            Evidence { measure: Measure::Rmse, baseline_error: 350_000.0, ..evidence(170_000.0, Some(170_500.0)) };
        assert_eq!(judge(values, &VerdictOptions::default()).headline(), "good fit");
        assert_eq!(VerdictOptions { rise: f64::NAN, ..Default::default() }.check().unwrap_err().0, "rise");
        assert_eq!(VerdictOptions { desired: Some(-0.1), ..Default::default() }.check().unwrap_err().0, "desired");
    }

    #[test]
    fn a_net_that_is_surer_of_its_mistakes() {
        let options = VerdictOptions::default();
        let course = |loss: &dyn Fn(f64) -> f64, accuracy: &dyn Fn(f64) -> f64| {
            history(&(0..40).map(|i| (loss(f64::from(i)), accuracy(f64::from(i)))).collect::<Vec<_>>())
        };
        let valley = |i: f64| 0.5 + 0.01 * (i - 15.0).abs();
        let rising =
            Evidence { rise: Rise::of(&course(&valley, &|i| 0.9 + 0.001 * i), &options), ..evidence(0.0, Some(0.03)) };
        // Medians of four looks: 0.51 about the 16th, 0.725 at the end.
        let rise = rising.rise.clone().unwrap();
        assert!((rise.share - (0.725 / 0.51 - 1.0)).abs() < 1e-9 && (rise.epoch - 16.0).abs() <= 1.0, "{rise:?}");
        let verdict = judge(rising, &options);
        assert!(verdict.over_confident && verdict.headline() == "good fit, over-confident", "{}", verdict.headline());
        assert!(verdict.reasons[2].contains("42.2% above its lowest") && verdict.reasons[2].contains("rose from 91."));
        assert!(verdict.remedies.contains(&"smoothed labels"));
        let falling = Rise::of(&course(&valley, &|i| 0.95 - 0.001 * i), &options).unwrap();
        let verdict = judge(Evidence { rise: Some(falling), ..evidence(0.0, Some(0.03)) }, &options);
        assert!(!verdict.over_confident && verdict.reasons.len() == 3);
        assert_eq!(Rise::of(&course(&|i| 1.0 / (1.0 + i), &|_| 0.9), &options), None);
        // One lucky look is no valley.
        assert_eq!(Rise::of(&course(&|i| if i == 9.0 { 0.2 } else { 0.5 }, &|_| 0.9), &options), None);
        assert_eq!(Rise::of(&history(&[(0.5, 0.9), (0.1, 0.9), (0.5, 0.9)]), &options), None);
    }

    #[test]
    fn errors_of_values() {
        let (error, deviation) = root_mean_square(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 3.0, 2.0], 1);
        // Squares 0, 0, 0, 4: mean 1, standard error 1 of it, half of that of its root.
        assert_eq!((error, deviation), (1.0, 0.5));
        assert_eq!(in_words(Measure::Rmse, 0.000_123_45), "0.0001234");
        assert_eq!(in_words(Measure::Rmse, 121_350.2), "121350");
        assert_eq!(in_words(Measure::Rmse, 12.345), "12.35");
        assert_eq!(in_words(Measure::Rmse, 0.0), "0.0");
    }
}
