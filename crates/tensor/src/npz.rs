//! NumPy's `.npz` files: a zip archive of `.npy` members, stored or deflated. Member checksums are verified.

use crate::error::TensorError;
use crate::npy;
use crate::sniff::Format;
use crate::tensor::Tensor;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;
use zip::result::ZipError;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

/// An open archive.
///
/// ```no_run
/// let mut archive = gradus_tensor::npz::Npz::open("train.npz".as_ref())?;
/// println!("{:?}", archive.keys());
/// let x = archive.read("data")?;
/// # Ok::<(), gradus_tensor::TensorError>(())
/// ```
pub struct Npz<R: Read + Seek = BufReader<File>> {
    name: String,
    archive: ZipArchive<R>,
}

impl Npz {
    /// Opens the archive at `path`. Fails if it is no zip archive or its directory is damaged.
    pub fn open(path: &Path) -> Result<Npz, TensorError> {
        let name = path.display().to_string();
        let found = Format::of_file(path).map_err(|e| TensorError::read(&name, e))?;
        if found != Format::Zip {
            return Err(TensorError::Foreign { file: name, expected: "an NPZ file", found });
        }
        let file = File::open(path).map_err(|e| TensorError::read(&name, e))?;
        Npz::from_reader(BufReader::new(file), &name)
    }
}

impl<R: Read + Seek> Npz<R> {
    /// Opens an archive that lies in `reader`; `name` is for errors.
    pub fn from_reader(reader: R, name: &str) -> Result<Npz<R>, TensorError> {
        let archive = ZipArchive::new(reader).map_err(|e| zip_error(name, e))?;
        Ok(Npz { name: name.to_string(), archive })
    }

    /// The names of the arrays, in the archive's order.
    pub fn keys(&self) -> Vec<String> {
        let names = self.archive.file_names().filter_map(Result::ok);
        names.filter_map(|name| name.strip_suffix(".npy").map(str::to_string)).collect()
    }

    /// Reads one array. Fails with the list of names if there is none called `key`.
    pub fn read(&mut self, key: &str) -> Result<Tensor, TensorError> {
        let keys = self.keys();
        if !keys.iter().any(|name| name == key) {
            return Err(TensorError::MissingKey { file: self.name.clone(), key: key.to_string(), keys });
        }
        let place = format!("{} (array {key:?})", self.name);
        let member = self.archive.by_name(&format!("{key}.npy")).map_err(|e| zip_error(&place, e))?;
        // The sizes that the archive states are no promise: the array grows with what is really there.
        npy::decode(BufReader::new(member), &place, None)
    }

    /// Reads all arrays.
    pub fn read_all(&mut self) -> Result<Vec<(String, Tensor)>, TensorError> {
        self.keys().into_iter().map(|key| self.read(&key).map(|x| (key, x))).collect()
    }
}

/// Writes named arrays to a file, all or nothing; `deflate` compresses them.
pub fn write(path: &Path, arrays: &[(&str, &Tensor)], deflate: bool) -> Result<(), TensorError> {
    let method = if deflate { CompressionMethod::Deflated } else { CompressionMethod::Stored };
    let options = SimpleFileOptions::default().compression_method(method).large_file(true);
    crate::write_atomic(path, |out| {
        let mut archive = ZipWriter::new(out);
        for (key, x) in arrays {
            archive.start_file(format!("{key}.npy"), options).map_err(io::Error::other)?;
            npy::encode(x, &mut archive)?;
        }
        archive.finish().map_err(io::Error::other).map(|_| ())
    })
    .map_err(|source| TensorError::Io { action: "write", file: path.display().to_string(), source })
}

fn zip_error(name: &str, error: ZipError) -> TensorError {
    match error {
        ZipError::Io(error) => npy::stream_error(name, error),
        ZipError::CompressionMethodNotSupported(method) => TensorError::Unsupported {
            file: name.to_string(),
            what: format!("a member packed with zip method {method}"),
            help: "save it with numpy.savez or numpy.savez_compressed".to_string(),
        },
        ZipError::UnsupportedArchive(what) => TensorError::Unsupported {
            file: name.to_string(),
            what: what.to_string(),
            help: "save it with numpy.savez or numpy.savez_compressed".to_string(),
        },
        other => TensorError::damaged(name, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let folder = std::env::temp_dir().join(format!("gradus-npz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let x = Tensor::new([2, 2], vec![1.0f32, 2.0, 3.0, 4.0]).unwrap();
        let y = Tensor::vector(vec![1u8; 1000]);
        for deflate in [false, true] {
            let path = folder.join("x.npz");
            write(&path, &[("data", &x), ("label", &y)], deflate).unwrap();
            let mut archive = Npz::open(&path).unwrap();
            assert_eq!(archive.keys(), ["data", "label"]);
            assert_eq!(
                archive.read_all().unwrap(),
                [("data".to_string(), x.clone()), ("label".to_string(), y.clone())]
            );
            let error = archive.read("labels").unwrap_err().to_string();
            assert!(error.ends_with("x.npz has no array named \"labels\"; it has \"data\", \"label\""), "{error}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
