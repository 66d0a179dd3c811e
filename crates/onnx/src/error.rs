//! What can be wrong with an ONNX file.

/// An error in an ONNX file or in what it asks for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {place}\n  expected: {expected}\n  received: {received}\n  help:     {help}")]
pub struct OnnxError {
    /// The file.
    pub file: Box<str>,
    /// Where in it: a node with its operator, a stored tensor, an input.
    pub place: Box<str>,
    /// What is needed there.
    pub expected: Box<str>,
    /// What is there.
    pub received: Box<str>,
    /// What to do.
    pub help: Box<str>,
    /// What kind of trouble it is.
    pub trouble: Trouble,
}

/// Kinds of trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// The file cannot be read, or does not hold together.
    Unreadable,
    /// The file is sound and asks for something that is not there: an operator, a kind of number, a setting.
    Unsupported,
}

impl OnnxError {
    /// A file that does not hold together.
    pub fn unreadable(place: impl Into<String>, expected: impl Into<String>, received: impl Into<String>) -> OnnxError {
        OnnxError {
            file: "".into(),
            place: place.into().into(),
            expected: expected.into().into(),
            received: received.into().into(),
            help: "the file is damaged or was written wrongly: copy, download or write it again".into(),
            trouble: Trouble::Unreadable,
        }
    }

    /// A sound file that asks for something that is not there.
    pub fn unsupported(
        place: impl Into<String>,
        expected: impl Into<String>,
        received: impl Into<String>,
    ) -> OnnxError {
        let help =
            "write the model with operators and kinds of numbers that are supported, see the table in docs/onnx.md";
        OnnxError {
            help: help.into(),
            trouble: Trouble::Unsupported,
            ..OnnxError::unreadable(place, expected, received)
        }
    }

    /// The same with another advice.
    pub fn help(self, help: impl Into<String>) -> OnnxError {
        OnnxError { help: help.into().into(), ..self }
    }

    /// The same, in this file.
    pub fn in_file(self, file: impl Into<String>) -> OnnxError {
        if self.file.is_empty() { OnnxError { file: file.into().into(), ..self } } else { self }
    }
}

/// The result of reading a file.
pub type Result<T> = std::result::Result<T, OnnxError>;
