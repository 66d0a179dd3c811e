//! One run of a comparison, and what is kept of it.

use super::entry::{self, Entry, Judge};
use crate::failure::Result;
use crate::materials::Materials;
use crate::network;
use crate::session::{self, Judgement};
use gradus_data::loader::LoaderMode;
use gradus_graph::{Model, State};
use gradus_kernels::Isa;
use gradus_train::{
    Context, Epochs, Event, Flow, Interrupt, ModelFile, Record, Retrain, TrainError, WeightSummary, write_history,
};
use std::path::{Path, PathBuf};

/// A run that has ended.
pub struct Finished {
    /// Which of the entries.
    pub entry: usize,
    /// Its seed.
    pub seed: u64,
    /// Its folder.
    pub folder: PathBuf,
    /// How it ended.
    pub end: End,
}

/// How a run ended.
pub enum End {
    /// As it should.
    Done(Box<Done>),
    /// With a loss, gradient or result that is not finite: the message.
    Diverged(String),
    /// Because somebody asked.
    Interrupted,
}

/// What is kept of a run.
pub struct Done {
    /// Loss and metrics on the data that the recipes are judged by; errors in the units of the data.
    pub scores: Vec<(String, f64)>,
    /// Rows to learn from, and rows to be judged by.
    pub rows: [usize; 2],
    /// How it went.
    pub history: Vec<Record>,
    /// The weights that were kept.
    pub weights: WeightSummary,
    /// Epochs done.
    pub epochs: f64,
    /// Steps done.
    pub steps: u64,
    /// Seconds of training.
    pub seconds: f64,
    /// Why it ended.
    pub stopped_by: String,
    /// The epoch of the weights that were kept, unless those are the last.
    pub best_epoch: Option<f64>,
}

impl Finished {
    /// What is kept of it, if it ended as it should.
    pub fn done(&self) -> Option<&Done> {
        match &self.end {
            End::Done(done) => Some(done),
            _ => None,
        }
    }
}

impl Done {
    /// One of the scores.
    pub fn score(&self, name: &str) -> Option<f64> {
        self.scores.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }
}

/// A run to do.
pub struct Job<'a> {
    /// What is trained.
    pub entry: &'a Entry,
    /// Its network.
    pub model: &'a Model,
    /// Its data.
    pub materials: &'a Materials,
    /// The seed.
    pub seed: u64,
    /// What judges it.
    pub judge: Judge,
    /// Where its files go.
    pub folder: &'a Path,
    /// The most threads it may use.
    pub threads: usize,
    /// The instruction set.
    pub isa: Isa,
    /// What ends it early.
    pub interrupt: Interrupt,
}

impl Job<'_> {
    /// Trains, judges and writes the run's files. `progress` hears how far it is, from 0 to 1.
    ///
    /// # Errors
    /// What is not the run's own divergence: files that cannot be written, bugs.
    pub fn run(&self, mut progress: impl FnMut(f64)) -> Result<End> {
        let recipe = entry::seeded(&self.entry.recipe, self.seed);
        let materials = self.materials;
        let graft = match recipe.model.onnx {
            Some(_) => network::build(&recipe, &self.entry.document, materials)?.graft,
            None => None,
        };
        let texts = session::texts(&recipe, &materials.schema, &materials.transforms, graft.as_ref())?;
        let write = |name: &str, state: &State<f32>| -> std::result::Result<(), TrainError> {
            let mut file = ModelFile::new(state)?;
            for (key, text) in &texts {
                file = file.with(*key, text);
            }
            file.write(&self.folder.join(name))
        };
        let mut history: Vec<Record> = vec![];
        let mut begun = false;
        let watch = |event: Event, context: &mut Context<'_>| {
            match event {
                Event::Start if !std::mem::replace(&mut begun, true) => write("initial.safetensors", context.state)?,
                Event::Steps => {
                    if let Some(last) = context.last_step.filter(|&last| last > 0) {
                        progress(context.step() as f64 / last as f64);
                    }
                }
                Event::Record { .. } => history.extend(context.history.last().cloned()),
                _ => {}
            }
            Ok(Flow::Continue)
        };
        let trainer = || {
            let trainer = session::trainer(&recipe, self.model, &materials.train).isa(self.isa).threads(self.threads);
            if self.threads == 1 { trainer.loader(LoaderMode::Inline) } else { trainer }
        };
        let mut training = trainer().interrupt(self.interrupt.clone()).callback(watch);
        if let Some(initial) = session::initial(&recipe, self.model, &self.entry.locator)? {
            training = training.initial(initial);
        }
        let most = Epochs(recipe.train.epochs);
        let mut result = training.fit(&materials.train, materials.valid.as_ref(), most);
        if let (Ok(early), Some(valid)) = (&result, &materials.valid)
            && early.stopped_by != "interrupted"
            && recipe.train.retrain != Retrain::None
        {
            let early = early.clone();
            result = training.retrain(&early, &materials.train, valid, &recipe.train.retrain, most).map(|mut again| {
                // Of both trainings together: the time spent, and the story of the first.
                again.steps += early.steps;
                again.epochs += early.epochs;
                again.seconds += early.seconds;
                (again.history, again.best) = (early.history, early.best);
                if again.stopped_by != "interrupted" {
                    again.stopped_by = early.stopped_by;
                }
                again
            });
        }
        drop(training);
        write_history(&self.folder.join("history.jsonl"), &history)?;
        let outcome = match result {
            Ok(outcome) if outcome.stopped_by == "interrupted" => return Ok(End::Interrupted),
            Ok(outcome) => outcome,
            Err(error @ (TrainError::Diverged { .. } | TrainError::Gradient { .. })) => {
                let text = error.to_string();
                return Ok(End::Diverged(text.lines().next().unwrap_or_default().to_string()));
            }
            Err(error) => return Err(error.into()),
        };
        write("best.safetensors", &outcome.state)?;
        let part = self.judge.part();
        let data = materials.part(part)?;
        let judgement = session::judge(&mut trainer(), &outcome.state, data, &materials.transforms, part)?;
        let scores = scores(&judgement);
        if let Some((name, value)) = scores.iter().find(|(_, value)| !value.is_finite()) {
            return Ok(End::Diverged(format!("its {name} on the {part} data is {value}")));
        }
        Ok(End::Done(Box::new(Done {
            scores,
            rows: [materials.train.len(), judgement.rows],
            weights: WeightSummary::of(&outcome.state),
            epochs: outcome.epochs,
            steps: outcome.steps,
            seconds: outcome.seconds,
            stopped_by: outcome.stopped_by,
            best_epoch: outcome.best.map(|best| best.epoch),
            history: outcome.history,
        })))
    }
}

/// Loss and metrics; errors in the units of the data.
fn scores(judgement: &Judgement) -> Vec<(String, f64)> {
    let real = |name: &str| judgement.real.as_ref().and_then(|real| real.get(name));
    let mut scores: Vec<(String, f64)> =
        judgement.scores.iter().map(|(name, value)| (name.to_string(), real(name).unwrap_or(value))).collect();
    if !judgement.values.is_empty() {
        let roots = judgement.values.iter().map(|target| {
            let squares = target.truth.iter().zip(&target.predicted).map(|(y, p)| (y - p) * (y - p));
            (squares.sum::<f64>() / target.truth.len() as f64).sqrt()
        });
        scores.push(("rmse".into(), roots.sum::<f64>() / judgement.values.len() as f64));
    }
    scores
}
