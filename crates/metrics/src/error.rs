//! What can be wrong with the numbers that a metric is asked about.

use thiserror::Error;

use crate::metric::Metric;

/// A metric that cannot be computed: where, what was expected, what came.
#[derive(Debug, Clone, PartialEq, Error)]
#[non_exhaustive]
pub enum MetricError {
    /// A label or prediction that is no class index.
    #[error("row {row}: class {class} does not exist: expected 0 to {}; check the number of classes", classes - 1)]
    NoSuchClass {
        /// Row, counted from 0 within the call.
        row: usize,
        /// What was received.
        class: usize,
        /// Number of classes.
        classes: usize,
    },
    /// A confusion matrix without classes, or with more than [`crate::confusion::MOST_CLASSES`].
    #[error("a confusion matrix of {classes} classes: expected 1 to {most}; use `top_k` for more")]
    ClassCount {
        /// What was asked for.
        classes: usize,
        /// The largest number of classes that is kept.
        most: usize,
    },
    /// Two inputs whose lengths do not fit together.
    #[error("{what}: expected {expected} values, received {received}; give one prediction for each true value")]
    Length {
        /// Which input.
        what: &'static str,
        /// Length that would fit.
        expected: usize,
        /// Length that came.
        received: usize,
    },
    /// A probability that is NaN or outside `[0, 1]`.
    #[error("row {row}: {value} is not a probability: expected 0 to 1; give probabilities, not logits")]
    NotAProbability {
        /// Row, counted from 0 within the call.
        row: usize,
        /// What was received.
        value: f64,
    },
    /// A negative or non-finite weight in a distribution.
    #[error("position {index}: {value} cannot be part of a distribution: expected a finite number, at least 0")]
    NotAWeight {
        /// Position in the flat input.
        index: usize,
        /// What was received.
        value: f64,
    },
    /// A parameter of a metric outside its range.
    #[error("{name} = {value}: expected {expected}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What was received.
        value: f64,
        /// What would do.
        expected: String,
    },
    /// A metric that this kind of task does not have.
    #[error("metric `{metric}` does not fit {task}; choose from: {choices}")]
    Unfit {
        /// The metric asked for.
        metric: Metric,
        /// The task in words.
        task: &'static str,
        /// The metrics of this task.
        choices: String,
    },
    /// Rows of another kind than the evaluator's task.
    #[error("the evaluator was made for {task}, but received {received}; call the matching `add_` method")]
    WrongTask {
        /// The task in words.
        task: &'static str,
        /// The kind of rows that came.
        received: &'static str,
    },
    /// A name that is no metric.
    #[error("`{name}` is not a metric{}; choose from: {choices}", nearest.as_deref().map(|near| format!(": did you mean `{near}`?")).unwrap_or_default())]
    UnknownName {
        /// What was received.
        name: String,
        /// The nearest metric name, if one is near.
        nearest: Option<String>,
        /// All names.
        choices: String,
    },
}
