//! What happens before the first step: everything is checked, compiled, and made or restored.

use super::{Ending, Run, loader_options};
use crate::agenda::Agenda;
use crate::checkpoint::{Checkpoint, Progress, Settings};
use crate::diagnose::Watchdog;
use crate::error::{Result, TrainError, list};
use crate::evaluate::Examiner;
use crate::history::direction;
use crate::objective::{Objective, fingerprint};
use crate::stops::AnyStop;
use crate::trainer::{Keep, Trainer};
use gradus_data::Dataset;
use gradus_data::loader::{Loader, LoaderMode, LoaderOptions};
use gradus_graph::{Engine, Model, Request, State};
use gradus_kernels::Pool;
use gradus_metrics::Direction;
use gradus_nn::schedules::Curve;
use gradus_nn::step::Time;
use gradus_nn::{Optimizer as _, Schedule as _};
use std::sync::Arc;
use std::time::Instant;

impl<'t, 'a, 'v> Run<'t, 'a, 'v> {
    /// Checks everything, and makes or restores the state.
    pub(crate) fn new(
        trainer: &'t mut Trainer<'a>,
        train: Arc<Dataset>,
        valid: Option<&'v Dataset>,
        until: AnyStop,
    ) -> Result<Run<'t, 'a, 'v>> {
        gradus_data::check::check_training(&train, trainer.batch_size)?;
        let objective = &trainer.objective;
        let options = LoaderOptions { mode: LoaderMode::Inline, ..loader_options(trainer) };
        let per_epoch = Loader::new(train.clone(), options)?.steps_per_epoch() as u64;
        let stops = endings(trainer, until, valid.is_some(), per_epoch)?;
        let last = stops.iter().filter_map(|e| e.stop.last_step(per_epoch)).min();
        let time = Time { per: objective.per, steps_per_epoch: per_epoch, total_steps: last };
        let step = objective.step(&train, Some(time))?;
        objective.check(&step, &train, "training")?;
        check_batches(&step, train.len(), trainer.batch_size)?;
        objective.check_metrics(&step)?;
        if let Some(valid) = valid {
            gradus_data::check::check_part(valid, "validation")?;
            objective.check(&step, valid, "validation")?;
            if valid.classes() != train.classes() {
                return Err(TrainError::Fit {
                    what: "the validation data have other classes than the training data".into(),
                    expected: list(train.classes().unwrap_or_default()),
                    received: list(valid.classes().unwrap_or_default()),
                    help: "read both with the same list of classes".into(),
                });
            }
        }
        // Hashing large data takes a while: only where a checkpoint needs it.
        let keeps = trainer.checkpoints.is_some() || trainer.resume.is_some();
        let fingerprints = match keeps {
            true => (train.fingerprint(), valid.map(Dataset::fingerprint)),
            false => Default::default(),
        };
        let positive = trainer.validate_every > 0.0 && trainer.validate_every.is_finite();
        if !positive {
            let (option, received) = ("validate_every", trainer.validate_every.to_string());
            return Err(TrainError::Option { option, received, expected: "epochs, above 0".into() });
        }
        if let Some(checkpoints) = &trainer.checkpoints {
            checkpoints.every.check()?;
        }
        let plateau = match objective.schedule.plateau() {
            None => None,
            Some(plateau) => {
                let monitor = match &plateau.monitor {
                    None => default_monitor(valid.is_some()),
                    Some(name) => watched(objective, "plateau", name, valid.is_some())?,
                };
                Some((monitor, Agenda::interval(plateau.check_every, per_epoch)))
            }
        };
        let agenda = Agenda {
            steps_per_epoch: per_epoch,
            record: Agenda::interval(trainer.validate_every, per_epoch),
            checks: stops.iter().filter_map(|e| e.watch.as_ref()).chain(&plateau).map(|watch| watch.1).collect(),
            last,
            checkpoint: trainer.checkpoints.as_ref().and_then(|c| Agenda::checkpoint(c.every, per_epoch)),
        };
        let base = objective.optimizer.lr();
        let curve = Curve::new(&objective.schedule, base, objective.per, per_epoch, last, trainer.seed)?;
        let monitor = match &trainer.keep {
            Keep::Last => None,
            Keep::Best => Some(default_monitor(valid.is_some())),
            Keep::BestOf(name) => Some(watched(objective, "best", name, valid.is_some())?),
        };
        let settings = Settings {
            seed: trainer.seed,
            batch_size: trainer.batch_size,
            shuffle: trainer.shuffle,
            validate_every: trainer.validate_every,
            best: monitor.clone().unwrap_or_else(|| "none".into()),
            train: fingerprints.0,
            valid: fingerprints.1,
            step: fingerprint(&step),
            retraining: trainer.retraining.clone(),
        };

        let sums = objective.sums();
        let names: Vec<&str> = sums.iter().map(String::as_str).collect();
        let request = Request { isa: trainer.isa, threads: trainer.threads, ..Request::training(&names) };
        let engine = Engine::new(&step, request)?;
        let examiner = valid
            .map(|valid| {
                Examiner::new(objective, &step, valid, trainer.batch_size, false, trainer.isa, trainer.threads)
            })
            .transpose()?;

        if let (Some(wanted), None, None) = (step.wanted().first(), &trainer.initial, &trainer.resume) {
            return Err(TrainError::Fit {
                what: format!("`{}` shall start from a file that nobody has read", wanted.path),
                expected: format!("the vectors of {}", wanted.file),
                received: "none".into(),
                help:
                    "read them, and give the numbers with `Embedding::starting_from`, or first weights with `initial`"
                        .into(),
            });
        }
        let mut state = State::new(&step, trainer.seed);
        let mut progress = Progress { seed: trainer.seed, ..Progress::default() };
        let mut best_state = None;
        if let Some(initial) = &trainer.initial {
            state.copy_from(initial);
        }
        if let Some(path) = &trainer.resume {
            let checkpoint = Checkpoint::read(path)?;
            checkpoint.check(&state, &settings)?;
            checkpoint.restore(&mut state);
            best_state = checkpoint.best(&state);
            progress = checkpoint.progress;
        }
        let now = Instant::now();
        Ok(Run {
            stops,
            agenda,
            curve,
            plateau,
            settings,
            is_target: Objective::is_target(&step),
            sums,
            engine,
            state,
            best_state,
            monitor,
            earlier: progress.seconds,
            progress,
            train,
            examiner,
            pool: Pool::new(trainer.threads),
            watchdog: Watchdog::new(),
            clock: now,
            saved: now,
            saved_once: trainer.resume.is_some(),
            step,
            trainer,
        })
    }
}

/// Checks that every batch of an epoch, the last and smaller one too, has the samples that the layers need.
fn check_batches(step: &Model, rows: usize, batch_size: usize) -> Result<()> {
    let Some(need) = step.least_batch() else { return Ok(()) };
    let last = |size: usize| if rows.is_multiple_of(size) { size.min(rows) } else { rows % size };
    let (least, smallest) = (need.samples, last(batch_size).min(batch_size));
    if smallest >= least {
        return Ok(());
    }
    let fits = |size: &usize| *size >= least && last(*size) >= least;
    let near = (1..=batch_size).flat_map(|by| [batch_size + by, batch_size.saturating_sub(by)]).find(fits);
    let help = match near {
        Some(size) => format!("choose another batch size, such as {size}, or other numbers of training samples"),
        None => "give it more training samples".into(),
    };
    Err(TrainError::Fit {
        what: format!("layer `{}` cannot train on a batch of {smallest}", need.path),
        expected: format!("at least {least} samples in every batch, the last one of an epoch too"),
        received: format!("{rows} training samples in batches of {batch_size}: the last has {smallest}"),
        help,
    })
}

/// All stops with what they watch.
fn endings(trainer: &Trainer<'_>, until: AnyStop, valid: bool, per_epoch: u64) -> Result<Vec<Ending>> {
    let mut endings = vec![];
    for stop in trainer.stops.iter().cloned().chain([until]) {
        stop.check()?;
        let watch = match stop.watch() {
            None => None,
            Some(watch) => {
                let monitor = match watch.monitor {
                    None => default_monitor(valid),
                    Some(name) => watched(&trainer.objective, stop.key(), name, valid)?,
                };
                if stop.needs_error() && direction(&monitor) == Direction::Higher {
                    return Err(TrainError::Fit {
                        what: format!("`{}` watches `{monitor}`", stop.key()),
                        expected: "an error: a value of at least 0 that is better when lower".into(),
                        received: "a value that is better when higher".into(),
                        help: "watch a loss or an error; `patience`, `up` and `worsening` watch anything".into(),
                    });
                }
                Some((monitor, Agenda::interval(watch.check_every, per_epoch)))
            }
        };
        endings.push(Ending { stop, watch });
    }
    Ok(endings)
}

fn default_monitor(valid: bool) -> String {
    if valid { "valid/loss".into() } else { "train/loss".into() }
}

/// A monitor that the run has.
fn watched(objective: &Objective, by: &str, name: &str, valid: bool) -> Result<String> {
    let known = objective.monitors(valid);
    let monitor = objective.monitor(name);
    if known.contains(&monitor) {
        return Ok(monitor);
    }
    Err(TrainError::Monitor { by: by.into(), monitor: name.into(), known: list(known) })
}
