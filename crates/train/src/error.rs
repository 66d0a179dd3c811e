//! Everything that can go wrong with a training run: where, what was expected, what was received, what to do.

use gradus_data::DataError;
use gradus_graph::GraphError;
use gradus_metrics::MetricError;
use gradus_tensor::TensorError;

/// A result of this crate.
pub type Result<T> = std::result::Result<T, TrainError>;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrainError {
    /// The model, its loss or its optimiser.
    #[error(transparent)]
    Graph(Box<GraphError>),
    /// The data.
    #[error(transparent)]
    Data(#[from] DataError),
    /// A metric.
    #[error(transparent)]
    Metric(#[from] MetricError),
    /// A file of tensors.
    #[error(transparent)]
    File(#[from] TensorError),
    /// A setting out of range.
    #[error("`{option}` is {received}\n  expected: {expected}")]
    Option {
        /// The setting.
        option: &'static str,
        /// Its value.
        received: String,
        /// What it must be.
        expected: String,
    },
    /// The model and the data, or the model and what is asked of it, do not fit.
    #[error("{what}\n  expected: {expected}\n  received: {received}\n  help:     {help}")]
    Fit {
        /// What does not fit what.
        what: String,
        /// What one of the two needs.
        expected: String,
        /// What the other gives.
        received: String,
        /// What to do.
        help: String,
    },
    /// A value is to be watched that the run does not have.
    #[error(
        "`{by}` watches `{monitor}`, which this run does not have\n  expected: one of {known}\n  help:     correct `monitor`, or ask for that metric"
    )]
    Monitor {
        /// Who watches: a stop's key, or "best".
        by: String,
        /// What.
        monitor: String,
        /// What there is.
        known: String,
    },
    /// The loss, a gradient or a parameter became infinite or NaN. Nothing was updated in the step.
    #[error(
        "training diverged in step {step} (epoch {epoch:.2}): the loss is {loss}, and the first bad tensor is {tensor}\n  kept:     {kept}\n  help:     lower the learning rate, scale the inputs, or clip what may become 0 under a logarithm or a division"
    )]
    Diverged {
        /// The step, counted from 0.
        step: u64,
        /// The epoch, with its fraction.
        epoch: f64,
        /// The loss of the step.
        loss: f64,
        /// The first tensor that is not finite, in the order of computation, with the place and value.
        tensor: String,
        /// The last good state that was kept.
        kept: String,
    },
    /// A gradient is not finite in the first step.
    #[error(
        "the gradient of `{parameter}` is not finite in the first step: {value} at {place}\n  help:     check the initial values, the scale of the inputs, and functions with infinite slope (a root or logarithm at 0)"
    )]
    Gradient {
        /// The parameter.
        parameter: String,
        /// The first value that is not finite.
        value: f64,
        /// Its index.
        place: String,
    },
    /// A checkpoint that cannot be resumed from.
    #[error("cannot resume from {file}: {problem}\n  help:     {help}")]
    Checkpoint {
        /// The file.
        file: String,
        /// What is wrong or differs.
        problem: String,
        /// What to do.
        help: String,
    },
    /// A model file that does not fit the model.
    #[error("{file} does not fit the model: {problem}\n  help:     {help}")]
    Model {
        /// The file.
        file: String,
        /// What is missing, left over or of another shape.
        problem: String,
        /// What to do.
        help: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {file}: {source}")]
    Io {
        /// What was tried: "write".
        action: &'static str,
        /// The file's name.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A callback failed.
    #[error("a callback failed: {0}")]
    Callback(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The engine refused a run: a defect of this library.
    #[error("internal error: {0}\n  help:     this is a bug; please report it")]
    Internal(String),
}

impl From<GraphError> for TrainError {
    fn from(error: GraphError) -> TrainError {
        TrainError::Graph(Box::new(error))
    }
}

impl From<gradus_graph::RunError> for TrainError {
    fn from(error: gradus_graph::RunError) -> TrainError {
        match error {
            gradus_graph::RunError::Graph(error) => error.into(),
            other => TrainError::Internal(other.to_string()),
        }
    }
}

/// A flat position as an index into a shape: `[1, 2]`.
pub(crate) fn index_of(mut at: usize, shape: &[usize]) -> String {
    let mut index = vec![0; shape.len()];
    for (place, &size) in index.iter_mut().zip(shape).rev() {
        *place = at % size.max(1);
        at /= size.max(1);
    }
    format!("{index:?}")
}

/// At most twelve names, in backticks.
pub(crate) fn list<S: AsRef<str>>(names: impl IntoIterator<Item = S>) -> String {
    let names: Vec<S> = names.into_iter().collect();
    let mut text: Vec<String> = names.iter().take(12).map(|name| format!("`{}`", name.as_ref())).collect();
    if names.len() > 12 {
        text.push(format!("and {} more", names.len() - 12));
    }
    if text.is_empty() { "(none)".into() } else { text.join(", ") }
}
