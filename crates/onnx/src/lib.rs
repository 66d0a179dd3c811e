//! ONNX files: models of other tools as graphs of ours.
//!
//! | read | for |
//! |---|---|
//! | [`mod@file`] | opening a file |
//! | [`mod@import`] | making a graph of it |
//! | [`inputs`](mod@inputs) | what a model takes and gives |
//! | [`survey`](mod@survey) | what a model is made of, supported or not |
//! | [`standard`] | versions and operators that are read |
//! | [`mod@structure`] | a model without its weights |
//! | [`check`] | the standard's test cases |
//! | [`mod@export`] | writing a model |
//! | [`operators`] | operators that no op of the graph stands for, one file each |
//! | [`tensor`], `external` | stored values, in the file or beside it |
//! | [`proto`] | the messages of the format |
//! | [`error`] | what can be wrong |

mod attributes;
pub mod check;
pub mod error;
pub mod export;
mod external;
pub mod file;
pub mod import;
pub mod inputs;
pub mod operators;
pub mod proto;
pub mod standard;
pub mod structure;
pub mod survey;
pub mod tensor;

pub use error::{OnnxError, Trouble};
pub use export::export;
pub use file::ModelFile;
pub use import::{Bindings, Imported, import, import_into};
pub use tensor::Limits;
