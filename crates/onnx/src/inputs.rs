//! What a model takes and gives, as its file states it.

use crate::error::Result;
use crate::file::ModelFile;
use crate::import::tensor_type;
use crate::proto::{DimensionValue, ValueInfoProto};
use crate::tensor::{kind_of, type_name};
use gradus_tensor::Kind;
use std::collections::BTreeSet;

/// A size of an input or output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Size {
    /// Always this.
    Fixed(usize),
    /// Any, under a name or without one.
    Open(Option<String>),
}

impl Size {
    /// The size, if it is fixed.
    pub fn fixed(&self) -> Option<usize> {
        if let Size::Fixed(size) = self { Some(*size) } else { None }
    }
}

impl std::fmt::Display for Size {
    /// `28`, `batch`, `?`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Size::Fixed(size) => write!(f, "{size}"),
            Size::Open(name) => f.write_str(name.as_deref().unwrap_or("?")),
        }
    }
}

/// An input or an output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name.
    pub name: String,
    /// Its kind of number; none where it is not supported.
    pub kind: Option<Kind>,
    /// The name of its data type in ONNX.
    pub data_type: String,
    /// Its sizes; none where the file does not state how many there are.
    pub sizes: Option<Vec<Size>>,
}

impl Spec {
    /// Its sizes behind the first, the batch.
    pub fn sample(&self) -> Option<&[Size]> {
        self.sizes.as_ref().and_then(|sizes| sizes.get(1..))
    }

    fn of(info: &ValueInfoProto) -> Spec {
        let (data_type, sizes) = tensor_type(info, "").unwrap_or((0, None));
        let size = |size: Option<&DimensionValue>| match size {
            Some(DimensionValue::Value(size)) => usize::try_from(*size).map_or(Size::Open(None), Size::Fixed),
            Some(DimensionValue::Param(name)) if !name.is_empty() => Size::Open(Some(name.clone())),
            _ => Size::Open(None),
        };
        let sizes = sizes.map(|sizes| sizes.into_iter().map(size).collect());
        Spec { name: info.name.clone(), kind: kind_of(data_type), data_type: type_name(data_type), sizes }
    }
}

impl std::fmt::Display for Spec {
    /// `x: float [batch, 1, 28, 28]`
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.name, self.data_type)?;
        let Some(sizes) = &self.sizes else { return Ok(()) };
        write!(f, " [{}]", sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
    }
}

/// The inputs of a model that are no stored values.
pub fn inputs(file: &ModelFile) -> Vec<Spec> {
    let stored: BTreeSet<&str> = file.graph().initializer.iter().map(|stored| stored.name.as_str()).collect();
    file.graph().input.iter().filter(|input| !stored.contains(input.name.as_str())).map(Spec::of).collect()
}

/// The outputs of a model. Files need not state their types.
pub fn outputs(file: &ModelFile) -> Vec<Spec> {
    file.graph().output.iter().map(Spec::of).collect()
}

/// The names of all values that the nodes of a model compute, in their order.
pub fn values(file: &ModelFile) -> Vec<&str> {
    let names = file.graph().node.iter().flat_map(|node| &node.output);
    names.map(String::as_str).filter(|name| !name.is_empty()).collect()
}

/// The version of the operators that a file is written for.
///
/// # Errors
/// One that is not read.
pub fn version(file: &ModelFile) -> Result<i64> {
    crate::standard::version(&file.model.opset_import)
}

/// The text that goes with a model under a key.
pub fn text<'f>(file: &'f ModelFile, key: &str) -> Option<&'f str> {
    file.model.metadata_props.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
}
