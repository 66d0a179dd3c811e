//! What training, evaluating and checking have in common: a trainer for a recipe, model files, judgements.

use crate::failure::{Failure, Result};
use crate::materials::Materials;
use crate::network::{self, Network, OUTPUT};
use crate::onnx::{self, Graft, Source};
use crate::recipe::{Document, Keep, Recipe};
use crate::report::data::{Score, SplitScores, Target as TargetValues};
use crate::weights;
use gradus_data::{Dataset, FittedPipeline, Locator, Schema, Target};
use gradus_graph::{Model, State};
use gradus_metrics::{ConfusionMatrix, Metric, Regression};
use gradus_nn::losses::{Loss, Task};
use gradus_train::{ModelFile, Record, Scores, Trainer};
use std::path::Path;

/// A trainer as the recipe says, but for stops that watch, files and callbacks.
pub fn trainer<'a>(recipe: &Recipe, model: &Model, train: &Dataset) -> Trainer<'a> {
    let settings = &recipe.train;
    let mut trainer = Trainer::new(model)
        .loss(OUTPUT, settings.loss.clone())
        .optimizer(settings.optimizer.clone())
        .decay(settings.decay)
        .schedule(settings.schedule.clone())
        .schedule_per(settings.schedule_per)
        .batch_size(settings.batch_size)
        .shuffle(settings.shuffle)
        .validate_every(settings.validate_every)
        .seed(recipe.seed)
        .keep(match settings.keep {
            Keep::Best => gradus_train::Keep::Best,
            Keep::Last => gradus_train::Keep::Last,
        });
    if let Some(regularizer) = &settings.regularizer {
        trainer = trainer.regularizer(regularizer.clone());
    }
    if let Some(clip) = &settings.clip {
        trainer = trainer.clip(clip.clone());
    }
    if let Some(limit) = settings.max_norm {
        trainer = trainer.max_norm(limit);
    }
    trainer = settings.groups.iter().cloned().fold(trainer, Trainer::group);
    trainer = settings.tying.iter().cloned().fold(trainer, Trainer::tying);
    for stop in &settings.stop {
        trainer = trainer.stop(stop.clone());
    }
    for metric in metrics(recipe, model, train) {
        trainer = trainer.metric(OUTPUT, metric);
    }
    trainer
}

/// The first weights that a recipe takes from a file, in a state with the seed's own values for all else.
///
/// # Errors
/// A file that is missing, damaged, or lacks weights.
pub fn initial(recipe: &Recipe, model: &Model, locator: &Locator) -> Result<Option<State<f32>>> {
    let Some(init) = &recipe.model.init else { return Ok(None) };
    if locator.roots().iter().any(|root| root.join(&init.from).is_dir()) {
        let problem = format!("`model.init.from` is {}, a folder, but must be a file of weights", init.from);
        let help = "of a run folder, give initial.safetensors (its first weights) or best.safetensors";
        return Err(Failure::files(problem, help));
    }
    let mut state = State::new(model, recipe.seed);
    let mut file = ModelFile::read(&locator.find(&init.from)?)?;
    if let Some(layout) = weights::foreign(model, init.layout, &init.names)? {
        weights::adopt(&mut file, &layout, init.partial)?;
    }
    file.restore_matching(&mut state, init.partial)?;
    Ok(Some(state))
}

/// The first weights of a run that is gone on with, where they came from an ONNX file, which is not needed any more.
///
/// # Errors
/// A file that cannot be read or does not fit.
pub fn first_weights(folder: &Path, recipe: &Recipe, model: &Model) -> Result<Option<State<f32>>> {
    let file = folder.join("initial.safetensors");
    if recipe.model.onnx.is_none() || !file.is_file() {
        return Ok(None);
    }
    let mut state = State::new(model, recipe.seed);
    ModelFile::read(&file)?.restore(&mut state)?;
    Ok(Some(state))
}

/// What a recipe is judged by, beside its loss.
pub fn metrics(recipe: &Recipe, model: &Model, train: &Dataset) -> Vec<Metric> {
    let task = model.output_shape(OUTPUT).map(|y| recipe.train.loss.task(y));
    match (task, train.target()) {
        (Some(Task::Classes), _) => vec![Metric::Accuracy],
        (Some(Task::Binary | Task::Sign), Target::Values { values, .. }) if values.row_len() > 1 => vec![],
        (Some(Task::Binary | Task::Sign), _) => vec![Metric::Accuracy],
        _ => vec![Metric::Mse, Metric::Mae, Metric::R2],
    }
}

/// The texts that make a file of weights usable by itself.
pub fn texts(
    recipe: &Recipe,
    schema: &Schema,
    transforms: &FittedPipeline,
    graft: Option<&Graft>,
) -> Result<Vec<(&'static str, String)>> {
    let json = |text: serde_json::Result<String>| text.map_err(|e| Failure::usage(e.to_string(), "report this"));
    let mut texts = vec![
        ("gradus", env!("CARGO_PKG_VERSION").to_string()),
        ("recipe", crate::recipe::render(recipe)),
        ("schema", json(serde_json::to_string(schema))?),
        ("transforms", json(serde_json::to_string(transforms))?),
    ];
    if let Some(classes) = schema.classes() {
        texts.push(("classes", json(serde_json::to_string(classes))?));
    }
    texts.extend(graft.map(|graft| (onnx::KEY, graft.structure.clone())));
    Ok(texts)
}

/// A model file with everything that it says.
pub struct Loaded {
    /// The recipe that it was trained by.
    pub recipe: Recipe,
    /// How data are read for it.
    pub schema: Schema,
    /// How data are transformed for it.
    pub transforms: FittedPipeline,
    /// The network.
    pub model: Model,
    /// Its weights.
    pub state: State<f32>,
    /// The network that its layers go on from, where that comes from an ONNX file.
    pub source: Option<Source>,
    /// What became of that.
    pub graft: Option<Graft>,
}

/// The structure of the ONNX file that a model file's network comes from, if it does.
///
/// # Errors
/// A structure that is damaged.
pub fn source_in(file: &ModelFile) -> Result<Option<Source>> {
    file.metadata.get(onnx::KEY).map(|text| Source::of_text(text, &file.name)).transpose()
}

/// The structure of the ONNX file that a run's network comes from, from its checkpoint: the file itself is not needed any more.
///
/// # Errors
/// Files of the run that cannot be read.
pub fn resumed_source(folder: &Path) -> Result<Option<Source>> {
    source_in(&ModelFile::read(&folder.join("last.safetensors"))?)
}

impl Loaded {
    /// Reads a model file, a checkpoint, or the best weights of a run folder.
    ///
    /// # Errors
    /// A file that is missing, damaged, or no model of this program.
    pub fn read(path: &Path) -> Result<Loaded> {
        let path = if path.is_dir() { path.join("best.safetensors") } else { path.to_path_buf() };
        let name = path.display().to_string();
        if !path.exists() {
            let help = "give the folder of a finished run, such as runs/digits-1, or a model file";
            return Err(Failure::files(format!("there is no model at {name}"), help));
        }
        let file = ModelFile::read(&path)?;
        let text = |key: &str| {
            file.metadata.get(key).ok_or_else(|| {
                let help = "give a file that `gradus train` has written: best.safetensors of a run folder";
                Failure::files(format!("{name} holds tensors, but no `{key}`: it is not a model of Gradus"), help)
            })
        };
        let damaged = |key: &str, error: &dyn std::fmt::Display| {
            Failure::files(format!("{name}: its `{key}` cannot be read: {error}"), "copy the file again, or train anew")
        };
        let schema: Schema = serde_json::from_str(text("schema")?).map_err(|e| damaged("schema", &e))?;
        let transforms = serde_json::from_str(text("transforms")?).map_err(|e| damaged("transforms", &e))?;
        let document = Document::new(format!("the recipe in {name}"), text("recipe")?, &[]);
        let recipe = Recipe::of(&document, "model")?;
        let source = source_in(&file)?;
        let Network { model, graft, .. } = network::bare(&recipe, &document, &schema, source.as_ref())?;
        let mut state = State::new(&model, recipe.seed);
        file.restore(&mut state)?;
        Ok(Loaded { recipe, schema, transforms, model, state, source, graft })
    }
}

/// How good weights are on one part of the data.
pub struct Judgement {
    /// The part's name.
    pub split: String,
    /// Rows of it.
    pub rows: usize,
    /// Loss and metrics as trained: of scaled targets, where they are scaled.
    pub scores: Scores,
    /// Errors in the units of the data, where targets are scaled.
    pub real: Option<Scores>,
    /// What was taken for what.
    pub confusion: Option<ConfusionMatrix>,
    /// Predicted and true values in the units of the data, of a regression.
    pub values: Vec<TargetValues>,
}

/// Judges weights on one part of the data, which is transformed as for training.
///
/// # Errors
/// Data that do not fit the model.
pub fn judge(
    trainer: &mut Trainer<'_>,
    state: &State<f32>,
    data: &Dataset,
    transforms: &FittedPipeline,
    split: &str,
) -> Result<Judgement> {
    let evaluation = trainer.evaluate(state, data)?;
    let (mut values, mut real) = (vec![], None);
    if let (Target::Values { values: truth, names }, None) = (data.target(), &evaluation.confusion) {
        let width = names.len();
        let mut predicted = trainer.predictor(OUTPUT, state)?.predict(data.input_values())?;
        let mut truth = truth.to_f32();
        transforms.inverse_target(&mut predicted, width)?;
        transforms.inverse_target(&mut truth, width)?;
        let column =
            |list: &[f32], k: usize| list.iter().skip(k).step_by(width).map(|&x| f64::from(x)).collect::<Vec<_>>();
        for (k, name) in names.iter().enumerate() {
            values.push(TargetValues {
                name: name.clone(),
                truth: column(&truth, k),
                predicted: column(&predicted, k),
            });
        }
        if is_scaled(transforms, width) {
            let mut errors = Regression::new(width).map_err(gradus_train::TrainError::from)?;
            errors.extend(&predicted, &truth).map_err(gradus_train::TrainError::from)?;
            let scores = [("mse", errors.mse()), ("rmse", errors.rmse()), ("mae", errors.mae()), ("r2", errors.r2())];
            real = Some(scores.into_iter().collect());
        }
    }
    let scores = evaluation.scores;
    Ok(Judgement { split: split.into(), rows: evaluation.rows, scores, real, confusion: evaluation.confusion, values })
}

impl Judgement {
    /// For the report: errors in the units of the data.
    pub fn split_scores(&self) -> SplitScores {
        let value = |name: &str| self.real.as_ref().and_then(|real| real.get(name)).or_else(|| self.scores.get(name));
        let names = ["loss", "accuracy", "mse", "rmse", "mae", "r2"];
        let scores =
            names.iter().filter_map(|&name| Some(Score { metric: name.into(), value: value(name)? })).collect();
        SplitScores { split: self.split.clone(), rows: self.rows as u64, scores }
    }

    /// For machines: everything, errors in the units of the data under `real`.
    pub fn json(&self) -> serde_json::Value {
        let mut value = scores_json(&self.scores);
        if let (Some(real), Some(object)) = (&self.real, value.as_object_mut()) {
            object.insert("real".into(), scores_json(real));
        }
        value
    }
}

/// Scores as JSON, null where not finite.
pub fn scores_json(scores: &Scores) -> serde_json::Value {
    scores
        .iter()
        .map(|(name, value)| (name.to_string(), crate::console::number(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// A record's scores with errors in the units of the data, where all targets have one scale.
pub fn record_json(scores: &Scores, transforms: &FittedPipeline, materials: &Materials) -> serde_json::Value {
    let mut value = scores_json(scores);
    if let (Some(factor), Some(object)) = (common_factor(transforms, materials.train.target()), value.as_object_mut()) {
        let real =
            ["mse", "mae", "r2"].into_iter().filter_map(|name| Some((name, in_units(name, scores.get(name)?, factor))));
        object.insert("real".into(), scores_json(&real.collect()));
    }
    value
}

/// An error of scaled targets in the units of the data.
pub fn in_units(metric: &str, value: f64, factor: f64) -> f64 {
    match metric {
        "mse" => value / (factor * factor),
        "mae" | "rmse" => value / factor.abs(),
        _ => value,
    }
}

/// The scale of the targets, if they are scaled, all alike.
pub fn common_factor(transforms: &FittedPipeline, target: &Target) -> Option<f64> {
    let width = target.width();
    let values = matches!(target, Target::Values { .. }) && is_scaled(transforms, width);
    let first = transforms.target_factor(0)?;
    (values && first != 0.0 && (1..width).all(|k| transforms.target_factor(k) == Some(first))).then_some(first)
}

fn is_scaled(transforms: &FittedPipeline, width: usize) -> bool {
    (0..width).any(|k| transforms.target_factor(k) != Some(1.0))
}

/// The last record's value of a score on the validation data, else on the training data.
pub fn latest(history: &[Record], name: &str) -> Option<f64> {
    let record = history.last()?;
    record.valid.as_ref().unwrap_or(&record.train).get(name)
}
