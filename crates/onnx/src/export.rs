//! From a model to a file.

use crate::error::{OnnxError, Result};
use crate::proto::{
    AttributeProto, AttributeType, Dimension, DimensionValue, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorShapeProto, TensorType, TypeProto, TypeValue, ValueInfoProto,
};
use crate::tensor::{self, data_type};
use gradus_graph::onnx::{Attribute, WrittenGraph, WrittenNode, write};
use gradus_graph::{Model, State};
use gradus_kernels::Real;
use gradus_tensor::{Dim, Kind, Shape};
use prost::Message;
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

/// The versions of ONNX's operators that can be written.
pub const VERSIONS: RangeInclusive<i64> = 17..=21;

/// What is written.
#[derive(Clone, Debug)]
pub struct Options {
    /// The version of the operators.
    pub version: i64,
    /// The name of the graph.
    pub name: String,
    /// Text by key that goes with the model.
    pub metadata: BTreeMap<String, String>,
}

impl Default for Options {
    /// Version 17, which most programs read.
    fn default() -> Options {
        Options { version: 17, name: "gradus".into(), metadata: BTreeMap::new() }
    }
}

/// Writes what a model predicts, these of its outputs, as an ONNX model. The batch stays open.
///
/// # Errors
/// A version that is not written; all ops that cannot be written, at once.
pub fn export<T: Real>(model: &Model, state: &State<T>, outputs: &[&str], options: &Options) -> Result<ModelProto> {
    if !VERSIONS.contains(&options.version) {
        let expected = format!("a version of the operators from {} to {}", VERSIONS.start(), VERSIONS.end());
        let error = OnnxError::unsupported("the whole model", expected, options.version.to_string());
        return Err(error.help("choose one of these"));
    }
    let written = write(model, state, outputs, options.version).map_err(|refused| {
        let list: Vec<String> = refused.iter().map(|r| format!("{} in `{}` ({})", r.op, r.path, r.why)).collect();
        let error = OnnxError::unsupported("the whole model", "ops that ONNX has", list.join("\n            "));
        error.help("leave these layers out, try another version, or use the model where it was made")
    })?;
    Ok(ModelProto {
        // The first version of the format that allows these operators.
        ir_version: match options.version {
            ..=18 => 8,
            19..=20 => 9,
            _ => 10,
        },
        opset_import: vec![OperatorSetIdProto { domain: String::new(), version: options.version }],
        producer_name: "gradus".into(),
        producer_version: env!("CARGO_PKG_VERSION").into(),
        graph: Some(graph(&written, &options.name)),
        metadata_props: options
            .metadata
            .iter()
            .map(|(key, value)| StringStringEntryProto { key: key.clone(), value: value.clone() })
            .collect(),
        ..ModelProto::default()
    })
}

/// The bytes of a model's file.
pub fn encode(model: &ModelProto) -> Vec<u8> {
    model.encode_to_vec()
}

/// Writes a model's file, all or nothing.
///
/// # Errors
/// A file that cannot be written.
pub fn save(model: &ModelProto, path: &Path) -> Result<()> {
    let bytes = encode(model);
    gradus_tensor::write_atomic(path, |out| std::io::Write::write_all(out, &bytes)).map_err(|e| {
        let error = OnnxError::unreadable("the whole file", "a file that can be written", e.to_string());
        error.help("give another place").in_file(path.display().to_string())
    })
}

fn graph(written: &WrittenGraph, name: &str) -> GraphProto {
    GraphProto {
        node: written.nodes.iter().map(node).collect(),
        name: name.to_string(),
        initializer: written.initializers.iter().map(|(name, tensor)| tensor::write(name, tensor)).collect(),
        input: written.inputs.iter().map(value).collect(),
        output: written.outputs.iter().map(value).collect(),
        ..GraphProto::default()
    }
}

fn node(node: &WrittenNode) -> NodeProto {
    NodeProto {
        input: node.inputs.clone(),
        output: vec![node.output.clone()],
        name: node.name.clone(),
        op_type: node.operator.to_string(),
        attribute: node.attributes.iter().map(|(name, value)| attribute(name, value)).collect(),
        ..NodeProto::default()
    }
}

fn attribute(name: &str, value: &Attribute) -> AttributeProto {
    let mut a = AttributeProto { name: name.to_string(), ..AttributeProto::default() };
    let kind = match value {
        Attribute::Float(value) => {
            a.f = *value;
            AttributeType::Float
        }
        Attribute::Int(value) => {
            a.i = *value;
            AttributeType::Int
        }
        Attribute::Text(text) => {
            a.s = text.clone().into_bytes();
            AttributeType::String
        }
        Attribute::Tensor(tensor) => {
            a.t = Some(tensor::write("", tensor));
            AttributeType::Tensor
        }
        Attribute::Floats(values) => {
            a.floats = values.clone();
            AttributeType::Floats
        }
        Attribute::Ints(values) => {
            a.ints = values.clone();
            AttributeType::Ints
        }
        Attribute::Texts(texts) => {
            a.strings = texts.iter().map(|text| text.clone().into_bytes()).collect();
            AttributeType::Strings
        }
        Attribute::Other(_) => AttributeType::Undefined,
    };
    a.set_type(kind);
    a
}

/// A value's name and type: sizes that grow with the batch are named by it.
fn value((name, shape, kind): &(String, Shape, Kind)) -> ValueInfoProto {
    let dim = |d: &Dim| {
        let value = match *d {
            Dim::Fixed(size) => DimensionValue::Value(size as i64),
            Dim::Batch(1) => DimensionValue::Param("batch".into()),
            Dim::Batch(times) => DimensionValue::Param(format!("{times}_batch")),
        };
        Dimension { value: Some(value), ..Dimension::default() }
    };
    let shape = TensorShapeProto { dim: shape.dims().iter().map(dim).collect() };
    let tensor = TensorType { elem_type: data_type(*kind) as i32, shape: Some(shape) };
    let value = Some(TypeValue::Tensor(tensor));
    ValueInfoProto {
        name: name.clone(),
        r#type: Some(TypeProto { value, ..TypeProto::default() }),
        ..ValueInfoProto::default()
    }
}
