//! What a training step costs, kernel by kernel, on the data that it is to be trained on.

use crate::error::{Result, TrainError};
use crate::objective::Objective;
use crate::run::loader_options;
use crate::trainer::Trainer;
use gradus_data::Dataset;
use gradus_data::loader::{Loader, LoaderMode, LoaderOptions};
use gradus_graph::{Engine, KernelCost, Memory, Profile, Request, State};
use gradus_kernels::{Isa, Pool};
use gradus_nn::Schedule as _;
use gradus_nn::step::Time;
use std::sync::Arc;
use std::time::Instant;

/// Most steps that are timed.
const MOST_STEPS: usize = 100_000;
/// The last steps whose kernels are kept with their times of day.
const TRACED: usize = 20;
/// Steps that are timed in one go where one is short, as training does them too.
const FEW: usize = 16;
/// Seconds of a short step.
const SHORT: f64 = 1e-4;
/// Predictions of one sample that are timed.
const PREDICTIONS: usize = 200;

/// What a training step costs.
#[derive(Clone, Debug)]
pub struct StepProfile {
    /// Samples of a step.
    pub batch: usize,
    /// Threads of a step.
    pub threads: usize,
    /// The instruction set.
    pub isa: Isa,
    /// Steps that were timed.
    pub steps: usize,
    /// The kernels in the order of the plan, each with its median time.
    pub kernels: Vec<KernelCost>,
    /// The last of the steps that were timed kernel by kernel.
    pub last: Vec<Profile>,
    /// The time of a whole step in seconds when no kernel is timed: median, 10th and 90th percentile.
    pub step: [f64; 3],
    /// Seconds to add losses, gradients and updates to the network.
    pub differentiating: f64,
    /// Seconds to optimise the graph, plan its memory and prepare its kernels.
    pub compiling: f64,
    /// Seconds of the first step.
    pub first: f64,
    /// The memory that a step works in.
    pub memory: Memory,
    /// Trained numbers.
    pub parameters: usize,
    /// The time to predict one sample in seconds: the median.
    pub predicting: f64,
}

impl Trainer<'_> {
    /// Times training steps of a copy of the initial weights, on batches as a run would take them; no weights of the trainer change. One
    /// step and half of `steps` warm up; then, a few in turn, `steps` are timed as a whole and `steps` kernel by kernel.
    ///
    /// # Errors
    /// Everything that [`Trainer::fit`] refuses before its first step; 0 steps or more than 100,000; a loss that is not finite.
    ///
    /// ```
    /// use gradus_data::readers::Embedded;
    /// use gradus_graph::Graph;
    /// use gradus_nn::{LayerExt, layers::Dense, losses::CrossEntropy, optimizers::Sgd};
    /// use gradus_train::Trainer;
    /// let g = Graph::new();
    /// let y = g.input("x", [4]).layer(Dense::new(16).tanh()).layer(Dense::new(3));
    /// let model = g.model(&[("species", &y)])?;
    /// let mut trainer = Trainer::new(&model).loss("species", CrossEntropy::default()).optimizer(Sgd::default()).threads(1);
    /// let profile = trainer.profile(&Embedded::Iris.read(), 20)?;
    /// assert!(profile.kernels.iter().any(|kernel| kernel.path == "dense") && profile.step[0] > 0.0);
    /// # Ok::<(), gradus_train::TrainError>(())
    /// ```
    pub fn profile(&mut self, data: &Dataset, steps: usize) -> Result<StepProfile> {
        if !(1..=MOST_STEPS).contains(&steps) {
            let (option, received, expected) = ("steps", steps.to_string(), "1 to 100,000".into());
            return Err(TrainError::Option { option, received, expected });
        }
        gradus_data::check::check_training(data, self.batch_size)?;
        self.assign_metrics()?;
        let batch = self.batch_size;
        let own = LoaderOptions { mode: LoaderMode::Inline, drop_last: true, ..loader_options(self) };
        let loader = Loader::new(Arc::new(data.clone()), own)?;
        let steps_per_epoch = loader.steps_per_epoch() as u64;

        let begun = Instant::now();
        let per = self.objective.per;
        let scheduled = self.objective.schedule.plateau().is_none();
        let time = Time { per, steps_per_epoch, total_steps: Some(steps_per_epoch.max(steps as u64 * 3)) };
        let step = self.objective.step(data, scheduled.then_some(time))?;
        let differentiating = begun.elapsed().as_secs_f64();
        self.objective.check(&step, data, "training")?;
        let mut state = State::<f32>::new(&step, self.seed);
        if let Some(initial) = &self.initial {
            state.copy_from(initial);
        }
        let begun = Instant::now();
        let sums = self.objective.sums();
        let names: Vec<&str> = sums.iter().map(String::as_str).collect();
        let request = Request { isa: self.isa, threads: self.threads, ..Request::training(&names) };
        let mut engine = Engine::new(&step, request)?;
        engine.prepare(batch)?;
        let compiling = begun.elapsed().as_secs_f64();

        let pool = Pool::new(self.threads);
        let mut batches = Batches { loader, is_target: Objective::is_target(&step), at: 0 };
        let begun = Instant::now();
        batches.each(1, 1, |feeds, n| Ok(engine.run(&mut state, feeds, batch, n, &pool)?))?;
        let first = begun.elapsed().as_secs_f64();
        let begun = Instant::now();
        batches.each(steps.div_ceil(2), FEW, |feeds, n| Ok(engine.run(&mut state, feeds, batch, n, &pool)?))?;
        let few = if begun.elapsed().as_secs_f64() < SHORT * steps.div_ceil(2) as f64 { FEW } else { 1 };
        // In turn, so that whatever else the machine does is in both.
        let (mut whole, mut profiles) = (vec![], vec![]);
        while profiles.len() < steps {
            let few = few.min(steps - profiles.len());
            batches.each(few, few, |feeds, n| {
                let begun = Instant::now();
                engine.run(&mut state, feeds, batch, n, &pool)?;
                whole.push(begun.elapsed().as_secs_f64() / n as f64);
                Ok(())
            })?;
            batches.each(few, 1, |feeds, _| {
                profiles.push(engine.profile(&mut state, feeds, batch, 1, &pool)?);
                // Only the last ones keep what each thread did.
                if profiles.len() > TRACED {
                    let done = profiles.len() - TRACED - 1;
                    profiles[done].threads = vec![];
                }
                Ok(())
            })?;
        }
        let quantiles = sorted(whole);
        let quantile = |q: f64| quantiles[((quantiles.len() - 1) as f64 * q).round() as usize];
        Ok(StepProfile {
            batch,
            threads: self.threads,
            isa: self.isa,
            steps,
            kernels: KernelCost::medians(&profiles),
            last: profiles.split_off(profiles.len().saturating_sub(TRACED)),
            step: [quantile(0.5), quantile(0.1), quantile(0.9)],
            differentiating,
            compiling,
            first,
            memory: engine.memory(batch)?,
            parameters: self.objective.model.parameters(),
            predicting: self.time_of_prediction(data, &state)?,
        })
    }

    /// The median time of predicting one sample.
    fn time_of_prediction(&self, data: &Dataset, state: &State<f32>) -> Result<f64> {
        let Some(head) = self.objective.heads.first() else { return Ok(0.0) };
        let mut predictor = self.predictor(&head.output, state)?;
        let sample = data.input_row(0);
        predictor.predict(sample)?;
        let mut times = vec![];
        for _ in 0..PREDICTIONS {
            let begun = Instant::now();
            predictor.predict(sample)?;
            times.push(begun.elapsed().as_secs_f64());
        }
        Ok(sorted(times)[PREDICTIONS / 2])
    }
}

/// Batches of the data, epoch after epoch.
struct Batches {
    loader: Loader,
    is_target: Vec<bool>,
    /// Steps done.
    at: u64,
}

impl Batches {
    /// Gives so many steps' inputs to `run`, a few steps in one go, with their number.
    fn each(&mut self, count: usize, few: usize, mut run: impl FnMut(&[&[f32]], usize) -> Result<()>) -> Result<()> {
        let (end, per_epoch) = (self.at + count as u64, self.loader.steps_per_epoch() as u64);
        while self.at < end {
            let place = (self.at % per_epoch) as usize;
            let last = place + few.min((end - self.at) as usize);
            let mut chunks = self.loader.steps(self.at / per_epoch, place..last);
            let Some(chunk) = chunks.next_chunk() else { break };
            let feed = |&target: &bool| if target { chunk.targets() } else { chunk.inputs() };
            run(&self.is_target.iter().map(feed).collect::<Vec<_>>(), chunk.steps())?;
            self.at += chunk.steps() as u64;
        }
        Ok(())
    }
}

fn sorted(mut times: Vec<f64>) -> Vec<f64> {
    times.sort_by(f64::total_cmp);
    times
}
