//! Everything that can go wrong with tensors and their files. A file's error names the file, what was expected, what was
//! found and what to do.

use crate::sniff::Format;

/// An error of this crate.
#[derive(Debug, thiserror::Error)]
pub enum TensorError {
    /// The number of values does not fit the shape.
    #[error("a tensor of shape {shape:?} holds {expected} values, but {received} were given")]
    Length {
        /// The shape asked for.
        shape: Vec<usize>,
        /// How many values it holds.
        expected: usize,
        /// How many there were.
        received: usize,
    },
    /// The sizes multiply to more than `usize` holds.
    #[error("the sizes {shape:?} multiply to more than a computer can hold")]
    Overflow {
        /// The shape asked for.
        shape: Vec<usize>,
    },
    /// A row that is not there.
    #[error("row {index} was asked for, but there are only {rows} rows (counted from 0)")]
    Row {
        /// The row asked for.
        index: usize,
        /// How many there are.
        rows: usize,
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
    /// The file is of another format.
    #[error("{file} is not {expected}: it looks like {found}")]
    Foreign {
        /// The file's name.
        file: String,
        /// The format expected: "an NPY file".
        expected: &'static str,
        /// What it looks like.
        found: Format,
    },
    /// The header promises more than the file holds.
    #[error(
        "{file} is cut short: its header promises {what}, {promised} bytes, but only {held} follow; copy or download it again"
    )]
    Truncated {
        /// The file's name.
        file: String,
        /// What the header promises: "f64 values of shape [3, 4]".
        what: String,
        /// How many bytes that takes.
        promised: u128,
        /// How many there are.
        held: u64,
    },
    /// More bytes than the header promises.
    #[error(
        "{file} goes on after its end: its header promises {what}, {promised} bytes, but {extra} follow; the file is damaged or several files were joined"
    )]
    Surplus {
        /// The file's name.
        file: String,
        /// What the header promises.
        what: String,
        /// How many bytes that takes.
        promised: u128,
        /// How many follow: a number, or "more".
        extra: String,
    },
    /// The file claims to be what was expected, but its contents do not hold together.
    #[error("{file} is damaged: {problem}; copy, download or write it again")]
    Damaged {
        /// The file's name.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The file is sound, but holds something that is not supported.
    #[error("{file} holds {what}, which is not supported; {help}")]
    Unsupported {
        /// The file's name.
        file: String,
        /// What it holds.
        what: String,
        /// What to do.
        help: String,
    },
    /// An archive has no array of this name.
    #[error("{file} has no array named {key:?}; it has {}", list(.keys))]
    MissingKey {
        /// The archive's name.
        file: String,
        /// The name asked for.
        key: String,
        /// The names there are.
        keys: Vec<String>,
    },
}

impl TensorError {
    pub(crate) fn read(file: &str, source: std::io::Error) -> TensorError {
        TensorError::Io { action: "read", file: file.to_string(), source }
    }

    pub(crate) fn damaged(file: &str, problem: impl Into<String>) -> TensorError {
        TensorError::Damaged { file: file.to_string(), problem: problem.into() }
    }
}

/// At most ten names, quoted: `"a", "b"`.
fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "none".to_string();
    }
    let mut text: Vec<String> = names.iter().take(10).map(|name| format!("{name:?}")).collect();
    if names.len() > 10 {
        text.push(format!("and {} more", names.len() - 10));
    }
    text.join(", ")
}
