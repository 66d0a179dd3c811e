//! Files: a model with the folder it lies in, and tensors by themselves.

use crate::error::{OnnxError, Result};
use crate::proto::{GraphProto, ModelProto, TensorProto};
use prost::Message;
use std::path::{Path, PathBuf};

/// The most bytes of a model's own file: the format's limit. Larger models keep their weights in files beside.
const LARGEST: u64 = (1 << 31) - 1;

/// A model as its file has it.
#[derive(Clone, Debug)]
pub struct ModelFile {
    /// The file's name, for errors.
    pub name: String,
    /// The folder in which external data are looked for.
    pub folder: Option<PathBuf>,
    /// The contents.
    pub model: ModelProto,
}

impl ModelFile {
    /// Reads a file.
    ///
    /// # Errors
    /// A file that is not there, is larger than the format allows, or is not an ONNX model.
    pub fn open(path: &Path) -> Result<ModelFile> {
        let name = path.display().to_string();
        let bytes = bytes_of(path)?;
        let folder = path.parent().map(|p| if p.as_os_str().is_empty() { PathBuf::from(".") } else { p.to_path_buf() });
        Ok(ModelFile { folder, ..ModelFile::decode(&bytes, &name)? })
    }

    /// Reads a model that lies in memory; `name` is for errors. It has no folder, and so no external data.
    ///
    /// # Errors
    /// Bytes that are not an ONNX model.
    pub fn decode(bytes: &[u8], name: &str) -> Result<ModelFile> {
        let damaged =
            |received: String| OnnxError::unreadable("the whole file", "an ONNX model", received).in_file(name);
        let model = ModelProto::decode(bytes).map_err(|e| damaged(e.to_string()))?;
        if model.graph.is_none() {
            return Err(damaged(if bytes.is_empty() { "an empty file" } else { "no graph" }.into()));
        }
        Ok(ModelFile { name: name.to_string(), folder: None, model })
    }

    /// The graph.
    pub fn graph(&self) -> &GraphProto {
        self.model.graph.as_ref().expect("checked when the file was read")
    }
}

/// Reads a file that holds one tensor, as the standard's test cases do.
///
/// # Errors
/// A file that is not there or holds no tensor.
pub fn open_tensor(path: &Path) -> Result<TensorProto> {
    let name = path.display().to_string();
    let error =
        |e: prost::DecodeError| OnnxError::unreadable("the whole file", "a tensor", e.to_string()).in_file(&name);
    TensorProto::decode(bytes_of(path)?.as_slice()).map_err(error)
}

fn bytes_of(path: &Path) -> Result<Vec<u8>> {
    let name = path.display().to_string();
    let error = |received: String| OnnxError::unreadable("the whole file", "a readable file", received).in_file(&name);
    let missing = |e: std::io::Error| error(e.to_string()).help("correct the path");
    let length = std::fs::metadata(path).map_err(missing)?.len();
    if length > LARGEST {
        return Err(error(format!("{length} bytes, more than the format's 2 GiB")));
    }
    std::fs::read(path).map_err(|e| error(e.to_string()))
}
