//! Reports on files: what `gradus data check FILE` prints of any data or model file that we can read.

use crate::error::DataError;
use crate::readers::{Stream, cifar, csv, idx, npy};
use gradus_tensor::npz::Npz;
use gradus_tensor::{Format, Tensor, safetensors};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Whole numbers of up to this many different values are counted as classes.
pub(crate) const MOST_CLASSES: usize = 100;

/// What a file holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct FileReport {
    /// The file.
    pub file: String,
    /// Its format: `idx`, `npy`, `npz`, `csv`, `cifar`, `safetensors`; with ` (gzip)` or ` (xz)` if it is compressed.
    pub format: String,
    /// Its size in bytes; none for standard input.
    pub bytes: Option<u64>,
    /// Its arrays, or the columns of a table.
    pub arrays: Vec<ArrayReport>,
    /// Its text metadata by key: a model's recipe, transforms and classes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
}

/// What an array or a column holds.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct ArrayReport {
    /// Its name; empty for the only array of a file.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// The kind of value: `f32`, `u8`, …; `number` or `text` for the columns of a table.
    pub kind: String,
    /// The smallest value, if there is a number.
    pub min: Option<f64>,
    /// The largest value, if there is a number.
    pub max: Option<f64>,
    /// How many values are NaN.
    pub nan: usize,
    /// How many values are infinite.
    pub infinite: usize,
    /// How many cells of a table are missing.
    pub missing: usize,
    /// How often each value occurs, if there are few different ones and they are text or whole numbers of a vector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Vec<(String, usize)>>,
}

/// Reads the whole file at `path` (`-` is standard input) and reports what it holds.
///
/// Fails as its reader does: if the file cannot be read, is damaged, cut short, of an unknown format, or not numbers.
pub fn check_file(path: &Path) -> Result<FileReport, DataError> {
    let file = path.display().to_string();
    let stdin = path == Path::new("-");
    if path.is_dir() || path.extension().is_some_and(|end| end == "bin") && path.is_file() {
        let about = std::fs::metadata(path).ok().filter(|about| about.is_file());
        let bytes = about.map(|about| about.len());
        let format = "cifar".to_string();
        return Ok(FileReport { file, format, bytes, arrays: cifar::report(path)?, metadata: BTreeMap::new() });
    }
    let outer = if stdin { Format::Text } else { Format::of_file(path).map_err(|e| DataError::read(&file, e))? };
    let inner = if matches!(outer, Format::Gzip | Format::Compressed(_)) {
        let mut head = Vec::new();
        Stream::open(path)?.read_head(Format::HEAD, &mut head).map_err(|e| damaged_gzip(&file, &e))?;
        Format::of(&head)
    } else {
        outer
    };
    let mut metadata = BTreeMap::new();
    let (format, arrays) = match inner {
        Format::Idx => ("idx", vec![ArrayReport::of("", &idx::read(path)?)]),
        Format::Npy => ("npy", vec![ArrayReport::of("", &npy::read(path)?)]),
        Format::Zip if outer == Format::Zip => {
            let arrays = Npz::open(path)?.read_all()?;
            if arrays.is_empty() {
                return Err(DataError::Table {
                    file,
                    problem: "it is a zip archive without NPY arrays".to_string(),
                    help: "an NPZ file is written by numpy.savez; a PyTorch checkpoint can be saved as safetensors"
                        .to_string(),
                });
            }
            ("npz", arrays.iter().map(|(name, x)| ArrayReport::of(name, x)).collect())
        }
        Format::Safetensors if outer == Format::Safetensors => {
            let contents = safetensors::read(path)?;
            metadata = contents.metadata;
            ("safetensors", contents.tensors.iter().map(|(name, x)| ArrayReport::of(name, x)).collect())
        }
        Format::Tar => ("cifar", cifar::report(path)?),
        Format::Text | Format::Json | Format::Utf16 | Format::Binary => ("csv", csv::report(path)?),
        found => {
            return Err(DataError::Table {
                file,
                problem: format!("it looks like {found}"),
                help: "IDX, NPY, NPZ, CSV, CIFAR and safetensors files can be checked".to_string(),
            });
        }
    };
    let format = match outer {
        Format::Gzip => format!("{format} (gzip)"),
        Format::Compressed(kind) => format!("{format} ({kind})"),
        _ => format.to_string(),
    };
    let bytes = if stdin { None } else { std::fs::metadata(path).ok().map(|about| about.len()) };
    Ok(FileReport { file, format, bytes, arrays, metadata })
}

fn damaged_gzip(file: &str, error: &std::io::Error) -> DataError {
    DataError::Tensor(gradus_tensor::TensorError::Damaged { file: file.to_string(), problem: error.to_string() })
}

impl ArrayReport {
    /// The report of a tensor.
    pub fn of(name: &str, x: &Tensor) -> ArrayReport {
        let summary = x.values().summary();
        let some = |value: f64| (!value.is_nan()).then_some(value);
        let vector = x.rank() == 1 || x.rank() == 2 && x.row_len() == 1;
        ArrayReport {
            name: name.to_string(),
            shape: x.shape().to_vec(),
            kind: x.kind().name().to_string(),
            min: some(summary.min),
            max: some(summary.max),
            nan: summary.nan,
            infinite: summary.infinite,
            missing: 0,
            classes: if vector && x.values().is_whole() { count_whole(x.to_f64().into_iter()) } else { None },
        }
    }
}

/// How often each whole number occurs, in ascending order, unless there are too many different ones.
pub(crate) fn count_whole(values: impl Iterator<Item = f64>) -> Option<Vec<(String, usize)>> {
    let mut counts: Vec<(f64, usize)> = Vec::new();
    for x in values {
        match counts.binary_search_by(|(known, _)| known.total_cmp(&x)) {
            Ok(at) => counts[at].1 += 1,
            Err(_) if counts.len() == MOST_CLASSES => return None,
            Err(at) => counts.insert(at, (x, 1)),
        }
    }
    Some(counts.into_iter().map(|(x, n)| (crate::dataset::number_name(x), n)).collect())
}

impl fmt::Display for FileReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.format)?;
        if let Some(bytes) = self.bytes {
            write!(f, ", {bytes} bytes")?;
        }
        for array in &self.arrays {
            write!(f, "\n  {array}")?;
        }
        for (key, text) in &self.metadata {
            let line: String = text.chars().take(60).map(|c| if c.is_control() { ' ' } else { c }).collect();
            let dots = if text.chars().count() > 60 { " …" } else { "" };
            write!(f, "\n  {key} = {line}{dots}")?;
        }
        Ok(())
    }
}

impl fmt::Display for ArrayReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.name.is_empty() {
            write!(f, "{}: ", self.name)?;
        }
        write!(f, "{} {:?}", self.kind, self.shape)?;
        if let (Some(min), Some(max)) = (self.min, self.max) {
            write!(f, ", {min} to {max}")?;
        }
        for (count, what) in [(self.nan, "NaN"), (self.infinite, "infinite"), (self.missing, "missing")] {
            if count > 0 {
                write!(f, ", {count} {what}")?;
            }
        }
        if let Some(classes) = &self.classes {
            let noun = if classes.len() == 1 { "class" } else { "classes" };
            write!(f, ", {} {noun}", classes.len())?;
            let shown: Vec<String> = classes.iter().take(12).map(|(name, n)| format!("{name}: {n}")).collect();
            let dots = if classes.len() > 12 { ", …" } else { "" };
            write!(f, " ({}{dots})", shown.join(", "))?;
        }
        Ok(())
    }
}
