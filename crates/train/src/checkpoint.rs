//! Checkpoints: all that a run needs to go on to the identical end, in one safetensors file.
//!
//! The file holds the model's variables under their paths, what the optimiser carries under `slot:PATH`, and the best weights so far
//! under `best:PATH`. Its metadata hold the progress (step, seed, sums, what stops have seen, history), the settings that must agree
//! when it is resumed, the user's texts such as the recipe, and a checksum over everything. It is written to a temporary name, synced
//! and renamed: there is always a whole one.
//!
//! Random numbers and the order of samples depend on (seed, step) and (seed, epoch) alone: step and seed are all there is to keep.

use crate::error::{Result, TrainError};
use crate::history::Record;
use crate::model_file::model_tensors;
use crate::seal;
use crate::stops::Check;
use gradus_graph::State;
use gradus_tensor::{Tensor, TensorError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The metadata key that only checkpoints have; its text is the version of the format.
pub(crate) const FORMAT: &str = "gradus.checkpoint";
pub(crate) const SLOT: &str = "slot:";
pub(crate) const BEST: &str = "best:";
const VERSION: &str = "1";
const PROGRESS: &str = "gradus.progress";
const SETTINGS: &str = "gradus.settings";

/// How often a checkpoint is written. In a recipe: `{ minutes = 1.0 }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    /// After every so many steps.
    Steps(u64),
    /// After every so many epochs; fractions allowed.
    Epochs(f64),
    /// When so many minutes have passed since the last one.
    Minutes(f64),
}

impl Default for Every {
    /// Every minute.
    fn default() -> Every {
        Every::Minutes(1.0)
    }
}

impl Every {
    pub(crate) fn check(self) -> Result<()> {
        let (option, value) = match self {
            Every::Steps(steps) => ("steps", steps as f64),
            Every::Epochs(epochs) => ("epochs", epochs),
            Every::Minutes(minutes) => ("minutes", minutes),
        };
        if value > 0.0 && value.is_finite() {
            return Ok(());
        }
        Err(TrainError::Option { option, received: value.to_string(), expected: "above 0".into() })
    }
}

/// Where and how often a run writes its checkpoint, and texts to keep in it. One is also written at the end and on interruption.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoints {
    /// The file.
    pub path: PathBuf,
    /// How often.
    pub every: Every,
    /// Texts by key, such as the recipe.
    pub metadata: BTreeMap<String, String>,
}

impl Checkpoints {
    /// A checkpoint in this file every minute.
    pub fn new(path: impl Into<PathBuf>) -> Checkpoints {
        Checkpoints { path: path.into(), every: Every::default(), metadata: BTreeMap::new() }
    }

    /// How often.
    pub fn every(mut self, every: Every) -> Checkpoints {
        self.every = every;
        self
    }

    /// Adds a text.
    pub fn with(mut self, key: impl Into<String>, text: impl Into<String>) -> Checkpoints {
        self.metadata.insert(key.into(), text.into());
        self
    }
}

/// The best value of a run so far.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// What was watched.
    pub monitor: String,
    /// Its value.
    #[serde(with = "crate::number")]
    pub value: f64,
    /// At which epoch, with its fraction.
    pub epoch: f64,
    /// After how many steps.
    pub step: u64,
}

/// Sums over the steps of the epoch so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Of batches of the full size.
    pub full: Vec<f64>,
    /// How many those were.
    pub full_steps: u64,
    /// Of the last, smaller batch.
    pub tail: Vec<f64>,
    /// How many samples that had.
    pub tail_rows: u64,
}

/// How far a run is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub step: u64,
    pub seed: u64,
    /// The epoch that the next step belongs to, and its place in it: the shuffle position.
    pub epoch: u64,
    pub position: u64,
    pub tally: Tally,
    /// What stops have seen, by monitor and interval.
    pub checks: BTreeMap<String, Vec<Check>>,
    pub history: Vec<Record>,
    pub best: Option<Best>,
    pub warnings: Vec<String>,
    pub seconds: f64,
}

/// What must agree for a run to be resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub seed: u64,
    pub batch_size: usize,
    pub shuffle: bool,
    pub validate_every: f64,
    pub best: String,
    pub train: String,
    pub valid: Option<String>,
    /// The compiled step as text, hashed: layers, losses, optimiser, regulariser and their settings.
    pub step: String,
    /// How all of the data are trained on again, if they are.
    #[serde(default)]
    pub retraining: Option<String>,
}

/// A checkpoint in memory.
pub(crate) struct Checkpoint {
    file: String,
    tensors: BTreeMap<String, Tensor>,
    pub progress: Progress,
    settings: Settings,
}

/// Writes a checkpoint.
pub(crate) fn write(
    to: &Checkpoints,
    state: &State<f32>,
    best: Option<&State<f32>>,
    progress: &Progress,
    settings: &Settings,
) -> Result<()> {
    let mut tensors = BTreeMap::new();
    for (variable, values) in state.variables() {
        let prefix = if variable.role.in_model() { "" } else { SLOT };
        let tensor = Tensor::new(variable.shape.clone(), values.to_vec())?;
        tensors.insert(format!("{prefix}{}", variable.path), tensor);
    }
    if let Some(best) = best {
        tensors.extend(model_tensors(best)?.into_iter().map(|(path, x)| (format!("{BEST}{path}"), x)));
    }
    let json = |what: serde_json::Result<String>| what.map_err(|e| TrainError::Internal(e.to_string()));
    let mut metadata = to.metadata.clone();
    metadata.insert(FORMAT.into(), VERSION.into());
    metadata.insert(PROGRESS.into(), json(serde_json::to_string(progress))?);
    metadata.insert(SETTINGS.into(), json(serde_json::to_string(settings))?);
    Ok(seal::write(&to.path, &tensors, metadata)?)
}

impl Checkpoint {
    /// Reads and checks a checkpoint.
    pub(crate) fn read(path: &Path) -> Result<Checkpoint> {
        let file = path.display().to_string();
        let found = seal::read(path)?;
        let wrong = |problem: String, help: &str| {
            Err(TrainError::Checkpoint { file: file.clone(), problem, help: help.into() })
        };
        match found.metadata.get(FORMAT).map(String::as_str) {
            Some(VERSION) => {}
            Some(other) => {
                let help = "use the version of Gradus that wrote it";
                return wrong(format!("it is of format {other}, and this version reads format {VERSION}"), help);
            }
            None => {
                let help = "give the checkpoint of the run; a model file can be started from, but not resumed";
                return wrong("it holds tensors, but is no checkpoint of a training run".into(), help);
            }
        }
        fn part<T: serde::de::DeserializeOwned>(
            file: &str,
            metadata: &BTreeMap<String, String>,
            key: &str,
        ) -> std::result::Result<T, TensorError> {
            let text = metadata.get(key).map_or("", String::as_str);
            serde_json::from_str(text)
                .map_err(|e| TensorError::Damaged { file: file.into(), problem: format!("metadata {key:?}: {e}") })
        }
        let progress = part(&file, &found.metadata, PROGRESS)?;
        let settings = part(&file, &found.metadata, SETTINGS)?;
        Ok(Checkpoint { file, tensors: found.tensors, progress, settings })
    }

    /// Whether this run may go on from it; the error names everything that differs.
    pub(crate) fn check(&self, state: &State<f32>, now: &Settings) -> Result<()> {
        let mut differs = self.tensor_differences(state);
        let then = &self.settings;
        let mut compare = |name: &str, then: String, now: String| {
            if then != now {
                differs.push(format!("{name}: {then} in the checkpoint, {now} now"));
            }
        };
        compare("seed", then.seed.to_string(), now.seed.to_string());
        compare("batch_size", then.batch_size.to_string(), now.batch_size.to_string());
        compare("shuffle", then.shuffle.to_string(), now.shuffle.to_string());
        compare("validate_every", then.validate_every.to_string(), now.validate_every.to_string());
        compare("best", then.best.clone(), now.best.clone());
        let short = |hash: &str| hash.chars().take(12).collect::<String>();
        compare("training data (fingerprint)", short(&then.train), short(&now.train));
        let valid = |hash: &Option<String>| hash.as_deref().map_or_else(|| "none".into(), short);
        compare("validation data (fingerprint)", valid(&then.valid), valid(&now.valid));
        let plan = |plan: &Option<String>| plan.clone().unwrap_or_else(|| "none".into());
        if then.retraining != now.retraining {
            differs.push(format!(
                "retraining: {} in the checkpoint, {} now",
                plan(&then.retraining),
                plan(&now.retraining)
            ));
        }
        if differs.is_empty() && then.step != now.step {
            differs.push("layers, losses, optimizer or regularizer have other settings than in the checkpoint".into());
        }
        if differs.is_empty() {
            return Ok(());
        }
        Err(TrainError::Checkpoint {
            file: self.file.clone(),
            problem: format!("it belongs to another run\n  differs:  {}", differs.join("\n            ")),
            help: "resume with the recipe and data of that run, or start a new one".into(),
        })
    }

    /// Takes over the values of the state.
    pub(crate) fn restore(&self, state: &mut State<f32>) {
        self.fill(
            state,
            |variable_in_model, path| {
                if variable_in_model { path.to_string() } else { format!("{SLOT}{path}") }
            },
        );
        state.step = self.progress.step;
        state.seed = self.progress.seed;
    }

    /// The best weights, in a state like this one.
    pub(crate) fn best(&self, like: &State<f32>) -> Option<State<f32>> {
        self.tensors.keys().any(|name| name.starts_with(BEST)).then(|| {
            let mut best = like.clone();
            self.fill(&mut best, |_, path| format!("{BEST}{path}"));
            best
        })
    }

    fn fill(&self, state: &mut State<f32>, name: impl Fn(bool, &str) -> String) {
        let names: Vec<(String, String)> =
            state.variables().map(|(v, _)| (v.path.clone(), name(v.role.in_model(), &v.path))).collect();
        for (path, name) in names {
            if let (Some(values), Some(x)) = (state.variable_mut(&path), self.tensors.get(&name)) {
                values.copy_from_slice(&x.to_f32());
            }
        }
    }

    /// Variables that the file lacks, has in another shape, or has too many.
    fn tensor_differences(&self, state: &State<f32>) -> Vec<String> {
        let mut differs = vec![];
        let mut known = vec![];
        for (variable, _) in state.variables() {
            let in_model = variable.role.in_model();
            let name = if in_model { variable.path.clone() } else { format!("{SLOT}{}", variable.path) };
            let best = format!("{BEST}{}", variable.path);
            let shapes = [Some(&name), Some(&best).filter(|_| in_model)];
            for name in shapes.into_iter().flatten() {
                match self.tensors.get(name) {
                    Some(x) if x.shape() != variable.shape => {
                        let shape = x.shape();
                        differs.push(format!("`{name}`: shape {shape:?} in the checkpoint, {:?} now", variable.shape));
                    }
                    None if !name.starts_with(BEST) => differs.push(format!("`{name}`: not in the checkpoint")),
                    _ => {}
                }
            }
            known.extend([name, best]);
        }
        let extra = self.tensors.keys().filter(|name| !known.contains(name));
        differs.extend(extra.map(|name| format!("`{name}`: in the checkpoint, but not in this model")));
        if differs.len() > 8 {
            let more = differs.len() - 8;
            differs.truncate(8);
            differs.push(format!("and {more} more variables"));
        }
        differs
    }
}
