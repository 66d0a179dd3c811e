//! `gradus train`: from a recipe to a run folder.

use crate::failure::{Failure, Result};
use crate::materials::{self, Materials};
use crate::network::{Found, Network};
use crate::onnx::Graft;
use crate::progress::Progress;
use crate::recipe::{self, Recipe};
use crate::report::{page, terminal};
use crate::run_folder::RunFolder;
use crate::session::{self, Judgement};
use crate::{console, network, results, signals};
use clap::Args;
use gradus_data::Dataset;
use gradus_graph::{Model, State};
use gradus_kernels::Isa;
use gradus_train::verdict::{self, Evidence, Verdict};
use gradus_train::{
    Checkpoints, Context, Epochs, Event, Flow, Interrupt, ModelFile, Outcome, Record, Retrain, Signal, TrainError,
    write_history,
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Train the network of a recipe
///
/// The run folder gets the resolved recipe (recipe.toml), the history (history.jsonl), the first weights (initial.safetensors), the
/// best weights (best.safetensors), the checkpoint (last.safetensors) and a report (report.html). With `retrain` in the recipe,
/// best.safetensors holds the weights that were trained on all of the data, and early.safetensors the best ones before that.
#[derive(Args, Debug)]
pub struct Train {
    /// The recipe, a TOML file
    #[arg(required_unless_present = "resume", conflicts_with = "resume")]
    recipe: Option<PathBuf>,
    /// Set a key of the recipe, as in --set train.epochs=3 or --set model.layers.1.dense.units=64
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Train this of the recipe's [[variants]]; otherwise its own settings
    #[arg(long, value_name = "NAME", conflicts_with = "resume")]
    variant: Option<String>,
    /// The run folder; runs/NAME-1, runs/NAME-2, … where it is not given
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    run_dir: Option<PathBuf>,
    /// Replace a run that is in the run folder
    #[arg(long)]
    overwrite: bool,
    /// Go on with an interrupted run, to the identical end
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,
    /// Use at most this many threads; the result does not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Use this instruction set (portable, avx2, avx512), to repeat the bits of another machine
    #[arg(long, value_name = "NAME")]
    isa: Option<String>,
    /// Print one line of JSON for each epoch, and one at the end
    #[arg(long)]
    json: bool,
    /// Print nothing but warnings and errors
    #[arg(long, short)]
    quiet: bool,
}

impl Train {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        let isa = self.instruction_set()?;
        let source = match (&self.resume, &self.recipe) {
            (Some(folder), _) => RunFolder::open(folder)?.file("recipe.toml"),
            (None, Some(recipe)) => recipe.clone(),
            (None, None) => {
                return Err(Failure::usage("there is no recipe", "give a recipe, such as recipes/digits.toml"));
            }
        };
        let (recipe, document) = Recipe::load_variant(&source, self.variant.as_deref(), &self.set)?;
        let locator = materials::locator(&source);
        let materials = Materials::load(&recipe, &locator)?;
        let source = match (&self.resume, &recipe.model.onnx) {
            (Some(folder), Some(_)) => session::resumed_source(folder)?,
            _ => network::source(&recipe, &locator)?,
        };
        let Network { model, vectors, graft, .. } =
            network::build_from(source.as_ref(), &recipe, &document, &materials)?;
        let initial = match &self.resume {
            None => session::initial(&recipe, &model, &locator)?,
            Some(folder) => session::first_weights(folder, &recipe, &model)?,
        };
        let folder = match &self.resume {
            Some(folder) => RunFolder::open(folder)?,
            None => RunFolder::create(self.run_dir.as_deref(), &recipe.name, self.overwrite)?,
        };
        let resolved = materials::with_absolute_paths(&recipe, &locator);
        if self.resume.is_none() {
            folder.write("recipe.toml", &recipe::render(&resolved))?;
        }
        let run = Run {
            options: self,
            isa,
            recipe: &recipe,
            resolved: &resolved,
            materials: &materials,
            model: &model,
            vectors: &vectors,
            graft: graft.as_ref(),
            initial,
        };
        run.go(folder)
    }

    fn instruction_set(&self) -> Result<Isa> {
        if self.threads == Some(0) {
            return Err(Failure::usage("--threads is 0, but must be at least 1", "leave it out to use every core"));
        }
        super::instruction_set(self.isa.as_deref())
    }
}

/// One run of the command.
struct Run<'a> {
    options: &'a Train,
    isa: Isa,
    recipe: &'a Recipe,
    /// The recipe as the run folder keeps it.
    resolved: &'a Recipe,
    materials: &'a Materials,
    model: &'a Model,
    /// Files of word vectors that it starts from.
    vectors: &'a [Found],
    /// The part of the network that comes from an ONNX file.
    graft: Option<&'a Graft>,
    /// First weights from a file.
    initial: Option<State<f32>>,
}

impl Run<'_> {
    fn go(&self, folder: RunFolder) -> Result<()> {
        let interrupt = Interrupt::new();
        signals::listen(&interrupt);
        let texts = session::texts(self.recipe, &self.materials.schema, &self.materials.transforms, self.graft)?;
        for found in self.vectors {
            let Found { file, found: number, words } = found;
            if self.options.json {
                console::print_json(&json!({ "event": "vectors", "file": file, "found": number, "words": words }))?;
            } else if !self.options.quiet {
                console::say(&format!("{found}\n"));
            }
        }
        for note in self.graft.iter().flat_map(|graft| &graft.notes) {
            if self.options.json {
                console::print_json(&json!({ "event": "note", "note": note }))?;
            } else if !self.options.quiet {
                console::say(&format!("{note}\n"));
            }
        }
        let early = match self.fit(&folder, &texts, &interrupt, None)? {
            Fitted::Outcome(outcome) => *outcome,
            Fitted::Closed => return Err(Failure::ClosedOutput),
        };
        let how = &self.recipe.train.retrain;
        if *how == Retrain::None || early.stopped_by == "interrupted" {
            return self.finish(&folder, &early, None, interrupt.requested());
        }
        write_model(&folder.file("early.safetensors"), &early.state, &texts)?;
        self.announce(&early)?;
        match self.fit(&folder, &texts, &interrupt, Some(&early))? {
            Fitted::Outcome(again) => self.finish(&folder, &early, Some(&again), interrupt.requested()),
            Fitted::Closed => Err(Failure::ClosedOutput),
        }
    }

    /// The training, or with what it gave the one on all of the data after it.
    fn fit(
        &self,
        folder: &RunFolder,
        texts: &[(&'static str, String)],
        interrupt: &Interrupt,
        early: Option<&Outcome>,
    ) -> Result<Fitted> {
        let (settings, materials) = (&self.recipe.train, self.materials);
        let factor = session::common_factor(&materials.transforms, materials.train.target());
        let quiet = self.options.quiet || self.options.json;
        let epochs = match (&settings.retrain, early) {
            (Retrain::Continue(settings), Some(_)) => settings.epochs.unwrap_or(self.recipe.train.epochs),
            (_, Some(early)) => {
                let valid = materials.valid.as_ref().map_or(0, Dataset::len);
                let per_epoch = (materials.train.len() + valid).div_ceil(settings.batch_size) as u64;
                early.best.as_ref().map_or(early.steps, |best| best.step).div_ceil(per_epoch)
            }
            (_, None) => settings.epochs,
        };
        let mut watcher = Watcher {
            run: self,
            folder,
            texts,
            interrupt: interrupt.clone(),
            progress: (!quiet || console::watched() && !self.options.quiet).then(|| Progress::new(epochs, factor)),
            earlier: early.map_or(&[], |early| &early.history),
            retraining: early.is_some(),
            history: vec![],
            warned: 0,
            stale: early.is_none() && self.options.resume.is_some(),
            closed: false,
        };
        let mut checkpoints = Checkpoints::new(folder.file("last.safetensors")).every(settings.checkpoint);
        for (key, text) in texts {
            checkpoints = checkpoints.with(*key, text);
        }
        let watch = |event: Event, context: &mut Context<'_>| watcher.on(event, context);
        let mut trainer = self.trainer().interrupt(interrupt.clone()).checkpoints(checkpoints).callback(watch);
        if let Some(initial) = &self.initial {
            trainer = trainer.initial(initial.clone());
        }
        if self.options.resume.is_some() {
            trainer = trainer.resume(folder.file("last.safetensors"));
        }
        let most = Epochs(settings.epochs);
        let result = match (early, &materials.valid) {
            (Some(early), Some(valid)) => trainer.retrain(early, &materials.train, valid, &settings.retrain, most),
            _ => trainer.fit(&materials.train, materials.valid.as_ref(), most),
        };
        drop(trainer);
        let (closed, history) = (watcher.closed, std::mem::take(&mut watcher.history));
        let outcome = match result {
            Ok(outcome) => outcome,
            Err(error) => {
                let begun = !history.is_empty() || folder.file("last.safetensors").exists();
                if begun {
                    write_history(&folder.file("history.jsonl"), &history)?;
                } else if self.options.resume.is_none() {
                    folder.discard();
                }
                return Err(error.into());
            }
        };
        if closed {
            write_history(&folder.file("history.jsonl"), &history)?;
            write_model(&folder.file("best.safetensors"), &early.unwrap_or(&outcome).state, texts)?;
            return Ok(Fitted::Closed);
        }
        Ok(Fitted::Outcome(Box::new(outcome)))
    }

    /// Says that the training on all of the data begins.
    fn announce(&self, early: &Outcome) -> Result<()> {
        let valid = self.materials.valid.as_ref().map_or(0, Dataset::len);
        let (how, samples) = (&self.recipe.train.retrain, self.materials.train.len() + valid);
        if self.options.json {
            let step = early.best.as_ref().map_or(early.steps, |best| best.step);
            return console::print_json(&json!({
                "event": "retrain", "how": how.key(), "samples": samples, "stopped_by": early.stopped_by, "best_step": step,
            }));
        }
        if !self.options.quiet {
            let stop = crate::report::tables::stop_words(&early.stopped_by);
            let how = how.key().replace('_', " ").replace("continue", "from the best weights on");
            console::say(&format!("{stop}; retraining {how}, on all {samples} samples\n"));
        }
        Ok(())
    }

    fn trainer<'t>(&self) -> gradus_train::Trainer<'t> {
        let trainer = session::trainer(self.recipe, self.model, &self.materials.train).isa(self.isa);
        match self.options.threads {
            Some(threads) => trainer.threads(threads),
            None => trainer,
        }
    }

    /// Writes what the run leaves behind, and says how it went. `again` is the training on all of the data after the early stop.
    fn finish(
        &self,
        folder: &RunFolder,
        early: &Outcome,
        again: Option<&Outcome>,
        signal: Option<Signal>,
    ) -> Result<()> {
        let texts = session::texts(self.recipe, &self.materials.schema, &self.materials.transforms, self.graft)?;
        let interrupted = again.unwrap_or(early).stopped_by == "interrupted";
        let retrained = again.filter(|_| !interrupted);
        let mut outcome = early.clone();
        if let Some(again) = retrained {
            (outcome.state, outcome.last) = (again.state.clone(), again.last.clone());
            outcome.warnings.extend(again.warnings.iter().filter(|w| !early.warnings.contains(w)).cloned());
            if again.stopped_by == "epochs" {
                let missed = "the validation part's loss did not get under its target in the epochs that it had";
                tracing::warn!("{missed}");
                outcome.warnings.push(missed.into());
            }
        }
        let records: Vec<Record> =
            early.history.iter().chain(again.map_or(&[][..], |again| &again.history)).cloned().collect();
        write_history(&folder.file("history.jsonl"), &records)?;
        write_model(&folder.file("best.safetensors"), &outcome.state, &texts)?;
        let mut trainer = self.trainer();
        let joined = match (retrained, &self.materials.valid) {
            (Some(_), Some(valid)) => Some(Dataset::concat(&[&self.materials.train, valid])?),
            _ => None,
        };
        let (valid, test) = (self.materials.valid.as_ref(), self.materials.test.as_ref());
        let alone = valid.is_none() && test.is_none();
        let parts = [
            ("train", joined.as_ref().or_else(|| alone.then_some(&*self.materials.train))),
            ("valid", valid.filter(|_| retrained.is_none())),
            ("test", test.filter(|_| !interrupted)),
        ];
        let mut judgements: Vec<Judgement> = vec![];
        for (name, data) in parts {
            if let Some(data) = data {
                judgements.push(session::judge(&mut trainer, &outcome.state, data, &self.materials.transforms, name)?);
            }
        }
        let verdict = if interrupted { None } else { Some(self.verdict(early)?) };
        let mut report = results::report(
            self.resolved,
            self.model,
            self.materials,
            &outcome,
            &judgements,
            &trainer,
            self.environment(&outcome),
        )?;
        if self.graft.is_some() {
            report.layers = network::layer_rows(self.recipe, self.model, self.graft);
        }
        report.verdict = verdict.as_ref().map(|verdict| results::verdict(verdict, retrained.is_some()));
        report.summary.retrained = retrained.map(|again| self.in_words(again)).unwrap_or_default();
        folder.write("report.html", &page(&report))?;
        let path = folder.path().display().to_string();
        if self.options.json {
            let mut value = done(&outcome, &judgements, &path);
            if let Some(object) = value.as_object_mut() {
                if let Some(verdict) = &verdict {
                    object.insert("verdict".into(), results::verdict_json(verdict));
                }
                if let Some(again) = again {
                    object.insert("retrain".into(), self.retrain_json(again));
                }
                if interrupted {
                    object.insert("stopped_by".into(), "interrupted".into());
                }
            }
            console::print_json(&value)?;
        } else if !self.options.quiet && !interrupted {
            let text = terminal::summary(&report, console::width());
            console::print(&format!("\n{text}  report: {path}/report.html\n"))?;
        }
        if interrupted {
            if !self.options.quiet {
                console::say(&format!("interrupted and saved; go on with: gradus train --resume {path}\n"));
            }
            return Err(Failure::Interrupted(if signal == Some(Signal::Terminate) { 143 } else { 130 }));
        }
        Ok(())
    }

    /// How well the weights fit that the training gave before all of the data were trained on.
    fn verdict(&self, early: &Outcome) -> Result<Verdict> {
        let (materials, options) = (self.materials, &self.recipe.verdict);
        let evidence = Evidence::measure(early, &materials.train, materials.valid.as_ref(), options)?;
        let factor = session::common_factor(&materials.transforms, materials.train.target()).unwrap_or(1.0);
        Ok(verdict::judge(evidence.in_units(factor), options))
    }

    /// How the training on all of the data went.
    fn in_words(&self, again: &Outcome) -> String {
        let how = match self.recipe.train.retrain {
            Retrain::Continue(_) => "from the best weights on",
            _ => "from scratch",
        };
        let valid = self.materials.valid.as_ref().map_or(0, Dataset::len);
        let (samples, steps) = (self.materials.train.len() + valid, again.steps);
        let end = match again.stopped_by.as_str() {
            "loss_below" => ", until the validation part's loss was under its target",
            "epochs" => ", without getting under the target",
            _ => "",
        };
        format!("{how} on all {samples} samples for {steps} steps{end}")
    }

    fn retrain_json(&self, again: &Outcome) -> serde_json::Value {
        json!({
            "how": self.recipe.train.retrain.key(), "epochs": again.epochs, "steps": again.steps,
            "stopped_by": again.stopped_by, "seconds": console::number(again.seconds),
        })
    }

    fn environment(&self, outcome: &Outcome) -> Vec<(String, String)> {
        let threads =
            self.options.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, usize::from));
        let mut pairs = vec![
            ("Gradus", env!("CARGO_PKG_VERSION").to_string()),
            ("Machine", format!("{} {}", std::env::consts::OS, std::env::consts::ARCH)),
            ("Instruction set", self.isa.to_string()),
            ("Threads", threads.to_string()),
            ("Training data (SHA-256)", self.materials.train.fingerprint()),
        ];
        pairs.extend(self.vectors.iter().map(|found| ("Word vectors", found.to_string())));
        pairs.extend(outcome.warnings.iter().map(|warning| ("Warning", warning.clone())));
        pairs.into_iter().map(|(name, value)| (name.to_string(), value)).collect()
    }
}

/// What a training gave.
enum Fitted {
    Outcome(Box<Outcome>),
    /// Nobody reads our output any more: everything is saved.
    Closed,
}

/// The last line of JSON.
fn done(outcome: &Outcome, judgements: &[Judgement], run_dir: &str) -> serde_json::Value {
    let best = outcome.best.as_ref().map(|best| {
        json!({ "monitor": best.monitor, "value": console::number(best.value), "epoch": best.epoch, "step": best.step })
    });
    let mut value = json!({
        "event": "done", "epochs": outcome.epochs, "steps": outcome.steps, "stopped_by": outcome.stopped_by, "best": best,
    });
    if let Some(object) = value.as_object_mut() {
        for judgement in judgements {
            object.insert(judgement.split.clone(), judgement.json());
        }
        object.insert("seconds".into(), console::number(outcome.seconds));
        object.insert("run_dir".into(), run_dir.into());
    }
    value
}

fn write_model(path: &Path, state: &State<f32>, texts: &[(&str, String)]) -> std::result::Result<(), TrainError> {
    let mut file = ModelFile::new(state)?;
    for (key, text) in texts {
        file = file.with(*key, text);
    }
    file.write(path)
}

/// Shows and writes down what happens during a run.
struct Watcher<'a> {
    run: &'a Run<'a>,
    folder: &'a RunFolder,
    texts: &'a [(&'static str, String)],
    interrupt: Interrupt,
    progress: Option<Progress>,
    /// The records of the training before this one.
    earlier: &'a [Record],
    /// Whether this is the training on all of the data.
    retraining: bool,
    /// All records.
    history: Vec<Record>,
    warned: usize,
    /// Whether a retraining may be there that steps of this training make out of date.
    stale: bool,
    /// Nobody reads our output any more.
    closed: bool,
}

impl Watcher<'_> {
    fn on(&mut self, event: Event, context: &mut Context<'_>) -> gradus_train::Result<Flow> {
        for warning in &context.warnings[self.warned.min(context.warnings.len())..] {
            tracing::warn!("{warning}");
        }
        self.warned = context.warnings.len();
        match event {
            Event::Start => {
                self.history = [self.earlier, context.history].concat();
                if self.history.is_empty() && context.step() == 0 {
                    write_model(&self.folder.file("initial.safetensors"), context.state, self.texts)?;
                }
                self.progress.iter_mut().for_each(|progress| progress.start(context));
            }
            Event::Steps => {
                if std::mem::take(&mut self.stale) {
                    let removed = self.folder.remove("last.retrain.safetensors");
                    removed.map_err(|error| TrainError::Callback(error.to_string().into()))?;
                }
                self.progress.iter_mut().for_each(|progress| progress.steps(context));
            }
            Event::Record { epoch_end } => {
                if let Some(record) = context.history.last() {
                    self.history.push(record.clone());
                    self.print(record, epoch_end);
                }
                self.progress.iter_mut().for_each(|progress| progress.record(context, epoch_end));
            }
            Event::Checkpoint => {
                write_history(&self.folder.file("history.jsonl"), &self.history)?;
                if let Some(best) = context.best_state {
                    write_model(&self.folder.file("best.safetensors"), best, self.texts)?;
                }
            }
            Event::End => self.progress.iter_mut().for_each(|progress| progress.end(context)),
            _ => {}
        }
        Ok(Flow::Continue)
    }

    /// A record as a line of JSON. If nobody reads it, the run is saved and ends.
    fn print(&mut self, record: &Record, epoch_end: bool) {
        if !self.run.options.json || self.closed {
            return;
        }
        let (materials, transforms) = (self.run.materials, &self.run.materials.transforms);
        let scores = |scores| session::record_json(scores, transforms, materials);
        let mut value = json!({
            "event": if epoch_end { "epoch" } else { "check" }, "epoch": record.epoch, "step": record.step,
            "train": scores(&record.train), "lr": console::number(record.lr), "seconds": console::number(record.seconds),
        });
        if let Some(object) = value.as_object_mut() {
            if let Some(valid) = &record.valid {
                object.insert("valid".into(), scores(valid));
            }
            if self.retraining {
                object.insert("phase".into(), "retrain".into());
            }
        }
        if console::print_json(&value).is_err() {
            self.closed = true;
            self.interrupt.request(Signal::Interrupt);
        }
    }
}
