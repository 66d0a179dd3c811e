//! Checksums of tensor files: the SHA-256 of all tensors and all metadata, stored as metadata.

use gradus_data::digest::hex;
use gradus_tensor::{Tensor, TensorError, safetensors};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

const KEY: &str = "sha256";

/// Writes a file with its checksum, all or nothing.
pub(crate) fn write(
    path: &Path,
    tensors: &BTreeMap<String, Tensor>,
    mut metadata: BTreeMap<String, String>,
) -> Result<(), TensorError> {
    metadata.insert(KEY.into(), checksum(tensors, &metadata));
    safetensors::write(path, tensors.iter().map(|(name, x)| (name.as_str(), x)), &metadata)
}

/// Reads a file and compares its checksum, if it has one.
pub(crate) fn read(path: &Path) -> Result<safetensors::TensorFile, TensorError> {
    let mut file = safetensors::read(path)?;
    if let Some(expected) = file.metadata.remove(KEY)
        && expected != checksum(&file.tensors, &file.metadata)
    {
        return Err(TensorError::Damaged {
            file: path.display().to_string(),
            problem: "its contents do not have the checksum that was written with them".into(),
        });
    }
    Ok(file)
}

fn checksum(tensors: &BTreeMap<String, Tensor>, metadata: &BTreeMap<String, String>) -> String {
    let mut hash = Sha256::new();
    for (name, x) in tensors {
        hash.update(format!("{name:?} {} {:?}\n", x.kind().name(), x.shape()));
        hash.update(x.values().to_le_bytes());
    }
    for (key, text) in metadata.iter().filter(|(key, _)| *key != KEY) {
        hash.update(format!("{key:?} {text:?}\n"));
    }
    hex(&hash.finalize())
}
