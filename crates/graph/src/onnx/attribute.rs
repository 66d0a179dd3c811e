//! Settings of a node.

use gradus_tensor::Tensor;

/// A setting of an ONNX node.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// A number.
    Float(f32),
    /// A whole number.
    Int(i64),
    /// Text.
    Text(String),
    /// A tensor.
    Tensor(Tensor),
    /// Numbers.
    Floats(Vec<f32>),
    /// Whole numbers.
    Ints(Vec<i64>),
    /// Texts.
    Texts(Vec<String>),
    /// Something that no op here reads: a graph, a type, a sparse tensor; named by what it is.
    Other(&'static str),
}

impl Attribute {
    /// What it holds, in words.
    pub fn describe(&self) -> &'static str {
        match self {
            Attribute::Float(_) => "a number",
            Attribute::Int(_) => "a whole number",
            Attribute::Text(_) => "text",
            Attribute::Tensor(_) => "a tensor",
            Attribute::Floats(_) => "numbers",
            Attribute::Ints(_) => "whole numbers",
            Attribute::Texts(_) => "texts",
            Attribute::Other(what) => what,
        }
    }
}
