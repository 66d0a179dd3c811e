//! A model without its weights: what a file of trained weights keeps of the ONNX file that it was made from.
//!
//! The stored values that became variables lose their numbers, and keep name, kind and sizes; what the graph itself depends on (axes, sizes,
//! scales, single numbers) stays. Read back with [`Bindings::weights_elsewhere`](crate::Bindings), it gives the same graph, whose variables
//! then take their values from the weights' file.

use crate::error::{OnnxError, Result};
use crate::file::ModelFile;
use crate::proto::{ModelProto, StringStringEntryProto, TensorProto};
use crate::tensor::{self, Limits, kind_of, type_name};
use gradus_graph::onnx::Reader;
use gradus_tensor::Tensor;
use prost::Message;
use std::collections::BTreeSet;

/// The key that marks a stored value whose numbers are elsewhere.
const MARK: &str = "gradus.weight";

/// The bytes of a file's structure. `reader` is what the file was imported with: it knows which stored values became variables.
///
/// # Errors
/// Stored values that lie in other files and cannot be read.
pub fn of(file: &ModelFile, reader: &Reader, limits: Limits) -> Result<Vec<u8>> {
    let weights: BTreeSet<String> = reader.weights().into_iter().filter(|name| !reader.depends_on(name)).collect();
    let mut model: ModelProto = file.model.clone();
    let Some(graph) = &mut model.graph else { return Ok(model.encode_to_vec()) };
    for stored in &mut graph.initializer {
        if weights.contains(&stored.name) {
            *stored = TensorProto {
                name: std::mem::take(&mut stored.name),
                dims: std::mem::take(&mut stored.dims),
                data_type: stored.data_type,
                external_data: vec![StringStringEntryProto { key: MARK.into(), value: String::new() }],
                ..TensorProto::default()
            };
        } else if stored.data_location != 0 {
            let read = tensor::read(stored, file.folder.as_deref(), limits).map_err(|e| e.in_file(&file.name))?;
            *stored = tensor::write(&stored.name, &read);
        }
    }
    Ok(model.encode_to_vec())
}

/// A stored value of a structure: zeros where its numbers are elsewhere.
pub(crate) fn read(stored: &TensorProto, limits: Limits) -> Result<Tensor> {
    if !stored.external_data.iter().any(|entry| entry.key == MARK) {
        return tensor::read(stored, None, limits);
    }
    let place = format!("stored tensor `{}`", stored.name);
    let kind = kind_of(stored.data_type)
        .ok_or_else(|| OnnxError::unsupported(&place, "numbers", type_name(stored.data_type)))?;
    let (shape, _) = tensor::sizes(&stored.dims, &place, kind, limits)?;
    Tensor::zeros(shape, kind).map_err(|e| OnnxError::unreadable(&place, "a tensor", e.to_string()))
}
