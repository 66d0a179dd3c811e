//! One run of the trainer: the loop, and what is done where it is cut.

mod setup;

use crate::agenda::{Agenda, Pace};
use crate::callback::{Context, Event, Flow};
use crate::checkpoint::{self, Best, Every, Progress, Settings};
use crate::diagnose::{self, Watchdog};
use crate::error::{Result, TrainError};
use crate::evaluate::Examiner;
use crate::history::{Record, Scores, direction};
use crate::objective::{from_sum, sum_of};
use crate::stops::{AnyStop, Check};
use crate::trainer::{Outcome, Trainer};
use gradus_data::Dataset;
use gradus_data::loader::{Chunk, Loader, LoaderMode, LoaderOptions};
use gradus_graph::{Engine, Model, RunError, State};
use gradus_kernels::Pool;
use gradus_metrics::Direction;
use gradus_nn::Schedule as _;
use gradus_nn::schedules::{Curve, Plateau};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A run under way.
pub(crate) struct Run<'t, 'a, 'v> {
    trainer: &'t mut Trainer<'a>,
    /// The conditions that end it: stops that watch, then limits.
    stops: Vec<Ending>,
    agenda: Agenda,
    /// The learning rate, step by step.
    curve: Curve,
    /// What a schedule waits for, and how many steps lie between its looks.
    plateau: Option<(String, u64)>,
    settings: Settings,
    step: Model,
    is_target: Vec<bool>,
    sums: Vec<String>,
    engine: Engine<f32>,
    state: State<f32>,
    best_state: Option<State<f32>>,
    /// What the best weights are chosen by.
    monitor: Option<String>,
    progress: Progress,
    train: Arc<Dataset>,
    examiner: Option<Examiner<'v>>,
    pool: Pool,
    watchdog: Watchdog,
    clock: Instant,
    earlier: f64,
    saved: Instant,
    saved_once: bool,
}

/// A stop with its monitor's name and its interval in steps, if it watches something.
struct Ending {
    stop: AnyStop,
    watch: Option<(String, u64)>,
}

impl Run<'_, '_, '_> {
    /// The loop.
    pub(crate) fn go(mut self) -> Result<Outcome> {
        if self.state.step == 0 {
            self.check_first_gradients()?;
        }
        let mut ended = self.notify(Event::Start)?.or_else(|| self.ended());
        let mut loader = Loader::new(self.train.clone(), loader_options(self.trainer))?;
        let mut pace = Pace::new();
        'run: while ended.is_none() {
            let (epoch, position) = self.place();
            let mut chunks = loader.epoch(epoch, position as usize);
            while let Some(chunk) = chunks.next_chunk() {
                let mut done = 0;
                while done < chunk.steps() {
                    let due = self.agenda.next(self.state.step) - self.state.step;
                    let steps = pace.steps().min(due).min((chunk.steps() - done) as u64) as usize;
                    let begun = Instant::now();
                    self.steps(chunk, done, steps)?;
                    pace.learn(steps as u64, begun.elapsed());
                    done += steps;
                    ended = self.look()?;
                    if ended.is_some() {
                        break 'run;
                    }
                }
            }
        }
        self.finish(ended.unwrap_or_default())
    }

    /// Does some steps of a chunk.
    fn steps(&mut self, chunk: &Chunk, first: usize, steps: usize) -> Result<()> {
        if self.place().1 == 0 {
            self.progress.tally = checkpoint::Tally { full: vec![0.0; self.sums.len()], ..Default::default() };
            self.state.begin_epoch();
        }
        if self.watchdog.is_due() {
            self.check_values()?;
        }
        let part = |values: &'_ [f32]| {
            let width = values.len() / chunk.steps();
            first * width..(first + steps) * width
        };
        let (x, y) = (&chunk.inputs()[part(chunk.inputs())], &chunk.targets()[part(chunk.targets())]);
        let feeds: Vec<&[f32]> = self.is_target.iter().map(|&t| if t { y } else { x }).collect();
        let whole = chunk.batch() == self.trainer.batch_size;
        if whole {
            self.engine.carry_sums(&self.progress.tally.full);
        }
        match self.engine.run(&mut self.state, &feeds, chunk.batch(), steps, &self.pool) {
            Ok(()) => {}
            Err(RunError::Halt(halt)) => return Err(self.diagnose(Some(halt.value))),
            Err(other) => return Err(other.into()),
        }
        let tally = &mut self.progress.tally;
        if whole {
            tally.full.clone_from_slice(self.engine.sums());
            tally.full_steps += steps as u64;
        } else {
            tally.tail = self.engine.sums().to_vec();
            tally.tail_rows = chunk.batch() as u64;
        }
        Ok(())
    }

    /// Looks up from the work: records, stops, callbacks, checkpoints, interruptions. Says why the run ends, if it does.
    fn look(&mut self) -> Result<Option<String>> {
        let step = self.state.step;
        let mut said = self.notify(Event::Steps)?;
        if self.agenda.is_record(step) {
            said = self.record()?.or(said);
        }
        if let Some(reason) = self.ended().or(said) {
            return Ok(Some(reason));
        }
        if self.trainer.interrupt.requested().is_some() {
            return Ok(Some("interrupted".into()));
        }
        let due = match self.trainer.checkpoints.as_ref().map(|c| c.every) {
            Some(Every::Minutes(minutes)) => self.saved.elapsed().as_secs_f64() >= minutes * 60.0,
            Some(_) => self.agenda.checkpoint.is_some_and(|n| step.is_multiple_of(n)),
            None => false,
        };
        if due {
            self.save()?;
            return self.notify(Event::Checkpoint);
        }
        Ok(None)
    }

    /// Validates, adds a record, shows it to the stops, and keeps the weights if they are the best.
    fn record(&mut self) -> Result<Option<String>> {
        let step = self.state.step;
        let valid = match &mut self.examiner {
            Some(examiner) => Some(examiner.examine(&mut self.state, &self.pool)?),
            None => None,
        };
        let record = Record {
            phase: self.trainer.phase(),
            epoch: step as f64 / self.agenda.steps_per_epoch as f64,
            step,
            train: self.train_scores(),
            valid,
            lr: self.lr(),
            seconds: self.seconds(),
        };
        let mut seen = vec![];
        for (monitor, interval) in self.stops.iter().filter_map(|e| e.watch.as_ref()).chain(&self.plateau) {
            let key = check_key(monitor, *interval);
            if step.is_multiple_of(*interval) && !seen.contains(&key) {
                let value = record.value(monitor).unwrap_or(f64::NAN);
                let check = Check { step, value, train_loss: record.train.get("loss").unwrap_or(f64::NAN) };
                self.progress.checks.entry(key.clone()).or_default().push(check);
                seen.push(key);
            }
        }
        self.follow_plateau();
        let better = self.monitor.as_ref().and_then(|monitor| {
            let value = record.value(monitor)?;
            let best = self.progress.best.as_ref().map_or(f64::NAN, |best| best.value);
            let better = direction(monitor).is_better(value, best);
            better.then(|| Best { monitor: monitor.clone(), value, epoch: record.epoch, step })
        });
        let epoch_end = step.is_multiple_of(self.agenda.steps_per_epoch);
        self.progress.history.push(record);
        let is_best = better.is_some();
        if is_best {
            self.check_values()?;
            self.progress.best = better;
            self.best_state = Some(self.state.clone());
        }
        let mut said = self.notify(Event::Record { epoch_end })?;
        if is_best {
            said = self.notify(Event::Best)?.or(said);
        }
        Ok(said)
    }

    /// The learning rate of the last step.
    fn lr(&mut self) -> f64 {
        self.curve.follow(&self.state);
        self.curve.at(self.state.step.saturating_sub(1)).rate
    }

    /// Writes into the state how often the rate has been cut by what was seen so far.
    fn follow_plateau(&mut self) {
        let Some((monitor, interval)) = &self.plateau else { return };
        let Some(plateau) = self.trainer.objective.schedule.plateau() else { return };
        let checks = self.progress.checks.get(&check_key(monitor, *interval)).map_or(&[][..], Vec::as_slice);
        let cuts = plateau.cuts(checks.iter().map(|check| check.value), direction(monitor) == Direction::Lower);
        if let Some(value) = self.state.variable_mut(&Plateau::cuts_path()) {
            value.fill(cuts as f32);
        }
    }

    /// Why the run ends here, if a stop says so.
    fn ended(&self) -> Option<String> {
        let step = self.state.step;
        let watching = self.stops.iter().find(|ending| {
            let Some((monitor, interval)) = &ending.watch else { return false };
            let checks = self.progress.checks.get(&check_key(monitor, *interval));
            let checks = checks.map_or(&[][..], Vec::as_slice);
            checks.last().is_some_and(|c| c.step == step) && ending.stop.reached(checks, direction(monitor))
        });
        let time = Duration::from_secs_f64(self.seconds().max(0.0));
        let limit = || {
            self.stops.iter().find(|ending| {
                let last = ending.stop.last_step(self.agenda.steps_per_epoch);
                last.is_some_and(|last| step >= last) || ending.stop.time().is_some_and(|limit| time >= limit)
            })
        };
        watching.or_else(limit).map(|ending| ending.stop.key().to_string())
    }

    /// Writes the last record and checkpoint, and hands over.
    fn finish(mut self, stopped_by: String) -> Result<Outcome> {
        self.check_values()?;
        let recorded = self.progress.history.last().is_some_and(|record| record.step == self.state.step);
        if !recorded && stopped_by != "interrupted" && self.state.step > 0 {
            self.record()?;
        }
        if self.trainer.checkpoints.is_some() {
            self.save()?;
            self.notify(Event::Checkpoint)?;
        }
        self.notify(Event::End)?;
        let objective = self.trainer.objective.clone();
        // Without what only training needs: the state of the model as it was given.
        let of_model = |state: &State<f32>| {
            let mut own = State::new(&objective.model, state.seed);
            own.copy_from(state);
            own.step = state.step;
            own
        };
        Ok(Outcome {
            stopped_by,
            state: of_model(self.best_state.as_ref().unwrap_or(&self.state)),
            last: of_model(&self.state),
            best: self.progress.best.clone(),
            epochs: self.state.step as f64 / self.agenda.steps_per_epoch as f64,
            steps: self.state.step,
            seconds: self.seconds(),
            warnings: self.progress.warnings.clone(),
            batch_size: self.trainer.batch_size,
            threads: self.trainer.threads,
            isa: self.trainer.isa,
            history: self.progress.history,
            objective,
        })
    }

    /// Calls the callbacks; the first that wants to end the run gives the reason.
    fn notify(&mut self, event: Event) -> Result<Option<String>> {
        if self.trainer.callbacks.is_empty() {
            return Ok(None);
        }
        let seconds = self.seconds();
        let mut context = Context {
            train_loss: mean_loss(&self.progress.tally, self.trainer.batch_size),
            state: &mut self.state,
            history: &self.progress.history,
            best: self.progress.best.as_ref(),
            best_state: self.best_state.as_ref(),
            warnings: &self.progress.warnings,
            steps_per_epoch: self.agenda.steps_per_epoch,
            last_step: self.agenda.last,
            seconds,
        };
        let mut reason = None;
        for callback in &mut self.trainer.callbacks {
            if let Flow::Stop(said) = callback.on(event, &mut context)? {
                reason.get_or_insert(said);
            }
        }
        Ok(reason)
    }

    fn save(&mut self) -> Result<()> {
        self.check_values()?;
        let (epoch, position) = self.place();
        (self.progress.step, self.progress.epoch, self.progress.position) = (self.state.step, epoch, position);
        self.progress.seconds = self.seconds();
        if let Some(to) = &self.trainer.checkpoints {
            checkpoint::write(to, &self.state, self.best_state.as_ref(), &self.progress, &self.settings)?;
        }
        (self.saved, self.saved_once) = (Instant::now(), true);
        Ok(())
    }

    /// The epoch of the next step, and the step's place in it.
    fn place(&self) -> (u64, u64) {
        let per_epoch = self.agenda.steps_per_epoch;
        (self.state.step / per_epoch, self.state.step % per_epoch)
    }

    fn seconds(&self) -> f64 {
        self.earlier + self.clock.elapsed().as_secs_f64()
    }

    /// Loss and metrics over the epoch's steps so far.
    fn train_scores(&self) -> Scores {
        let tally = &self.progress.tally;
        let objective = &self.trainer.objective;
        let sum = |name: &str| {
            let place = self.sums.iter().position(|n| n == name);
            let of = |sums: &[f64]| place.and_then(|i| sums.get(i)).copied().unwrap_or(0.0);
            of(&tally.full) + of(&tally.tail)
        };
        let mut scores = Scores::default();
        scores.insert("loss".into(), mean_loss(tally, self.trainer.batch_size));
        for head in &objective.heads {
            for &metric in &head.metrics {
                if let Some(name) = sum_of(metric) {
                    let count = sum(&format!("{}/count", head.output));
                    let value = from_sum(metric, sum(&format!("{}/{name}", head.output)), count);
                    scores.insert(objective.name(head, &metric.to_string()), value);
                }
            }
        }
        scores
    }

    /// Looks at the gradients of the first step: one that is not finite is an error, one that is all zero a warning.
    fn check_first_gradients(&mut self) -> Result<()> {
        let batch = self.trainer.batch_size;
        let mut loader = Loader::new(self.train.clone(), loader_options(self.trainer))?;
        let mut chunks = loader.steps(0, 0..1);
        let Some(chunk) = chunks.next_chunk() else { return Ok(()) };
        let feeds: Vec<&[f32]> =
            self.is_target.iter().map(|&t| if t { chunk.targets() } else { chunk.inputs() }).collect();
        let found = diagnose::first_gradients(&self.step, &mut self.state, &feeds, batch, self.trainer.isa, &self.pool);
        for parameter in found? {
            self.progress.warnings.push(format!(
                "the gradient of `{parameter}` is all zero in the first step: it does not learn; check its initial values and the activation behind it"
            ));
        }
        Ok(())
    }

    /// Fails if a parameter is not finite, else remembers the state as good.
    fn check_values(&mut self) -> Result<()> {
        if self.watchdog.finds_bad(&self.state) {
            return Err(self.diagnose(None));
        }
        self.watchdog.remember(&self.state);
        Ok(())
    }

    /// Finds the step and the tensor that went wrong first.
    fn diagnose(&mut self, loss: Option<f64>) -> TrainError {
        let kept = match (&self.trainer.checkpoints, self.saved_once) {
            (Some(checkpoints), true) => format!("the last good checkpoint, {}", checkpoints.path.display()),
            (Some(_), false) => "nothing: no checkpoint had been written yet".into(),
            (None, _) => "nothing: no checkpoints were asked for".into(),
        };
        let options = LoaderOptions { mode: LoaderMode::Inline, ..loader_options(self.trainer) };
        let replay = diagnose::Replay {
            step: &self.step,
            train: &self.train,
            options,
            is_target: &self.is_target,
            steps_per_epoch: self.agenda.steps_per_epoch,
            isa: self.trainer.isa,
            pool: &self.pool,
        };
        replay.find(&self.watchdog, &self.state, loss, &kept).unwrap_or_else(|error| error)
    }
}

fn check_key(monitor: &str, interval: u64) -> String {
    format!("{monitor} every {interval}")
}

pub(crate) fn loader_options(trainer: &Trainer<'_>) -> LoaderOptions {
    LoaderOptions {
        batch: trainer.batch_size,
        seed: trainer.seed,
        shuffle: trainer.shuffle,
        mode: trainer.loader,
        ..LoaderOptions::default()
    }
}

/// The mean over samples of the losses of all steps.
fn mean_loss(tally: &checkpoint::Tally, batch: usize) -> f64 {
    let of = |sums: &[f64]| sums.first().copied().unwrap_or(0.0);
    let rows = tally.full_steps as f64 * batch as f64 + tally.tail_rows as f64;
    (of(&tally.full) * batch as f64 + of(&tally.tail) * tally.tail_rows as f64) / rows
}
