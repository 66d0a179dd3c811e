//! ONNX files: models of other tools as graphs of ours.
//!
//! | read | for |
//! |---|---|
//! | [`mod@file`] | opening a file |
//! | [`mod@import`] | making a graph of it |
//! | [`check`] | the standard's test cases |
//! | [`mod@export`] | writing a model |
//! | [`operators`] | operators that no op of the graph stands for, one file each |
//! | [`tensor`], `external` | stored values, in the file or beside it |
//! | [`proto`] | the messages of the format |
//! | [`error`] | what can be wrong |

pub mod check;
pub mod error;
pub mod export;
mod external;
pub mod file;
pub mod import;
pub mod operators;
pub mod proto;
pub mod tensor;

pub use error::{OnnxError, Trouble};
pub use export::export;
pub use file::ModelFile;
pub use import::{Bindings, Imported, import};
pub use tensor::Limits;
