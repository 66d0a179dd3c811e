//! How a command fails: a message and an exit code.

use crate::recipe::RecipeError;
use gradus_data::DataError;
use gradus_graph::GraphError;
use gradus_onnx::OnnxError;
use gradus_tensor::TensorError;
use gradus_train::TrainError;
use miette::{Diagnostic, GraphicalReportHandler, GraphicalTheme, LabeledSpan, SourceCode};
use std::fmt;
use std::io::IsTerminal;

/// A result of a command.
pub type Result<T> = std::result::Result<T, Failure>;

/// Why a command failed. Each kind has its exit code.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The recipe is wrong: exit code 2.
    #[error(transparent)]
    Recipe(#[from] RecipeError),
    /// The command was not used as it can be: exit code 2.
    #[error("{problem}")]
    Usage {
        /// What is wrong.
        problem: String,
        /// What to do.
        help: String,
    },
    /// A file or folder cannot be used: exit code 3.
    #[error("{problem}")]
    Files {
        /// What is wrong.
        problem: String,
        /// What to do.
        help: String,
    },
    /// The data are wrong: exit code 3.
    #[error(transparent)]
    Data(#[from] DataError),
    /// An ONNX file is wrong or asks for what is not supported: exit code 3.
    #[error(transparent)]
    Onnx(#[from] OnnxError),
    /// Training, evaluating or predicting failed: the exit code is that of the reason.
    #[error(transparent)]
    Train(#[from] TrainError),
    /// A check found something wrong, and has said so: exit code 5.
    #[error("")]
    Check,
    /// A command with exit codes of its own has said what is wrong.
    #[error("")]
    Own(u8),
    /// Interrupted, with everything saved: exit code 130 or 143.
    #[error("")]
    Interrupted(u8),
    /// Nobody reads our output any more: a quiet end.
    #[error("")]
    ClosedOutput,
}

impl Failure {
    /// A wrong use of a command.
    pub fn usage(problem: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure::Usage { problem: problem.into(), help: help.into() }
    }

    /// A file or folder that cannot be used.
    pub fn files(problem: impl Into<String>, help: impl Into<String>) -> Failure {
        Failure::Files { problem: problem.into(), help: help.into() }
    }

    /// The exit code.
    pub fn code(&self) -> u8 {
        match self {
            Failure::Recipe(_) | Failure::Usage { .. } => 2,
            Failure::Files { .. } | Failure::Data(_) | Failure::Onnx(_) => 3,
            Failure::Train(error) => match error {
                TrainError::Data(_) | TrainError::File(_) | TrainError::Model { .. } | TrainError::Io { .. } => 3,
                TrainError::Checkpoint { .. } => 3,
                TrainError::Diverged { .. } | TrainError::Gradient { .. } => 4,
                TrainError::Internal(_) | TrainError::Callback(_) => 70,
                _ => 2,
            },
            Failure::Check => 5,
            Failure::Own(code) | Failure::Interrupted(code) => *code,
            Failure::ClosedOutput => 0,
        }
    }

    /// Prints the message to standard error, unless everything was said.
    pub fn print(&self) {
        if matches!(self, Failure::Check | Failure::Own(_) | Failure::Interrupted(_) | Failure::ClosedOutput) {
            return;
        }
        let terminal = std::io::stderr().is_terminal();
        let colour = terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler =
            GraphicalReportHandler::new_themed(theme).with_width(100).with_break_words(false).with_urls(false);
        let mut text = String::new();
        let shown = self.shown();
        if handler.render_report(&mut text, &shown).is_err() {
            text = format!("{shown}\n");
        }
        crate::console::say(&format!("Error: {}", text.trim_start()));
    }

    /// The message and the help apart; other crates' messages hold both.
    fn shown(&self) -> Shown<'_> {
        let text = self.to_string();
        let (message, help) = match self {
            Failure::Recipe(error) => (text, error.help().map(|help| help.to_string())),
            Failure::Usage { help, .. } | Failure::Files { help, .. } => (text, Some(help.clone())),
            Failure::Data(error) | Failure::Train(TrainError::Data(error)) => match data_help(error) {
                Some(help) => (
                    text.trim_end_matches(help).trim_end_matches("; ").trim_end().to_string(),
                    Some(help.trim().to_string()),
                ),
                None => (text, None),
            },
            _ => match text.split_once("\n  help:") {
                Some((message, help)) => (without_source_lines(message), Some(help.trim().to_string())),
                None => (text, None),
            },
        };
        Shown { failure: self, message, help }
    }
}

/// A message about a graph without the line of Rust that made it, which is not the reader's: a recipe made it.
fn without_source_lines(message: &str) -> String {
    let lines: Vec<&str> = message.lines().filter(|line| !line.trim_start().starts_with("--> ")).collect();
    lines.join("\n").replace(" in ``", "")
}

/// What a data error says to do.
fn data_help(error: &DataError) -> Option<&str> {
    match error {
        DataError::NotFound { help, .. }
        | DataError::Cell { help, .. }
        | DataError::Table { help, .. }
        | DataError::UnknownLabel { help, .. }
        | DataError::Mismatch { help, .. }
        | DataError::Fetch { help, .. }
        | DataError::Unfit { help, .. } => Some(help),
        _ => None,
    }
}

/// A failure as it is printed.
#[derive(Debug)]
struct Shown<'a> {
    failure: &'a Failure,
    message: String,
    help: Option<String>,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Shown<'_> {}

impl Diagnostic for Shown<'_> {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self.failure {
            Failure::Recipe(error) => error.source_code(),
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self.failure {
            Failure::Recipe(error) => error.labels(),
            _ => None,
        }
    }
}

impl From<GraphError> for Failure {
    fn from(error: GraphError) -> Failure {
        Failure::Train(error.into())
    }
}

impl From<TensorError> for Failure {
    fn from(error: TensorError) -> Failure {
        Failure::Data(error.into())
    }
}
