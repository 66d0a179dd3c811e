//! ONNX as far as ops are concerned, in plain data: the file format is another crate's.
//!
//! * [`OnnxOp`]: how an operator of ONNX becomes nodes of a graph. Each op lists its own in [`OpDef::ONNX`](crate::OpDef::ONNX).
//! * [`OnnxNode`]: one application of an operator while a graph is being read: its settings and operands.
//! * [`Value`]: an operand, known already or computed when the model runs.
//! * [`Reader`]: the graph that is being made, and the weights it has.

mod attribute;
mod evaluate;
mod node;
mod reader;
mod value;
mod windows;
mod write;

pub use attribute::Attribute;
pub use evaluate::Extent;
pub use node::OnnxNode;
pub use reader::Reader;
pub use value::{Known, Traced, Value, channels_last, channels_second};
pub use windows::{Auto, Windows};
pub use write::{Refusal, Unwritten, Writer, Written, WrittenGraph, WrittenNode, write};

use crate::ShapeError;

/// How an operator of ONNX is read.
#[derive(Clone, Copy)]
pub struct OnnxOp {
    /// Its name in ONNX's own domain.
    pub name: &'static str,
    /// Makes the outputs of one application.
    pub read: fn(&OnnxNode) -> Result<Vec<Value>, ShapeError>,
}
