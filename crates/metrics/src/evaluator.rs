//! All the metrics of one pass over a data set.
//!
//! Keeps only what the metrics asked for need: a confusion matrix and a few sums, and the probabilities themselves only
//! where an AUC is asked for.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::confusion::{ConfusionMatrix, check_classes, check_scores};
use crate::error::MetricError;
use crate::metric::{Metric, list};
use crate::probability::{Binary, LogLoss, TopK};
use crate::ranking::roc_auc;
use crate::regression::Regression;

/// What the network predicts, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// One of this many classes, with a probability for each.
    Classes(usize),
    /// Yes or no, with the probability of yes.
    Binary,
    /// This many real values.
    Values(usize),
}

impl Task {
    /// The metrics that fit this task.
    pub fn metrics(self) -> impl Iterator<Item = Metric> {
        Metric::all().filter(move |metric| self.fits(*metric))
    }

    fn fits(self, metric: Metric) -> bool {
        match self {
            Self::Values(_) => !metric.is_classification(),
            Self::Classes(_) => metric.is_classification(),
            Self::Binary => metric.is_classification() && !matches!(metric, Metric::TopK { .. }),
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Classes(_) => "a classification",
            Self::Binary => "a yes/no classification",
            Self::Values(_) => "a regression",
        }
    }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// Takes predictions batch by batch, answers metrics over all of them.
///
/// ```
/// use gradus_metrics::{Evaluator, Metric, Task};
///
/// let mut evaluator = Evaluator::new(Task::Values(1), &[Metric::Mae, Metric::R2])?;
/// evaluator.add_values(&[1.0, 2.0], &[1.5, 2.5])?;
/// assert_eq!(evaluator.values()?, vec![(Metric::Mae, 0.5), (Metric::R2, 0.0)]);
/// # Ok::<(), gradus_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Evaluator {
    task: Task,
    metrics: Vec<Metric>,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Classes(Box<Classes>),
    Binary(Binary),
    Values(Regression),
}

#[derive(Debug, Clone)]
struct Classes {
    matrix: ConfusionMatrix,
    log_loss: Option<LogLoss>,
    top: Vec<(Metric, TopK)>,
    kept: Option<(Vec<f64>, Vec<usize>)>,
}

impl Evaluator {
    /// Nothing seen yet.
    ///
    /// # Errors
    /// [`MetricError::Unfit`] for a metric of another kind of task; [`MetricError::ClassCount`] and
    /// [`MetricError::Parameter`] for sizes out of range.
    pub fn new(task: Task, metrics: &[Metric]) -> Result<Self, MetricError> {
        if let Some(&metric) = metrics.iter().find(|metric| !task.fits(**metric)) {
            return Err(MetricError::Unfit { metric, task: task.words(), choices: list(task.metrics()) });
        }
        let state = match task {
            Task::Classes(classes) => {
                let mut top = Vec::new();
                for &metric in metrics {
                    if let Metric::TopK { k } = metric {
                        if k > classes {
                            let expected = format!("1 to {classes}, the number of classes");
                            return Err(MetricError::Parameter { name: "top_k.k", value: k as f64, expected });
                        }
                        top.push((metric, TopK::new(k)?));
                    }
                }
                State::Classes(Box::new(Classes {
                    matrix: ConfusionMatrix::new(classes)?,
                    log_loss: metrics.contains(&Metric::LogLoss).then(LogLoss::default),
                    top,
                    kept: metrics.contains(&Metric::Auc).then(Default::default),
                }))
            }
            Task::Binary => State::Binary(Binary::default()),
            Task::Values(outputs) => State::Values(Regression::new(outputs)?),
        };
        Ok(Self { task, metrics: metrics.to_vec(), state })
    }

    /// Adds rows of a [`Task::Classes`]: `probabilities: [n, classes]`, `truth: [n]`.
    ///
    /// Without [`Metric::LogLoss`] logits will do as well. On an error nothing is added.
    ///
    /// # Errors
    /// [`MetricError::WrongTask`], [`MetricError::Length`], [`MetricError::NoSuchClass`],
    /// [`MetricError::NotAProbability`].
    pub fn add_classes<T: Copy + Into<f64>>(
        &mut self,
        probabilities: &[T],
        truth: &[usize],
    ) -> Result<(), MetricError> {
        let State::Classes(state) = &mut self.state else { return Err(self.wrong("rows of class probabilities")) };
        let classes = state.matrix.classes();
        check_scores(probabilities.len(), truth.len(), classes)?;
        check_classes(truth, classes)?;
        let not_a_number = || probabilities.iter().position(|&p| p.into().is_nan());
        if let Some(at) = state.kept.as_ref().and_then(|_| not_a_number()) {
            return Err(MetricError::NotAProbability { row: at / classes, value: f64::NAN });
        }
        if let Some(loss) = &mut state.log_loss {
            loss.extend(probabilities, truth, classes)?;
        }
        state.matrix.extend_scores(probabilities, truth)?;
        for (_, top) in &mut state.top {
            top.extend(probabilities, truth, classes)?;
        }
        if let Some((scores, labels)) = &mut state.kept {
            scores.extend(probabilities.iter().map(|&p| p.into()));
            labels.extend_from_slice(truth);
        }
        Ok(())
    }

    /// Adds rows of a [`Task::Binary`]: `probabilities: [n]` of yes, `positive: [n]`. On an error nothing is added.
    ///
    /// # Errors
    /// [`MetricError::WrongTask`], [`MetricError::Length`], [`MetricError::NotAProbability`].
    pub fn add_binary<T: Copy + Into<f64>>(
        &mut self,
        probabilities: &[T],
        positive: &[bool],
    ) -> Result<(), MetricError> {
        let State::Binary(state) = &mut self.state else { return Err(self.wrong("yes/no rows")) };
        state.extend(probabilities, positive)
    }

    /// Adds rows of a [`Task::Values`]: `predicted: [n, outputs]`, `truth: [n, outputs]`. On an error nothing is added.
    ///
    /// # Errors
    /// [`MetricError::WrongTask`], [`MetricError::Length`].
    pub fn add_values<P, Y>(&mut self, predicted: &[P], truth: &[Y]) -> Result<(), MetricError>
    where
        P: Copy + Into<f64>,
        Y: Copy + Into<f64>,
    {
        let State::Values(state) = &mut self.state else { return Err(self.wrong("rows of real values")) };
        state.extend(predicted, truth)
    }

    /// Forgets all rows; the metrics asked for stay.
    pub fn clear(&mut self) {
        match &mut self.state {
            State::Classes(state) => {
                state.matrix.clear();
                state.log_loss = state.log_loss.map(|_| LogLoss::default());
                if let Some((scores, labels)) = &mut state.kept {
                    scores.clear();
                    labels.clear();
                }
                for (_, top) in &mut state.top {
                    top.clear();
                }
            }
            State::Binary(state) => state.clear(),
            State::Values(state) => state.clear(),
        }
    }

    /// The task it was made for.
    pub fn task(&self) -> Task {
        self.task
    }

    /// The metrics it was made for, in the order asked.
    pub fn metrics(&self) -> &[Metric] {
        &self.metrics
    }

    /// Every metric asked for, in that order; NaN where one is undefined.
    ///
    /// # Errors
    /// As [`Self::value`].
    pub fn values(&self) -> Result<Vec<(Metric, f64)>, MetricError> {
        self.metrics.iter().map(|&metric| Ok((metric, self.value(metric)?))).collect()
    }

    /// One metric over all rows so far; NaN where it is undefined.
    ///
    /// # Errors
    /// [`MetricError::Unfit`] for a metric of another task, or one that keeps more and was not asked for at the start
    /// (log loss, top-k and AUC of classes).
    pub fn value(&self, metric: Metric) -> Result<f64, MetricError> {
        let value = match &self.state {
            State::Classes(state) => state.value(metric)?,
            State::Binary(state) => match metric {
                Metric::LogLoss => Some(state.log_loss()),
                Metric::Auc => Some(state.auc()?),
                _ => of_matrix(&state.confusion(0.5), metric),
            },
            State::Values(state) => match metric {
                Metric::Mse => Some(state.mse()),
                Metric::Rmse => Some(state.rmse()),
                Metric::Mae => Some(state.mae()),
                Metric::R2 => Some(state.r2()),
                Metric::MaxError => Some(state.max_error()),
                Metric::Mape => Some(state.mape()),
                _ => None,
            },
        };
        value.ok_or_else(|| MetricError::Unfit { metric, task: self.task.words(), choices: list(self.task.metrics()) })
    }

    /// The confusion matrix of a classification (a binary one at probability ½); `None` for a regression.
    pub fn confusion(&self) -> Option<ConfusionMatrix> {
        match &self.state {
            State::Classes(state) => Some(state.matrix.clone()),
            State::Binary(state) => Some(state.confusion(0.5)),
            State::Values(_) => None,
        }
    }

    fn wrong(&self, received: &'static str) -> MetricError {
        MetricError::WrongTask { task: self.task.words(), received }
    }
}

impl Classes {
    fn value(&self, metric: Metric) -> Result<Option<f64>, MetricError> {
        Ok(match metric {
            Metric::LogLoss => self.log_loss.map(|loss| loss.value()),
            Metric::TopK { .. } => self.top.iter().find(|top| top.0 == metric).map(|top| top.1.value()),
            Metric::Auc => match &self.kept {
                Some((scores, labels)) => Some(auc(scores, labels, self.matrix.classes())?),
                None => None,
            },
            _ => of_matrix(&self.matrix, metric),
        })
    }
}

/// Two classes: of class 1. More: mean over classes of each against the rest, NaN if one of them has no rows.
fn auc(scores: &[f64], labels: &[usize], classes: usize) -> Result<f64, MetricError> {
    let against_rest = |class: usize| {
        let own: Vec<f64> = scores.iter().skip(class).step_by(classes).copied().collect();
        let positive: Vec<bool> = labels.iter().map(|&label| label == class).collect();
        roc_auc(&own, &positive)
    };
    if classes == 2 {
        return against_rest(1);
    }
    let mut sum = 0.0;
    for class in 0..classes {
        sum += against_rest(class)?;
    }
    Ok(sum / classes as f64)
}

fn of_matrix(matrix: &ConfusionMatrix, metric: Metric) -> Option<f64> {
    let binary = matrix.classes() == 2 && matrix.total() > 0;
    Some(match metric {
        Metric::Accuracy => matrix.accuracy(),
        Metric::BalancedAccuracy => matrix.balanced_accuracy(),
        Metric::Kappa => matrix.kappa(),
        Metric::Matthews => matrix.matthews(),
        Metric::Precision if binary => matrix.scores(1).precision,
        Metric::Recall if binary => matrix.scores(1).recall,
        Metric::F1 if binary => matrix.scores(1).f1,
        Metric::Precision | Metric::PrecisionMacro => matrix.macro_average().precision,
        Metric::Recall | Metric::RecallMacro => matrix.macro_average().recall,
        Metric::F1 | Metric::F1Macro => matrix.macro_average().f1,
        Metric::PrecisionWeighted => matrix.weighted_average().precision,
        Metric::RecallWeighted => matrix.weighted_average().recall,
        Metric::F1Weighted => matrix.weighted_average().f1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_of_another_task_is_refused_with_the_choices() {
        let error = Evaluator::new(Task::Values(1), &[Metric::Accuracy]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "metric `accuracy` does not fit a regression; choose from: mse, rmse, mae, r2, max_error, mape"
        );
        assert!(Evaluator::new(Task::Classes(3), &[Metric::TopK { k: 4 }]).is_err());
        let mut evaluator = Evaluator::new(Task::Binary, &[]).unwrap();
        let error = evaluator.add_values(&[1.0], &[1.0]).unwrap_err();
        assert!(error.to_string().contains("made for a yes/no classification"), "{error}");
    }

    #[test]
    fn clearing_starts_a_new_epoch() {
        let metrics: Vec<Metric> = Task::Classes(5).metrics().collect();
        let mut evaluator = Evaluator::new(Task::Classes(5), &metrics).unwrap();
        let scores: Vec<f64> = (0..50).map(|i| f64::from(i * 37 % 11) / 11.0).collect();
        let labels: Vec<usize> = (0..10).map(|i| i % 5).collect();
        evaluator.add_classes(&scores, &labels).unwrap();
        let first = evaluator.values().unwrap();
        evaluator.clear();
        assert!(evaluator.value(Metric::Accuracy).unwrap().is_nan());
        evaluator.add_classes(&scores[..25], &labels[..5]).unwrap();
        evaluator.add_classes(&scores[25..], &labels[5..]).unwrap();
        assert_eq!(format!("{first:?}"), format!("{:?}", evaluator.values().unwrap()));
    }

    #[test]
    fn a_bad_row_adds_nothing() {
        let mut evaluator = Evaluator::new(Task::Classes(2), &[Metric::LogLoss, Metric::Auc]).unwrap();
        assert!(evaluator.add_classes(&[0.5, 0.5, 7.0, -6.0], &[0, 0]).is_err());
        assert!(evaluator.add_classes(&[0.5, f64::NAN], &[0]).is_err());
        assert!(evaluator.add_classes(&[0.5, 0.5], &[2]).is_err());
        assert_eq!(evaluator.confusion().unwrap().total(), 0);
        assert!(evaluator.value(Metric::LogLoss).unwrap().is_nan());
    }
}
