//! The trainer: a model, a loss, data, and it learns.

use crate::callback::Callback;
use crate::checkpoint::{Best, Checkpoints};
use crate::error::{Result, TrainError};
use crate::evaluate::{Evaluation, Examiner, has_target};
use crate::gradient_check::{GradientCheck, GradientCheckOptions};
use crate::history::{Record, Scores};
use crate::interrupt::Interrupt;
use crate::objective::{Head, Objective, SharedOptimizer, unknown_output};
use crate::predict::Predictor;
use crate::run::Run;
use crate::stops::AnyStop;
use gradus_data::Dataset;
use gradus_data::loader::LoaderMode;
use gradus_graph::{Model, State};
use gradus_kernels::{Isa, Pool};
use gradus_metrics::Metric;
use gradus_nn::losses::Loss;
use gradus_nn::optimizers::{Adam, Optimizer};
use gradus_nn::regularizers::Tying;
use gradus_nn::schedules::Per;
use gradus_nn::updates::{Decay, Group};
use gradus_nn::{AnyClip, AnyRegularizer, AnySchedule};
use std::path::PathBuf;
use std::sync::Arc;

/// Trains a model.
///
/// What is not set: Adam with its defaults, batches of 32, seed 0, every core, one record per epoch. The best weights are what you
/// get: those with the lowest validation loss, or training loss where there are no validation data.
///
/// ```
/// use gradus_data::readers::Embedded;
/// use gradus_data::split::{Holdout, hold_out};
/// use gradus_graph::Graph;
/// use gradus_metrics::Metric;
/// use gradus_nn::{LayerExt, layers::Dense, losses::CrossEntropy, optimizers::Adam};
/// use gradus_train::{Epochs, Patience, Trainer};
///
/// let (train, mut parts) = hold_out(&Embedded::Iris.read(), &[Holdout::fraction(0.2)], 7)?;
/// let valid = parts.remove(0);
/// let g = Graph::new();
/// let y = g.input("x", [4]).layer(Dense::new(16).relu()).layer(Dense::new(3));
/// let model = g.model(&[("species", &y)])?;
///
/// let outcome = Trainer::new(&model)
///     .loss("species", CrossEntropy::default())
///     .optimizer(Adam { lr: 0.01, ..Adam::default() })
///     .metric("species", Metric::Accuracy)
///     .stop(Patience::new(10))
///     .batch_size(16)
///     .fit(&train, &valid, Epochs(100))?;
/// assert!(outcome.evaluate(&valid)?.scores["accuracy"] > 0.9);
/// # Ok::<(), gradus_train::TrainError>(())
/// ```
pub struct Trainer<'a> {
    pub(crate) objective: Objective,
    pub(crate) metrics: Vec<(String, Metric)>,
    pub(crate) callbacks: Vec<Box<dyn Callback + 'a>>,
    pub(crate) stops: Vec<AnyStop>,
    pub(crate) batch_size: usize,
    pub(crate) shuffle: bool,
    pub(crate) seed: u64,
    pub(crate) threads: usize,
    pub(crate) isa: Isa,
    pub(crate) loader: LoaderMode,
    pub(crate) validate_every: f64,
    pub(crate) keep: Keep,
    pub(crate) checkpoints: Option<Checkpoints>,
    pub(crate) resume: Option<PathBuf>,
    pub(crate) initial: Option<State<f32>>,
    pub(crate) interrupt: Interrupt,
    /// How it trains again on all of the data, while it does.
    pub(crate) retraining: Option<String>,
}

/// Which weights a run returns.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Keep {
    /// Those with the best validation loss, or training loss where there are no validation data.
    #[default]
    Best,
    /// Those with the best value of this monitor, such as `valid/accuracy`.
    BestOf(String),
    /// Those of the last step.
    Last,
}

/// Training data: `&Dataset` is copied once, an [`Arc`] or a value is not.
pub trait TrainingData {
    /// The data, to share with the thread that prepares batches.
    fn shared(self) -> Arc<Dataset>;
}

impl TrainingData for &Dataset {
    fn shared(self) -> Arc<Dataset> {
        Arc::new(self.clone())
    }
}

impl TrainingData for Dataset {
    fn shared(self) -> Arc<Dataset> {
        Arc::new(self)
    }
}

impl TrainingData for Arc<Dataset> {
    fn shared(self) -> Arc<Dataset> {
        self
    }
}

impl TrainingData for &Arc<Dataset> {
    fn shared(self) -> Arc<Dataset> {
        self.clone()
    }
}

/// What a run gave.
#[derive(Clone)]
pub struct Outcome {
    /// Why it ended: the key of a stop (`epochs`, `loss_below`, …), what a callback said, or `interrupted`.
    pub stopped_by: String,
    /// The weights to use: the best, or the last if those were asked for.
    pub state: State<f32>,
    /// The weights after the last step.
    pub last: State<f32>,
    /// The best value and where it was, unless the last weights were asked for.
    pub best: Option<Best>,
    /// All records.
    pub history: Vec<Record>,
    /// Epochs done, with their fraction.
    pub epochs: f64,
    /// Steps done.
    pub steps: u64,
    /// Seconds of training, those before a resumption included.
    pub seconds: f64,
    /// What looked odd: parameters whose gradient was zero in the first step, …
    pub warnings: Vec<String>,
    pub(crate) objective: Objective,
    pub(crate) batch_size: usize,
    pub(crate) threads: usize,
    pub(crate) isa: Isa,
}

impl<'a> Trainer<'a> {
    /// A trainer for this model, so far without a loss.
    pub fn new(model: &Model) -> Trainer<'a> {
        Trainer {
            objective: Objective {
                model: model.clone(),
                heads: vec![],
                optimizer: SharedOptimizer(Arc::new(Adam::default())),
                regularizer: None,
                tying: vec![],
                decay: Decay::default(),
                groups: vec![],
                clip: None,
                max_norm: None,
                schedule: AnySchedule::default(),
                per: Per::default(),
            },
            metrics: vec![],
            callbacks: vec![],
            stops: vec![],
            batch_size: 32,
            shuffle: true,
            seed: 0,
            threads: std::thread::available_parallelism().map_or(1, usize::from),
            isa: Isa::detect(),
            loader: LoaderMode::Auto,
            validate_every: 1.0,
            keep: Keep::default(),
            checkpoints: None,
            resume: None,
            initial: None,
            interrupt: Interrupt::new(),
            retraining: None,
        }
    }

    /// A loss on a named output. Several losses are added up.
    pub fn loss(self, output: impl Into<String>, loss: impl Loss + Send + Sync + 'static) -> Self {
        self.weighted_loss(output, loss, 1.0)
    }

    /// A loss on a named output with its share in the sum.
    pub fn weighted_loss(
        mut self,
        output: impl Into<String>,
        loss: impl Loss + Send + Sync + 'static,
        weight: f64,
    ) -> Self {
        let (output, loss) = (output.into(), Arc::new(loss));
        self.objective.heads.push(Head { output, loss, weight, metrics: vec![] });
        self
    }

    /// How parameters follow their gradients.
    pub fn optimizer(mut self, optimizer: impl Optimizer + Send + Sync + 'static) -> Self {
        self.objective.optimizer = SharedOptimizer(Arc::new(optimizer));
        self
    }

    /// A penalty on weights.
    pub fn regularizer(mut self, regularizer: impl Into<AnyRegularizer>) -> Self {
        self.objective.regularizer = Some(regularizer.into());
        self
    }

    /// Which parameters weight decay and the regulariser touch: weights by default.
    pub fn decay(mut self, decay: Decay) -> Self {
        self.objective.decay = decay;
        self
    }

    /// A penalty on the difference of two parameters.
    pub fn tying(mut self, tying: Tying) -> Self {
        self.objective.tying.push(tying);
        self
    }

    /// Parameters, by a pattern of their paths, that are treated otherwise than the rest. Of several groups that fit one, the first has it.
    pub fn group(mut self, group: Group) -> Self {
        self.objective.groups.push(group);
        self
    }

    /// What is done to gradients that are too large.
    pub fn clip(mut self, clip: impl Into<AnyClip>) -> Self {
        self.objective.clip = Some(clip.into());
        self
    }

    /// After each step the weights of a unit are scaled back to this norm where theirs is larger.
    pub fn max_norm(mut self, limit: f64) -> Self {
        self.objective.max_norm = Some(limit);
        self
    }

    /// How the learning rate moves during the run: it stays by default.
    pub fn schedule(mut self, schedule: impl Into<AnySchedule>) -> Self {
        self.objective.schedule = schedule.into();
        self
    }

    /// What the schedule's time and lengths count: epochs with their fractions by default.
    pub fn schedule_per(mut self, per: Per) -> Self {
        self.objective.per = per;
        self
    }

    /// A metric of a named output, counted over all of the validation data at every record. Accuracy, MSE, RMSE and MAE are counted
    /// over the training steps too.
    pub fn metric(mut self, output: impl Into<String>, metric: Metric) -> Self {
        self.metrics.push((output.into(), metric));
        self
    }

    /// Calls this at every event; in the order added.
    pub fn callback(mut self, callback: impl Callback + 'a) -> Self {
        self.callbacks.push(Box::new(callback));
        self
    }

    /// One more condition that ends a run. Of several that are met at once, the first added names the reason; limits of epochs, steps
    /// and time come last.
    pub fn stop(mut self, stop: impl Into<AnyStop>) -> Self {
        self.stops.push(stop.into());
        self
    }

    /// Samples per step.
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Whether each epoch has its own random order; it has by default.
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.shuffle = shuffle;
        self
    }

    /// The seed of initial weights, of the order of samples and of random layers.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The most threads to use. The result does not depend on it.
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// The instruction set, to repeat the bits of a narrower machine.
    pub fn isa(mut self, isa: Isa) -> Self {
        self.isa = isa;
        self
    }

    /// Who gathers batches: a thread of its own where that pays, unless set. With several runs side by side, one for each core,
    /// [`LoaderMode::Inline`] keeps them from each other's cores. The result does not depend on it.
    pub fn loader(mut self, mode: LoaderMode) -> Self {
        self.loader = mode;
        self
    }

    /// How often a record is made, in epochs; fractions allowed. Stops that look more often add records of their own.
    pub fn validate_every(mut self, epochs: f64) -> Self {
        self.validate_every = epochs;
        self
    }

    /// Which weights to return.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Writes checkpoints.
    pub fn checkpoints(mut self, checkpoints: Checkpoints) -> Self {
        self.checkpoints = Some(checkpoints);
        self
    }

    /// Goes on from a checkpoint, to the end that the run would have had without interruption.
    pub fn resume(mut self, path: impl Into<PathBuf>) -> Self {
        self.resume = Some(path.into());
        self
    }

    /// Starts from these weights, as far as they have the model's paths and sizes, instead of from random ones.
    pub fn initial(mut self, state: State<f32>) -> Self {
        self.initial = Some(state);
        self
    }

    /// A flag that ends the run.
    pub fn interrupt(mut self, interrupt: Interrupt) -> Self {
        self.interrupt = interrupt;
        self
    }

    /// Trains until `until` (`Epochs(20)`, `Steps(1000)`, …) or another stop ends the run. `valid` is a `&Dataset` or `None`.
    ///
    /// # Errors
    /// Everything that does not fit, before the first step: model, loss, data, metrics, stops, checkpoint. Later: a loss or gradient that
    /// is not finite ([`TrainError::Diverged`]), a checkpoint that cannot be written, a callback that fails.
    pub fn fit<'v>(
        &mut self,
        train: impl TrainingData,
        valid: impl Into<Option<&'v Dataset>>,
        until: impl Into<AnyStop>,
    ) -> Result<Outcome> {
        self.assign_metrics()?;
        Run::new(self, train.shared(), valid.into(), until.into())?.go()
    }

    /// Checks all that [`Trainer::fit`] checks before the first step: whether model, loss, data, metrics, stops and files fit.
    ///
    /// # Errors
    /// Whatever does not fit.
    pub fn check<'v>(
        &mut self,
        train: impl TrainingData,
        valid: impl Into<Option<&'v Dataset>>,
        until: impl Into<AnyStop>,
    ) -> Result<()> {
        self.assign_metrics()?;
        Run::new(self, train.shared(), valid.into(), until.into()).map(drop)
    }

    /// Loss and metrics of weights (those of an [`Outcome`] or of a model file) on data.
    pub fn evaluate(&mut self, state: &State<f32>, data: &Dataset) -> Result<Evaluation> {
        self.assign_metrics()?;
        evaluate(&self.objective, state, data, self.batch_size, self.isa, self.threads)
    }

    /// A predictor of an output, with these weights.
    pub fn predictor(&self, output: &str, state: &State<f32>) -> Result<Predictor> {
        self.objective.predict(output, state)
    }

    /// Compares the compiled gradients of the first batch of `data`, with the initial weights, to central differences in `f64`.
    pub fn gradient_check(&self, data: &Dataset, options: GradientCheckOptions) -> Result<GradientCheck> {
        gradus_data::check::check_training(data, self.batch_size)?;
        let step = self.objective.step(data, None)?;
        self.objective.check(&step, data, "training")?;
        GradientCheck::new(&step, data, self.batch_size, self.seed, self.initial.as_ref(), options)
    }

    /// The model with losses, gradients and updates that a run on these data would compile, but for a schedule.
    pub fn step(&self, data: &Dataset) -> Result<Model> {
        self.objective.step(data, None)
    }

    /// Gives each metric to its output's head.
    pub(crate) fn assign_metrics(&mut self) -> Result<()> {
        for (output, metric) in self.metrics.drain(..) {
            let Some(head) = self.objective.heads.iter_mut().find(|head| head.output == output) else {
                if self.objective.model.output_shape(&output).is_none() {
                    return Err(unknown_output(&self.objective.model, &output));
                }
                return Err(TrainError::Fit {
                    what: format!("metric `{metric}` is asked of output `{output}`"),
                    expected: "an output with a loss".into(),
                    received: "one without".into(),
                    help: "add a loss to the output: the loss says what it means".into(),
                });
            };
            if !head.metrics.contains(&metric) {
                head.metrics.push(metric);
            }
        }
        Ok(())
    }
}

impl Outcome {
    /// Loss and metrics of the returned weights on data.
    pub fn evaluate(&self, data: &Dataset) -> Result<Evaluation> {
        evaluate(&self.objective, &self.state, data, self.batch_size, self.isa, self.threads)
    }

    /// A predictor of an output with the returned weights.
    pub fn predictor(&self, output: &str) -> Result<Predictor> {
        self.objective.predict(output, &self.state)
    }

    /// The scores of the record that the returned weights belong to: `(train, valid)`.
    pub fn scores(&self) -> Option<(&Scores, Option<&Scores>)> {
        let step = self.best.as_ref().map_or(self.steps, |best| best.step);
        let record = self.history.iter().rev().find(|record| record.step == step)?;
        Some((&record.train, record.valid.as_ref()))
    }
}

impl Objective {
    fn predict(&self, output: &str, state: &State<f32>) -> Result<Predictor> {
        let head = self.heads.iter().find(|head| head.output == output);
        Predictor::new(&self.model, output, head.map(|head| &*head.loss as &dyn Loss), state)
    }
}

/// Evaluates weights once, with everything that a report shows.
fn evaluate(
    objective: &Objective,
    state: &State<f32>,
    data: &Dataset,
    batch_size: usize,
    isa: Isa,
    threads: usize,
) -> Result<Evaluation> {
    gradus_data::check::check_part(data, "evaluation")?;
    if !has_target(data) {
        return Err(TrainError::Fit {
            what: "the evaluation data have no target".into(),
            expected: "inputs and targets".into(),
            received: "inputs only".into(),
            help: "predict instead, or say which column or file holds the target".into(),
        });
    }
    let step = objective.step(data, None)?;
    objective.check(&step, data, "evaluation")?;
    let mut own = State::new(&step, state.seed);
    own.copy_from(state);
    let mut examiner = Examiner::new(objective, &step, data, batch_size, true, isa, threads)?;
    let scores = examiner.examine(&mut own, &Pool::new(threads))?;
    Ok(Evaluation { scores, confusion: examiner.confusion(), rows: data.len() })
}
