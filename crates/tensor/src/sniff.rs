//! What a file looks like from its first bytes. Used to choose a reader, and to say in an error what was found instead.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A file format, as far as its first bytes tell.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Format {
    /// Nothing in it.
    Empty,
    /// Compressed with gzip.
    Gzip,
    /// A zip archive: NPZ, or a PyTorch checkpoint.
    Zip,
    /// NumPy's single array.
    Npy,
    /// The MNIST family's format.
    Idx,
    /// Named tensors.
    Safetensors,
    /// A protobuf that starts as ONNX models do.
    Onnx,
    /// HDF5: Keras' older models, MATLAB 7.3.
    Hdf5,
    /// Parquet columns.
    Parquet,
    /// A picture.
    Png,
    /// A picture.
    Jpeg,
    /// Python's pickle.
    Pickle,
    /// A compressed file of another kind (bzip2, xz, zstd).
    Compressed(&'static str),
    /// A tar archive.
    Tar,
    /// A web page or XML.
    Html,
    /// A pointer to a file that Git LFS keeps elsewhere.
    LfsPointer,
    /// JSON.
    Json,
    /// Text: perhaps CSV.
    Text,
    /// UTF-16 text, as some spreadsheets export.
    Utf16,
    /// None of these.
    Binary,
}

impl Format {
    /// How many first bytes [`Format::of`] looks at, at most.
    pub const HEAD: usize = 512;

    /// The format of a file that starts with `head`; a full look needs [`Format::HEAD`] bytes, or all there are.
    ///
    /// ```
    /// use gradus_tensor::Format;
    /// assert_eq!(Format::of(b"\x93NUMPY\x01\x00"), Format::Npy);
    /// assert_eq!(Format::of(b"a,b\n1,2\n").to_string(), "text, perhaps CSV");
    /// assert_eq!(Format::of(b""), Format::Empty);
    /// ```
    pub fn of(head: &[u8]) -> Format {
        let head = &head[..head.len().min(Format::HEAD)];
        let starts = |magic: &[u8]| head.starts_with(magic);
        if head.is_empty() {
            Format::Empty
        } else if starts(b"\x1f\x8b") {
            Format::Gzip
        } else if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") {
            Format::Zip
        } else if starts(b"\x93NUMPY") {
            Format::Npy
        } else if starts(b"\x89HDF\r\n\x1a\n") {
            Format::Hdf5
        } else if starts(b"\x89PNG\r\n\x1a\n") {
            Format::Png
        } else if starts(b"\xff\xd8\xff") {
            Format::Jpeg
        } else if starts(b"PAR1") {
            Format::Parquet
        } else if starts(b"BZh") {
            Format::Compressed("bzip2")
        } else if starts(b"\xfd7zXZ\0") {
            Format::Compressed("xz")
        } else if starts(b"\x28\xb5\x2f\xfd") {
            Format::Compressed("zstd")
        } else if head.get(257..262) == Some(b"ustar") {
            Format::Tar
        } else if head.len() >= 4
            && head[..2] == [0, 0]
            && matches!(head[2], 8 | 9 | 11..=14)
            && (1..=8).contains(&head[3])
        {
            Format::Idx
        } else if is_safetensors(head) {
            Format::Safetensors
        } else if head.len() >= 2 && head[0] == 0x80 && (2..=5).contains(&head[1]) {
            Format::Pickle
        } else if is_onnx(head) {
            Format::Onnx
        } else if starts(b"\xff\xfe") || starts(b"\xfe\xff") {
            Format::Utf16
        } else if is_text(head) {
            let text = head.trim_ascii_start();
            if text.starts_with(b"version https://git-lfs") {
                Format::LfsPointer
            } else if matches!(text, [b'<', b'!' | b'?' | b'a'..=b'z' | b'A'..=b'Z', ..]) {
                Format::Html
            } else if text.starts_with(b"{") || text.starts_with(b"[") {
                Format::Json
            } else {
                Format::Text
            }
        } else {
            Format::Binary
        }
    }

    /// The format of the file at `path`.
    pub fn of_file(path: &Path) -> io::Result<Format> {
        let mut head = Vec::new();
        File::open(path)?.take(Format::HEAD as u64).read_to_end(&mut head)?;
        Ok(Format::of(&head))
    }
}

/// Eight bytes of header length, then a JSON object.
fn is_safetensors(head: &[u8]) -> bool {
    match head.first_chunk::<8>() {
        Some(length) => {
            let length = u64::from_le_bytes(*length);
            (2..=100_000_000).contains(&length) && matches!(head.get(8..10), Some([b'{', b'"' | b'}' | b' ' | b'\n']))
        }
        None => false,
    }
}

/// Field 1 (`ir_version`), then one of the fields that writers put next: producer, version, domain, graph or opset.
fn is_onnx(head: &[u8]) -> bool {
    matches!(head, [0x08, 1..=32, 0x12 | 0x1a | 0x22 | 0x3a | 0x42, ..])
}

/// Valid UTF-8, but for a character cut by the end, and no control characters but white space.
fn is_text(head: &[u8]) -> bool {
    let valid = match std::str::from_utf8(head) {
        Ok(_) => true,
        Err(error) => error.error_len().is_none() && error.valid_up_to() > 0,
    };
    valid && head.iter().all(|&byte| byte >= 32 || matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c))
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Format::Empty => "an empty file",
            Format::Gzip => "a gzip file",
            Format::Zip => "a zip archive (as NPZ files are)",
            Format::Npy => "an NPY file",
            Format::Idx => "an IDX file",
            Format::Safetensors => "a safetensors file",
            Format::Onnx => "an ONNX model",
            Format::Hdf5 => "an HDF5 file",
            Format::Parquet => "a Parquet file",
            Format::Png => "a PNG picture",
            Format::Jpeg => "a JPEG picture",
            Format::Pickle => "a Python pickle",
            Format::Compressed(kind) => return write!(f, "a file compressed with {kind}"),
            Format::Tar => "a tar archive",
            Format::Html => "a web page (HTML or XML)",
            Format::LfsPointer => "a Git LFS pointer, not the file itself",
            Format::Json => "JSON text",
            Format::Text => "text, perhaps CSV",
            Format::Utf16 => "UTF-16 text",
            Format::Binary => "binary data of an unknown format",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magics() {
        let table: [(&[u8], Format); 13] = [
            (b"\x1f\x8b\x08\0", Format::Gzip),
            (b"PK\x03\x04....", Format::Zip),
            (b"\0\0\x08\x03\0\0", Format::Idx),
            (b"\x40\0\0\0\0\0\0\0{\"a\":", Format::Safetensors),
            (b"\x08\x0a\x12\x07pytorch", Format::Onnx),
            (b"\x89HDF\r\n\x1a\n\0", Format::Hdf5),
            (b"<!DOCTYPE html>", Format::Html),
            (b"<=50K, 39\n", Format::Text),
            (b"version https://git-lfs.github.com/spec/v1\n", Format::LfsPointer),
            (b"\x80\x04\x95", Format::Pickle),
            (b"  {\"a\": 1}", Format::Json),
            ("größe,preis\n".as_bytes(), Format::Text),
            (b"\x01\x02\x03", Format::Binary),
        ];
        for (head, format) in table {
            assert_eq!(Format::of(head), format, "{head:?}");
        }
    }

    #[test]
    fn text_may_be_cut_inside_a_character() {
        assert_eq!(Format::of(&"aé".as_bytes()[..2]), Format::Text);
    }
}
