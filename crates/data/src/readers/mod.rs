//! Readers: one file per format, each with the config struct that a recipe writes.
//!
//! ```toml
//! train = { idx = { images = "mnist/train-images-idx3-ubyte.gz", labels = "mnist/train-labels-idx1-ubyte.gz" } }
//! train = { npz = { path = "ai-edu/ch10.train.npz", task = "classes" } }
//! train = { csv = { path = "kc_house/kc_house_data.csv", target = "price", task = "values", drop = ["id", "date"] } }
//! train = { cifar = { path = "cifar10", split = "train" } }
//! train = { text = { path = "reviews.csv", column = "text", target = "label" } }
//! train = { embedded = "digits" }
//! train = { take = { rows = 1000, from = { embedded = "digits" } } }
//! test = { augmented = { by = [ { zoom = { low = 0.5, high = 1.5 } } ], from = { embedded = "digits" } } }
//! ```

pub(crate) mod archive;
pub mod augmented;
pub mod cifar;
pub mod csv;
pub mod embedded;
pub mod embedded_text;
pub mod idx;
mod mnist1d;
pub mod npy;
mod stream;
mod table;
pub mod take;
pub mod text;
mod view;

pub use augmented::Augmented;
pub use cifar::{CifarLabel, CifarSource, CifarSplit};
pub use csv::CsvSource;
pub use embedded::Embedded;
pub use embedded_text::EmbeddedText;
pub use idx::IdxSource;
pub use npy::{NpySource, NpzSource};
pub use stream::Stream;
pub use take::Take;
pub use text::TextSource;

use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use crate::locator::Locator;
use crate::schema::{Schema, TargetSchema};
use gradus_tensor::{Format, Tensor};
use serde::{Deserialize, Serialize};

/// Where data come from: one key per format.
///
/// ```
/// use gradus_data::{Locator, Source};
/// let source: Source = serde_json::from_str(r#"{ "embedded": "iris" }"#).unwrap();
/// let iris = source.read(&Locator::default())?;
/// assert_eq!((iris.len(), iris.feature_shape()), (150, &[4][..]));
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Source {
    /// IDX files: the MNIST family.
    Idx(IdxSource),
    /// Single NumPy arrays.
    Npy(NpySource),
    /// A NumPy archive.
    Npz(NpzSource),
    /// A table as text.
    Csv(CsvSource),
    /// CIFAR-10 or CIFAR-100.
    Cifar(CifarSource),
    /// Texts.
    Text(TextSource),
    /// A small set that is part of the program.
    Embedded(Embedded),
    /// Some rows of another source.
    Take(Box<Take>),
    /// Another source, its pictures changed once and for all.
    Augmented(Box<Augmented>),
}

/// What a target is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Class labels.
    Classes,
    /// Real numbers.
    Values,
}

impl Source {
    /// Reads the data and takes classes, categories and fill-in values from them: for training data.
    pub fn read(&self, locator: &Locator) -> Result<Dataset, DataError> {
        self.read_with(locator, None)
    }

    /// Reads data that must fit what was trained on: the same classes, categories, columns and sample shape.
    pub fn read_like(&self, locator: &Locator, schema: &Schema) -> Result<Dataset, DataError> {
        let data = self.read_with(locator, Some(schema))?;
        check_features(&self.name(), &data, schema)?;
        check_target(&self.name(), &data, schema)?;
        Ok(data)
    }

    /// Reads inputs alone, for a prediction: a target that is there is left out.
    pub fn read_inputs(&self, locator: &Locator, schema: &Schema) -> Result<Dataset, DataError> {
        let data = match self {
            Source::Take(take) => return take.of(take.from.read_inputs(locator, schema)?),
            Source::Augmented(augmented) => return augmented.of(augmented.from.read_inputs(locator, schema)?),
            Source::Idx(source) => source.read_inputs(locator),
            Source::Npy(source) => source.read_inputs(locator),
            Source::Npz(source) => source.read_inputs(locator),
            Source::Csv(source) => source.read_inputs(locator, schema),
            Source::Cifar(source) => source.read_inputs(locator),
            Source::Text(source) => source.read_inputs(locator, schema),
            Source::Embedded(set) => Ok(Dataset { target: Target::None, ..set.read() }),
        }?;
        let data = fit_shape(data, schema)?;
        check_features(&self.name(), &data, schema)?;
        Ok(data)
    }

    /// The source that reads `path` for a prediction: its format is told by its contents, and options that cannot be told from
    /// them (delimiter, missing-value words, array names) are taken from `base`, the source of the training data.
    pub fn for_inputs(path: &str, base: Option<&Source>, locator: &Locator) -> Result<Source, DataError> {
        let base = base.map(Source::origin);
        if let Some(Source::Cifar(base)) = base
            && (path.ends_with(".bin") || locator.find_entry(path).is_ok_and(|place| place.is_dir()))
        {
            return Ok(Source::Cifar(CifarSource { path: path.to_string(), ..base.clone() }));
        }
        if let Some(Source::Text(base)) = base {
            return Ok(Source::Text(TextSource { path: path.to_string(), embedded: None, ..base.clone() }));
        }
        let place = locator.find(path)?;
        let format = if path == "-" {
            Format::Text
        } else {
            let name = place.display().to_string();
            let mut head = Vec::new();
            Stream::open(&place)?.read_head(Format::HEAD, &mut head).map_err(|e| DataError::read(&name, e))?;
            Format::of(&head)
        };
        let path = path.to_string();
        Ok(match (format, base) {
            (Format::Npy, _) => Source::Npy(NpySource { data: path, label: None, task: None }),
            (Format::Zip, Some(Source::Npz(base))) => Source::Npz(NpzSource { path, ..base.clone() }),
            (Format::Zip, _) => Source::Npz(NpzSource::new(path)),
            (Format::Idx, _) => Source::Idx(IdxSource { images: path, labels: None, task: Task::Classes }),
            (Format::Text, Some(Source::Csv(base))) => Source::Csv(CsvSource { path, ..base.clone() }),
            (Format::Text, _) => Source::Csv(CsvSource::new(path)),
            (found, _) => {
                return Err(DataError::Table {
                    file: place.display().to_string(),
                    problem: format!("it looks like {found}"),
                    help: "inputs are read from CSV, NPY, NPZ and IDX files".to_string(),
                });
            }
        })
    }

    /// The file or set, as the recipe writes it.
    pub fn name(&self) -> String {
        match self {
            Source::Idx(source) => source.images.clone(),
            Source::Npy(source) => source.data.clone(),
            Source::Npz(source) => source.path.clone(),
            Source::Csv(source) => source.path.clone(),
            Source::Cifar(source) => source.path.clone(),
            Source::Text(source) => source.name(),
            Source::Embedded(set) => set.name().to_string(),
            Source::Take(_) | Source::Augmented(_) => self.origin().name(),
        }
    }

    /// The source that this one is made from: itself, unless it takes rows of another or changes its pictures.
    pub fn origin(&self) -> &Source {
        match self {
            Source::Take(take) => take.from.origin(),
            Source::Augmented(augmented) => augmented.from.origin(),
            _ => self,
        }
    }

    /// As [`Source::origin`], to be changed in place.
    pub fn origin_mut(&mut self) -> &mut Source {
        match self {
            Source::Take(take) => take.from.origin_mut(),
            Source::Augmented(augmented) => augmented.from.origin_mut(),
            _ => self,
        }
    }

    fn read_with(&self, locator: &Locator, schema: Option<&Schema>) -> Result<Dataset, DataError> {
        match self {
            Source::Idx(source) => source.read(locator, schema),
            Source::Npy(source) => source.read(locator, schema),
            Source::Npz(source) => source.read(locator, schema),
            Source::Csv(source) => source.read(locator, schema),
            Source::Cifar(source) => source.read(locator, schema),
            Source::Text(source) => source.read(locator, schema),
            Source::Take(take) => take.of(take.from.read_with(locator, schema)?),
            Source::Augmented(augmented) => augmented.of(augmented.from.read_with(locator, schema)?),
            Source::Embedded(set) => {
                let data = set.read();
                match (schema.and_then(Schema::classes), data.labels(), data.classes()) {
                    (Some(known), Some(labels), Some(classes)) if known != classes => {
                        let labels: Vec<&String> = labels.iter().map(|&label| &classes[label as usize]).collect();
                        let target = Target::from_labels(&labels, Some(known)).map_err(|e| e.of(set.name()))?;
                        Ok(Dataset { target, ..data })
                    }
                    _ => Ok(data),
                }
            }
        }
    }
}

/// A target from an array of labels: classes of `[N]` or `[N, 1]` whole numbers, or values of `[N]` or `[N, K]` numbers.
pub(crate) fn target_of(labels: Tensor, task: Task, schema: Option<&Schema>, file: &str) -> Result<Target, DataError> {
    if labels.rank() == 0 || labels.rank() > 2 || task == Task::Classes && labels.row_len() != 1 {
        return Err(DataError::Table {
            file: file.to_string(),
            problem: format!("targets of shape {:?} are not one row per sample", labels.shape()),
            help: match task {
                Task::Classes => "class labels have the shape [N] or [N, 1]; for one-hot rows say task = \"values\"",
                Task::Values => "values have the shape [N] or [N, K]",
            }
            .to_string(),
        });
    }
    let target = match task {
        Task::Classes => Target::from_numbers(&labels.to_f64(), schema.and_then(Schema::classes)),
        Task::Values => {
            let names = match schema.map(|schema| &schema.target) {
                Some(TargetSchema::Values(names)) => Some(names.clone()),
                _ => None,
            };
            Target::from_values(labels, names)
        }
    };
    target.map_err(|error| error.of(file))
}

/// Inputs whose samples were flattened, or a single sample without the axis of samples, in the shape of the training data.
fn fit_shape(data: Dataset, schema: &Schema) -> Result<Dataset, DataError> {
    let mut shape = vec![data.len()];
    shape.extend(&schema.features);
    if data.feature_shape() == schema.features {
        return Ok(data);
    }
    if data.feature_len() == schema.feature_len() {
        return Ok(Dataset { inputs: data.inputs.reshape(shape)?, ..data });
    }
    if data.inputs.shape() == schema.features {
        shape[0] = 1;
        return Ok(Dataset { inputs: data.inputs.reshape(shape)?, ..data });
    }
    Ok(data)
}

/// The target is of the kind that was trained on, or left out.
fn check_target(file: &str, data: &Dataset, schema: &Schema) -> Result<(), DataError> {
    let describe = |target: &TargetSchema| match target {
        TargetSchema::None => "no target".to_string(),
        TargetSchema::Classes(classes) => format!("class labels {}", crate::error::list(classes)),
        TargetSchema::Values(names) => format!("{} target values a sample", names.len()),
    };
    let found = data.schema().target;
    let fits = match (&schema.target, &found) {
        (_, TargetSchema::None) => true,
        (TargetSchema::Classes(a), TargetSchema::Classes(b)) => a == b,
        (TargetSchema::Values(a), TargetSchema::Values(b)) => a.len() == b.len(),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    Err(DataError::Mismatch {
        expected: describe(&schema.target),
        received: format!("{} in {file}", describe(&found)),
        help: "read the data with the task and target of the training data".to_string(),
    })
}

fn check_features(file: &str, data: &Dataset, schema: &Schema) -> Result<(), DataError> {
    if data.feature_shape() == schema.features {
        return Ok(());
    }
    let describe = |shape: &[usize]| match shape {
        [n] => format!("{n} features a sample"),
        _ => format!("samples of shape {shape:?}"),
    };
    Err(DataError::Mismatch {
        expected: describe(&schema.features),
        received: format!("{} in {file}", describe(data.feature_shape())),
        help: "give data with the features that the model was trained on, in the same order".to_string(),
    })
}
