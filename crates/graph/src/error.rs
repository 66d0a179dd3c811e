//! What can be wrong with a graph.

use std::panic::Location;

/// An error in a graph, found before anything runs.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum GraphError {
    /// An op was given inputs that do not fit.
    #[error("`{op}` in `{path}`\n  --> {at}\n  expected: {expected}\n  received: {received}\n  help:     {help}")]
    Shape {
        /// The op.
        op: &'static str,
        /// The layer path.
        path: String,
        /// The line of the user's program that applied it.
        at: &'static Location<'static>,
        /// What the op needs.
        expected: String,
        /// What it was given.
        received: String,
        /// What to do about it.
        help: String,
    },
    /// No gradient reaches a trainable parameter.
    #[error(
        "no gradient reaches the trainable parameter `{variable}`\n  cut at:   {cut}\n  help:     freeze the parameter, or make the loss depend on it"
    )]
    NoGradient {
        /// The parameter.
        variable: String,
        /// Where the path to the loss ends, and why.
        cut: String,
    },
    /// The gradient of something that is not a single number.
    #[error(
        "a loss must be a single number\n  expected: shape []\n  received: {shape}\n  help:     take its mean or sum"
    )]
    NotScalar {
        /// Its shape.
        shape: String,
    },
    /// Two variables or inputs of one name.
    #[error("two {what}s are named `{name}`\n  help:     give each its own name or scope")]
    Duplicate {
        /// "variable", "input" or "output".
        what: &'static str,
        /// The name.
        name: String,
    },
    /// A name that does not exist.
    #[error("there is no {what} `{name}`\n  expected: one of {known}")]
    Unknown {
        /// "input", "output" or "variable".
        what: &'static str,
        /// The name.
        name: String,
        /// Those that exist.
        known: String,
    },
    /// An update whose new value has another shape.
    #[error("the update of `{variable}` has the wrong shape\n  expected: {expected}\n  received: {received}")]
    Update {
        /// The variable.
        variable: String,
        /// Its shape.
        expected: String,
        /// The new value's shape.
        received: String,
    },
    /// A variable with two updates.
    #[error(
        "`{variable}` is updated twice in one step\n  expected: one update of each variable\n  help:     give each use a variable of its own: a layer with running statistics cannot be shared or repeated"
    )]
    Twice {
        /// The variable.
        variable: String,
    },
    /// Values for the loss of something that has none.
    #[error(
        "`{path}` gives several values to take the loss of, but no loss is on its output\n  expected: the last layer, on whose output the loss is\n  help:     move it to the end of the network, with the layers behind it as its `layers`"
    )]
    Alternatives {
        /// The layer's path.
        path: String,
    },
    /// Too few samples in a training step.
    #[error(
        "`{path}` needs at least {least} samples in a training step\n  received: {batch}\n  help:     use larger batches, and a batch size that leaves no remainder as small as this"
    )]
    Batch {
        /// The layer's path.
        path: String,
        /// The fewest samples.
        least: usize,
        /// The step's samples.
        batch: usize,
    },
    /// More memory than there is.
    #[error(
        "there is not memory enough for {what}\n  expected: {size} in one piece\n  received: a refusal from the system\n  help:     use fewer or smaller layers, a smaller batch, or an optimiser that keeps less"
    )]
    Memory {
        /// What for.
        what: String,
        /// How much.
        size: String,
    },
    /// The compiled form was refused by the kernels: a defect of this library, not of the graph.
    #[error(
        "internal error: the compiled step is inconsistent: {0}\n  help:     this is a bug; please report it with the graph's dump"
    )]
    Internal(String),
}

impl GraphError {
    pub(crate) fn memory(what: impl Into<String>, bytes: usize) -> GraphError {
        GraphError::Memory { what: what.into(), size: format!("{:.1} GiB", bytes as f64 / f64::from(1 << 30)) }
    }
}
