//! Recipes: a network, its data and its training in one short TOML text.
//!
//! | read | for |
//! |---|---|
//! | [`Recipe`] | what a recipe holds |
//! | [`part`] | data for validation and test |
//! | [`document`] | the text with `--set` options, where everything knows its place |
//! | [`variants`] | several recipes in one file |
//! | `check` | settings out of range |
//! | [`render`](fn@render) | a recipe as text, every default filled in |
//! | [`error`], [`nearest`] | messages |

mod check;
pub mod document;
pub mod error;
pub mod nearest;
pub mod part;
mod render;
pub mod variants;

pub use document::Document;
pub use error::RecipeError;
pub use part::Part;
pub use render::render;
pub use variants::Variant;

use gradus_data::{Augment, Pipeline, Source};
use gradus_nn::regularizers::Tying;
use gradus_nn::schedules::Per;
use gradus_nn::updates::{Decay, Group};
use gradus_nn::{AnyClip, AnyLayer, AnyLoss, AnyOptimizer, AnyRegularizer, AnySchedule};
use gradus_train::verdict::VerdictOptions;
use gradus_train::{AnyStop, Every, Retrain};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A network, its data and its training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipe {
    /// Its name: that of the file where none is given.
    #[serde(default)]
    pub name: String,
    /// One sentence on the task.
    #[serde(default)]
    pub description: String,
    /// The seed of everything random: splits, first weights, order of the samples, dropout.
    #[serde(default)]
    pub seed: u64,
    /// What to learn from.
    pub data: DataSection,
    /// The network.
    pub model: ModelSection,
    /// How to train it.
    pub train: TrainSection,
    /// When a run counts as under-fit, over-fit, over-confident.
    #[serde(default)]
    pub verdict: VerdictOptions,
}

/// What to learn from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataSection {
    /// The training data.
    pub train: Source,
    /// Data to watch the training with: to stop by, and to choose the best weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<Part>,
    /// Data to judge the result with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test: Option<Part>,
    /// Transforms in their order, fitted to the training data.
    #[serde(default)]
    pub transforms: Pipeline,
    /// What is done to each training picture, anew in each epoch, after the transforms.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "gradus_data::augment::list")]
    pub augment: Vec<Augment>,
}

/// The network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSection {
    /// A network from an ONNX file, which the layers go on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub onnx: Option<String>,
    /// The input of that network that the data feed, where it has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// The value of that network that the layers go on from, by its name in the file; its first output where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// What its further inputs are bound to: `{ mask = 1 }`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub bind: BTreeMap<String, toml::Value>,
    /// Which of its weights keep their values, by patterns of their names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub freeze: Vec<String>,
    /// Its layers in order.
    #[serde(default)]
    pub layers: Vec<AnyLayer>,
    /// Where its first weights come from, if not from chance.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<Init>,
}

/// First weights from a file: `{ from = "runs/digits-1/initial.safetensors" }`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Init {
    /// A safetensors file of weights by their paths, such as a run's `initial.safetensors` or `best.safetensors`.
    pub from: String,
    /// Whether weights that the file does not have, or has in another shape, start at random; otherwise they are an error.
    #[serde(default)]
    pub partial: bool,
    /// Whose names and axes the file's weights have.
    #[serde(default, skip_serializing_if = "is_ours")]
    pub layout: WeightLayout,
    /// What layers are called there, by their paths here: `{ dense_1 = "classifier.1" }`. Others have their paths for names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
}

/// How weights are named and laid out in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum WeightLayout {
    /// As here: `dense/weight: [D, units]`.
    #[default]
    Gradus,
    /// As in a PyTorch `state_dict`: `dense.weight: [units, D]`.
    Torch,
}

fn is_ours(layout: &WeightLayout) -> bool {
    *layout == WeightLayout::Gradus
}

/// How to train.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainSection {
    /// At most this many passes over the training data.
    pub epochs: u64,
    /// Samples in a step.
    #[serde(default = "batch_size")]
    pub batch_size: usize,
    /// What is minimised.
    pub loss: AnyLoss,
    /// How parameters follow their gradients.
    pub optimizer: AnyOptimizer,
    /// A penalty on the parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regularizer: Option<AnyRegularizer>,
    /// Penalties on the difference of two parameters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tying: Vec<Tying>,
    /// Which parameters penalties and weight decay touch.
    #[serde(default)]
    pub decay: Decay,
    /// Parameters, by a pattern of their paths, that are treated otherwise than the rest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    /// What is done to gradients that are too large.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip: Option<AnyClip>,
    /// The largest norm of each unit's weights.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_norm: Option<f64>,
    /// How the learning rate moves.
    #[serde(default)]
    pub schedule: AnySchedule,
    /// What the schedule's time and lengths count: `fraction` (epochs with their fractions), `epoch` or `step`.
    #[serde(default)]
    pub schedule_per: Per,
    /// When to stop before the last epoch.
    #[serde(default)]
    pub stop: Vec<AnyStop>,
    /// Whether to train on the validation data, too, after that: `none`, `from_scratch` or `continue`.
    #[serde(default)]
    pub retrain: Retrain,
    /// How often the training is looked at (validation data, history, best weights), in epochs; fractions allowed.
    #[serde(default = "one")]
    pub validate_every: f64,
    /// Whether samples come in a new random order in each epoch.
    #[serde(default = "yes")]
    pub shuffle: bool,
    /// Which weights are the result.
    #[serde(default)]
    pub keep: Keep,
    /// How often the run is saved, to be resumed from there: `{ epochs = 1 }`, `{ steps = 500 }` or `{ minutes = 5 }`. It is always
    /// saved at its end.
    #[serde(default)]
    pub checkpoint: Every,
}

/// Which weights are the result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Keep {
    /// Those with the lowest validation loss (training loss without validation data).
    #[default]
    Best,
    /// Those after the last step.
    Last,
}

fn yes() -> bool {
    true
}

fn one() -> f64 {
    1.0
}

fn batch_size() -> usize {
    32
}

impl Recipe {
    /// Reads and checks the recipe at `path`, with `--set` options merged in.
    ///
    /// # Errors
    /// Anything that is wrong with it, with the place.
    pub fn load(path: &Path, sets: &[String]) -> Result<(Recipe, Document), RecipeError> {
        Recipe::load_variant(path, None, sets)
    }

    /// As [`Recipe::load`], with one of the file's variants merged in before the options. The recipe is then called `NAME-VARIANT`.
    ///
    /// # Errors
    /// Anything that is wrong with it, with the place; a variant that it does not have.
    pub fn load_variant(
        path: &Path,
        variant: Option<&str>,
        sets: &[String],
    ) -> Result<(Recipe, Document), RecipeError> {
        let mut document = Document::load(path, sets)?;
        if let Some(name) = variant {
            document = document.with_variant(name)?;
        }
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let mut recipe = Recipe::of(&document, &stem)?;
        if let Some(variant) = variant {
            recipe.name = format!("{}-{variant}", recipe.name);
        }
        Ok((recipe, document))
    }

    /// The recipe of a document. `name` is what it is called if it does not say so itself.
    ///
    /// # Errors
    /// Anything that is wrong with it, with the place.
    pub fn of(document: &Document, name: &str) -> Result<Recipe, RecipeError> {
        let mut recipe: Recipe = document.parse()?;
        if recipe.name.is_empty() {
            recipe.name = name.to_string();
        }
        check::check(&recipe, document)?;
        Ok(recipe)
    }
}

#[cfg(test)]
mod tests;
