//! NumPy's files: single arrays (`.npy`) or an archive of them (`.npz`).

use super::{Stream, Task, target_of};
use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use crate::locator::Locator;
use crate::schema::Schema;
use gradus_tensor::npz::Npz;
use gradus_tensor::{Tensor, npy};
use serde::{Deserialize, Serialize};
use std::io::BufReader;
use std::path::Path;

/// Inputs and targets in two `.npy` files.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NpySource {
    /// The file of inputs: `[N, features…]`, or `[N]` for one feature.
    pub data: String,
    /// The file of targets: `[N]` or `[N, K]`. Without it there is no target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// What the targets are; needed where there is a `label`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
}

/// Inputs and targets in one `.npz` file.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NpzSource {
    /// The archive.
    pub path: String,
    /// The name of the array of inputs: `[N, features…]`, or `[N]` for one feature.
    #[serde(default = "data_key")]
    pub data: String,
    /// The name of the array of targets: `[N]` or `[N, K]`.
    #[serde(default = "label_key")]
    pub label: String,
    /// What the targets are; needed where the archive has an array of that name, else there is no target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Task>,
}

fn data_key() -> String {
    "data".to_string()
}

fn label_key() -> String {
    "label".to_string()
}

impl NpySource {
    pub(super) fn read(&self, locator: &Locator, schema: Option<&Schema>) -> Result<Dataset, DataError> {
        let data = self.read_inputs(locator)?;
        let Some(label) = &self.label else { return Ok(data) };
        let task = self.task.ok_or_else(|| no_task(label))?;
        let target = target_of(read(&locator.find(label)?)?, task, schema, label)?;
        Dataset::new(data.inputs, target).map_err(|e| e.of(label))
    }

    pub(super) fn read_inputs(&self, locator: &Locator) -> Result<Dataset, DataError> {
        Dataset::new(read(&locator.find(&self.data)?)?, Target::None).map_err(|e| e.of(&self.data))
    }
}

impl NpzSource {
    /// The arrays `data` and, once `task` is set, `label` of the archive at `path`.
    pub fn new(path: impl Into<String>) -> NpzSource {
        NpzSource { path: path.into(), data: data_key(), label: label_key(), task: None }
    }

    pub(super) fn read(&self, locator: &Locator, schema: Option<&Schema>) -> Result<Dataset, DataError> {
        let mut archive = Npz::open(&locator.find(&self.path)?)?;
        let inputs = archive.read(&self.data)?;
        let target = match self.task {
            Some(task) => target_of(archive.read(&self.label)?, task, schema, &self.path)?,
            None if archive.keys().contains(&self.label) => return Err(no_task(&self.path)),
            None => Target::None,
        };
        Dataset::new(inputs, target).map_err(|e| e.of(&self.path))
    }

    pub(super) fn read_inputs(&self, locator: &Locator) -> Result<Dataset, DataError> {
        let mut archive = Npz::open(&locator.find(&self.path)?)?;
        Dataset::new(archive.read(&self.data)?, Target::None).map_err(|e| e.of(&self.path))
    }
}

fn no_task(file: &str) -> DataError {
    DataError::Table {
        file: file.to_string(),
        problem: "its numbers can be class labels or real values".to_string(),
        help: "say task = \"classes\" or task = \"values\"".to_string(),
    }
}

/// Reads the `.npy` file at `path`, plain or compressed with gzip.
pub fn read(path: &Path) -> Result<Tensor, DataError> {
    let stream = Stream::open(path)?;
    let held = stream.held;
    Ok(npy::decode(BufReader::new(stream), &path.display().to_string(), held)?)
}
