//! Everything that can go wrong with data. An error names the file and place, what was expected, what was found, and what to do.

use gradus_tensor::TensorError;
use std::fmt::Write;
use std::path::PathBuf;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// An array or its file is wrong.
    #[error(transparent)]
    Tensor(#[from] TensorError),
    /// No root holds the file.
    #[error("there is no data file {file:?}; looked for{}{help}", places(.looked))]
    NotFound {
        /// The path asked for.
        file: String,
        /// Every place that was tried.
        looked: Vec<PathBuf>,
        /// What to do: starts with a semicolon, or is empty.
        help: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {file}: {source}")]
    Io {
        /// What was tried: "read", "write".
        action: &'static str,
        /// The file's name.
        file: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A CSV cell or line is wrong.
    #[error("{file}, line {line}{}: {problem}; {help}", in_column(.column))]
    Cell {
        /// The file's name.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// The column's name and position, if one is to blame.
        column: Option<String>,
        /// What was expected and what was found.
        problem: String,
        /// What to do.
        help: String,
    },
    /// A table as a whole, or what the recipe says about it, is wrong.
    #[error("{file}: {problem}; {help}")]
    Table {
        /// The file's name.
        file: String,
        /// What is wrong.
        problem: String,
        /// What to do.
        help: String,
    },
    /// Inputs and targets are not of one length.
    #[error("{file}: there are {inputs} inputs but {targets} targets; every input needs exactly one")]
    Lengths {
        /// The file's or data set's name.
        file: String,
        /// Rows of inputs.
        inputs: usize,
        /// Rows of targets.
        targets: usize,
    },
    /// A label is not one of the classes.
    #[error("{file}: label {label:?} of row {row} is none of the known classes {}; {help}", list(.classes))]
    UnknownLabel {
        /// The file's or data set's name.
        file: String,
        /// The label.
        label: String,
        /// The row, counted from 0.
        row: usize,
        /// The classes.
        classes: Vec<String>,
        /// What to do.
        help: String,
    },
    /// The data do not fit what was trained or fitted.
    #[error("the data do not fit: {expected} expected, but {received} received; {help}")]
    Mismatch {
        /// What was expected.
        expected: String,
        /// What came.
        received: String,
        /// What to do.
        help: String,
    },
    /// An option has an impossible value.
    #[error("{option} is {received}: {expected}")]
    Option {
        /// The option's key.
        option: &'static str,
        /// Its value.
        received: String,
        /// What it must be.
        expected: String,
    },
    /// A known data set's file is not what it should be.
    #[error(
        "{from} is not {file} of the known set: its contents have the SHA-256 {received}, but {expected} was expected; it is \
         another edition, or damaged; nothing was stored"
    )]
    Checksum {
        /// The file of the set.
        file: String,
        /// Where it was taken from.
        from: String,
        /// The SHA-256 that was expected.
        expected: String,
        /// The SHA-256 of what came.
        received: String,
    },
    /// A known data set's file could not be fetched.
    #[error("cannot fetch {file}:{}\n{help}", reasons(.tried))]
    Fetch {
        /// The file of the set.
        file: String,
        /// Every address and why it failed.
        tried: Vec<(String, String)>,
        /// What to do.
        help: String,
    },
    /// The data cannot be trained on.
    #[error("{problem}; {help}")]
    Unfit {
        /// What is wrong, with the place.
        problem: String,
        /// What to do.
        help: String,
    },
}

impl DataError {
    pub(crate) fn read(file: &str, source: std::io::Error) -> DataError {
        DataError::Io { action: "read", file: file.to_string(), source }
    }

    /// The same error, told of this file.
    pub(crate) fn of(mut self, name: &str) -> DataError {
        match &mut self {
            DataError::Lengths { file, .. } | DataError::UnknownLabel { file, .. } => *file = name.to_string(),
            DataError::Unfit { problem, .. } => *problem = format!("{name}: {problem}"),
            _ => {}
        }
        self
    }

    pub(crate) fn unfit(problem: impl Into<String>, help: impl Into<String>) -> DataError {
        DataError::Unfit { problem: problem.into(), help: help.into() }
    }
}

fn places(looked: &[PathBuf]) -> String {
    let mut text = String::new();
    for place in looked {
        let _ = write!(text, "\n  {}", place.display());
    }
    text
}

fn reasons(tried: &[(String, String)]) -> String {
    tried.iter().map(|(address, reason)| format!("\n  {address}: {reason}")).collect()
}

fn in_column(name: &Option<String>) -> String {
    name.as_ref().map_or_else(String::new, |name| format!(", column {name}"))
}

/// At most twelve names, quoted.
pub(crate) fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "(none)".to_string();
    }
    let mut text: Vec<String> = names.iter().take(12).map(|name| format!("{name:?}")).collect();
    if names.len() > 12 {
        text.push(format!("and {} more", names.len() - 12));
    }
    text.join(", ")
}
