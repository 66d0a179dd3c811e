//! IDX files, plain or compressed: the format of MNIST and its relatives.
//!
//! Two zero bytes, a byte for the kind of number, a byte for the rank, the sizes as 32-bit numbers, then the values; the most
//! significant byte comes first. Format: LeCun, Cortes and Burges, "The MNIST database".

use super::{Stream, Task, target_of};
use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use crate::locator::Locator;
use crate::schema::Schema;
use gradus_tensor::decode::{ByteOrder, Fault, fill, read_values};
use gradus_tensor::tensor::checked_len;
use gradus_tensor::{Format, Kind, Tensor, TensorError};
use serde::{Deserialize, Serialize};
use std::io::{self, Read};
use std::path::Path;

/// Pictures and labels in two IDX files.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdxSource {
    /// The file of inputs: `[N, …]`.
    pub images: String,
    /// The file of labels: `[N]`. Without it there is no target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<String>,
    /// What the labels are.
    #[serde(default = "classes")]
    pub task: Task,
}

fn classes() -> Task {
    Task::Classes
}

impl IdxSource {
    pub(super) fn read(&self, locator: &Locator, schema: Option<&Schema>) -> Result<Dataset, DataError> {
        let mut data = self.read_inputs(locator)?;
        if let Some(labels) = &self.labels {
            let target = target_of(read(&locator.find(labels)?)?, self.task, schema, labels)?;
            data = Dataset::new(data.inputs, target).map_err(|e| e.of(labels))?;
        }
        Ok(data)
    }

    pub(super) fn read_inputs(&self, locator: &Locator) -> Result<Dataset, DataError> {
        Dataset::new(read(&locator.find(&self.images)?)?, Target::None).map_err(|e| e.of(&self.images))
    }
}

/// Reads the IDX file at `path`, plain or compressed with gzip.
///
/// Fails if it cannot be read, is of another format, or is shorter or longer than its header says.
pub fn read(path: &Path) -> Result<Tensor, DataError> {
    let stream = Stream::open(path)?;
    let held = stream.held;
    Ok(decode(stream, &path.display().to_string(), held)?)
}

/// Reads an array from a stream that holds nothing else. `name` is for errors; `held` is how many bytes the stream holds, if
/// that is known for certain.
pub fn decode(mut reader: impl Read, name: &str, held: Option<u64>) -> Result<Tensor, TensorError> {
    let damaged = |problem: String| TensorError::Damaged { file: name.to_string(), problem };
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => damaged(error.to_string()),
        _ => TensorError::Io { action: "read", file: name.to_string(), source: error },
    };
    let mut magic = [0; 4];
    let count = fill(&mut reader, &mut magic).map_err(failed)?;
    if Format::of(&magic[..count]) != Format::Idx {
        let mut head = magic[..count].to_vec();
        let mut rest = vec![0; Format::HEAD - 4];
        let more = fill(&mut reader, &mut rest).map_err(failed)?;
        head.extend(&rest[..more]);
        let found = Format::of(&head);
        return Err(TensorError::Foreign { file: name.to_string(), expected: "an IDX file", found });
    }
    let kind = match magic[2] {
        0x08 => Kind::U8,
        0x09 => Kind::I8,
        0x0b => Kind::I16,
        0x0c => Kind::I32,
        0x0d => Kind::F32,
        _ => Kind::F64,
    };
    let mut sizes = vec![0; 4 * usize::from(magic[3])];
    if fill(&mut reader, &mut sizes).map_err(failed)? < sizes.len() {
        return Err(damaged(format!("it ends inside the {} sizes of its header", magic[3])));
    }
    let shape: Vec<usize> =
        sizes.chunks_exact(4).map(|size| u32::from_be_bytes([size[0], size[1], size[2], size[3]]) as usize).collect();
    let count = checked_len(&shape).map_err(|_| damaged(format!("its shape {shape:?} overflows")))?;
    let promised = count as u128 * kind.bytes() as u128;
    let what = format!("{kind} values of shape {shape:?}");
    let truncated = |held| TensorError::Truncated { file: name.to_string(), what: what.clone(), promised, held };
    let surplus = |extra| TensorError::Surplus { file: name.to_string(), what: what.clone(), promised, extra };
    if let Some(held) = held {
        let held = held.saturating_sub(4 + sizes.len() as u64);
        if u128::from(held) < promised {
            return Err(truncated(held));
        }
        if u128::from(held) > promised {
            return Err(surplus(held.to_string()));
        }
    }
    let values = match read_values(&mut reader, kind, count, ByteOrder::Big, held.is_some()) {
        Ok(values) => values,
        Err(Fault::Short(held)) => return Err(truncated(held)),
        Err(Fault::NotBool(at, byte)) => return Err(damaged(format!("value {at} is {byte}"))),
        Err(Fault::Io(error)) => return Err(failed(error)),
    };
    if fill(&mut reader, &mut [0]).map_err(failed)? > 0 {
        return Err(surplus("more".to_string()));
    }
    Tensor::new(shape, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> String {
        decode(bytes, "x.idx", Some(bytes.len() as u64)).unwrap_err().to_string()
    }

    #[test]
    fn all_kinds() {
        let file = |kind: u8, body: &[u8]| [&[0, 0, kind, 1, 0, 0, 0, 1][..], body].concat();
        for (kind, body, value) in [
            (0x08, &[200u8][..], 200.0),
            (0x09, &[255], -1.0),
            (0x0b, &[255, 254], -2.0),
            (0x0c, &[0, 0, 1, 0], 256.0),
            (0x0d, &[0x3f, 0x80, 0, 0], 1.0),
            (0x0e, &[0xc0, 0, 0, 0, 0, 0, 0, 0], -2.0),
        ] {
            let bytes = file(kind, body);
            assert_eq!(decode(&bytes[..], "x", None).unwrap().to_f64(), [value]);
            assert_eq!(decode(&bytes[..], "x", Some(bytes.len() as u64)).unwrap().to_f64(), [value]);
        }
    }

    #[test]
    fn messages() {
        assert_eq!(error(b""), "x.idx is not an IDX file: it looks like an empty file");
        assert_eq!(error(b"a,b\n1,2\n"), "x.idx is not an IDX file: it looks like text, perhaps CSV");
        assert_eq!(
            error(&[0, 0, 8, 3, 0, 0]),
            "x.idx is damaged: it ends inside the 3 sizes of its header; copy, download or write it again"
        );
        assert_eq!(
            error(&[0, 0, 8, 2, 0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff, 1, 2, 3]),
            "x.idx is cut short: its header promises u8 values of shape [65535, 65535], 4294836225 bytes, but only 3 follow; \
             copy or download it again"
        );
        assert_eq!(
            error(&[0, 0, 14, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255]),
            "x.idx is damaged: its shape [4294967295, 4294967295, 4294967295] overflows; copy, download or write it again"
        );
        assert_eq!(
            error(&[0, 0, 8, 1, 0, 0, 0, 1, 5, 6]),
            "x.idx goes on after its end: its header promises u8 values of shape [1], 1 bytes, but 2 follow; the file is damaged \
             or several files were joined"
        );
    }
}
