//! Safetensors files: named tensors and a map of text, in one file that any safetensors reader opens.
//!
//! Reading stands on the `safetensors` crate, which checks every offset. Writing is ours, so that the same contents always give
//! the same bytes: names and metadata are sorted. Format: eight bytes of header length, a JSON header, the values.

use crate::error::TensorError;
use crate::half;
use crate::npy::write_values;
use crate::sniff::Format;
use crate::tensor::Tensor;
use crate::values::{Kind, Values};
use ::safetensors::tensor::{Dtype, SafeTensorError, SafeTensors};
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;

/// Named tensors and text metadata.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct TensorFile {
    /// The tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
    /// Text by key.
    pub metadata: BTreeMap<String, String>,
}

/// Reads the file at `path`.
///
/// Fails if it cannot be read, is of another format, damaged or cut short, or holds a kind of number other than those of
/// [`Kind`] and the half-precision kinds, which are widened to `f32`.
pub fn read(path: &Path) -> Result<TensorFile, TensorError> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).map_err(|e| TensorError::read(&name, e))?;
    decode(&bytes, &name)
}

/// Reads a file that lies in memory; `name` is for errors.
pub fn decode(bytes: &[u8], name: &str) -> Result<TensorFile, TensorError> {
    let found = Format::of(bytes);
    if found != Format::Safetensors {
        return Err(TensorError::Foreign { file: name.to_string(), expected: "a safetensors file", found });
    }
    let archive = SafeTensors::deserialize(bytes).map_err(|e| damage(bytes, name, &e))?;
    let mut file = TensorFile::default();
    for (key, view) in archive.iter() {
        let data = view.data();
        let values = match kind_of(view.dtype()) {
            Some(Kind::Bool) if data.iter().any(|&byte| byte > 1) => {
                return Err(TensorError::damaged(name, format!("a boolean of tensor {key:?} is neither 0 nor 1")));
            }
            Some(kind) => Values::from_le_bytes(kind, data),
            None => match view.dtype() {
                Dtype::F16 => Values::F32(halves(data).map(half::from_float16).collect()),
                Dtype::BF16 => Values::F32(halves(data).map(half::from_bfloat16).collect()),
                other => {
                    return Err(TensorError::Unsupported {
                        file: name.to_string(),
                        what: format!("tensor {key:?} of type {other}"),
                        help: "store it as F32".to_string(),
                    });
                }
            },
        };
        file.tensors.insert(key.to_string(), Tensor::new(view.shape(), values)?);
    }
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damage(bytes, name, &e))?;
    if let Some(metadata) = header.metadata() {
        file.metadata = metadata.iter().map(|(key, text)| (key.clone(), text.clone())).collect();
    }
    Ok(file)
}

/// Writes tensors and metadata to a stream. The order of the arguments does not matter.
pub fn encode<'a>(
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: &BTreeMap<String, String>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut tensors: Vec<(&str, &Tensor)> = tensors.into_iter().collect();
    // Wide kinds first keeps every tensor aligned to its kind.
    tensors.sort_by_key(|(name, x)| (std::cmp::Reverse(x.kind().bytes()), *name));
    let mut header = serde_json::Map::new();
    if !metadata.is_empty() {
        header.insert("__metadata__".to_string(), serde_json::json!(metadata));
    }
    let mut at = 0;
    for (name, x) in &tensors {
        let end = at + x.len() * x.kind().bytes();
        let about = serde_json::json!({
            "dtype": dtype_of(x.kind()).to_string(), "shape": x.shape(), "data_offsets": [at, end]
        });
        if *name == "__metadata__" || header.insert((*name).to_string(), about).is_some() {
            let problem = format!("the tensor name {name:?} is reserved or used twice");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
        }
        at = end;
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    out.write_all(&(header.len() as u64).to_le_bytes())?;
    out.write_all(&header)?;
    tensors.iter().try_for_each(|(_, x)| write_values(x.values(), out))
}

/// Writes tensors and metadata to a file, all or nothing.
pub fn write<'a>(
    path: &Path,
    tensors: impl IntoIterator<Item = (&'a str, &'a Tensor)>,
    metadata: &BTreeMap<String, String>,
) -> Result<(), TensorError> {
    crate::write_atomic(path, |out| encode(tensors, metadata, out)).map_err(|source| TensorError::Io {
        action: "write",
        file: path.display().to_string(),
        source,
    })
}

fn kind_of(dtype: Dtype) -> Option<Kind> {
    Some(match dtype {
        Dtype::F32 => Kind::F32,
        Dtype::F64 => Kind::F64,
        Dtype::U8 => Kind::U8,
        Dtype::I8 => Kind::I8,
        Dtype::U16 => Kind::U16,
        Dtype::I16 => Kind::I16,
        Dtype::U32 => Kind::U32,
        Dtype::I32 => Kind::I32,
        Dtype::U64 => Kind::U64,
        Dtype::I64 => Kind::I64,
        Dtype::BOOL => Kind::Bool,
        _ => return None,
    })
}

fn dtype_of(kind: Kind) -> Dtype {
    match kind {
        Kind::F32 => Dtype::F32,
        Kind::F64 => Dtype::F64,
        Kind::U8 => Dtype::U8,
        Kind::I8 => Dtype::I8,
        Kind::U16 => Dtype::U16,
        Kind::I16 => Dtype::I16,
        Kind::U32 => Dtype::U32,
        Kind::I32 => Dtype::I32,
        Kind::U64 => Dtype::U64,
        Kind::I64 => Dtype::I64,
        Kind::Bool => Dtype::BOOL,
    }
}

fn halves(data: &[u8]) -> impl Iterator<Item = u16> {
    data.chunks_exact(2).map(|two| u16::from_le_bytes([two[0], two[1]]))
}

fn damage(bytes: &[u8], name: &str, error: &SafeTensorError) -> TensorError {
    let header = bytes.first_chunk::<8>().map_or(0, |length| u64::from_le_bytes(*length));
    let problem = match error {
        SafeTensorError::InvalidHeaderLength => {
            format!("its header claims {header} bytes, but the whole file has {}", bytes.len())
        }
        SafeTensorError::MetadataIncompleteBuffer => format!(
            "its header describes another amount of data than the {} bytes that follow: it is cut short or has grown",
            (bytes.len() as u64).saturating_sub(8 + header)
        ),
        other => other.to_string(),
    };
    TensorError::damaged(name, problem)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> (Vec<u8>, TensorFile) {
        let mut file = TensorFile::default();
        file.tensors.insert("b/weight".into(), Tensor::new([2, 2], vec![1.0f32, -2.0, f32::MIN, 0.0]).unwrap());
        file.tensors.insert("a".into(), Tensor::new([], vec![3.0f64]).unwrap());
        file.tensors.insert("flags".into(), Tensor::vector(vec![true, false, true]));
        file.tensors.insert("none".into(), Tensor::new([0, 3], Vec::<i64>::new()).unwrap());
        file.metadata.insert("recipe".into(), "seed = 7\n\"quoted\"".into());
        file.metadata.insert("format".into(), "1".into());
        let mut bytes = Vec::new();
        encode(file.tensors.iter().map(|(name, x)| (name.as_str(), x)), &file.metadata, &mut bytes).unwrap();
        (bytes, file)
    }

    #[test]
    fn what_is_written_is_read() {
        let (bytes, file) = sample();
        assert_eq!(decode(&bytes, "m").unwrap(), file);
        let mut again = Vec::new();
        encode(file.tensors.iter().rev().map(|(name, x)| (name.as_str(), x)), &file.metadata, &mut again).unwrap();
        assert_eq!(bytes, again, "the order of the arguments changed the file");
    }

    #[test]
    fn messages() {
        let (bytes, _) = sample();
        let error = |bytes: &[u8]| decode(bytes, "m.safetensors").unwrap_err().to_string();
        assert_eq!(error(b""), "m.safetensors is not a safetensors file: it looks like an empty file");
        assert_eq!(
            error(b"PK\x03\x04"),
            "m.safetensors is not a safetensors file: it looks like a zip archive (as NPZ files are)"
        );
        assert_eq!(
            error(&bytes[..bytes.len() - 5]),
            "m.safetensors is damaged: its header describes another amount of data than the 22 bytes that follow: it is cut \
             short or has grown; copy, download or write it again"
        );
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        assert_eq!(
            error(&bytes[..40]),
            format!(
                "m.safetensors is damaged: its header claims {header} bytes, but the whole file has 40; copy, download or write it again"
            )
        );
        let reserved = encode(
            [("a", &Tensor::vector(vec![1u8])), ("a", &Tensor::vector(vec![2u8]))],
            &BTreeMap::new(),
            &mut Vec::new(),
        );
        assert_eq!(reserved.unwrap_err().to_string(), "the tensor name \"a\" is reserved or used twice");
    }
}
