//! Looking into a network: what its layers give and what gradients come back, at the start and through training.
//!
//! [`Trainer::inspect`](crate::Trainer::inspect) trains a copy for a while and looks at it a few times;
//! [`Trainer::inspect_states`](crate::Trainer::inspect_states) looks at weights that are there. Both push the same probe, some training
//! samples, forward and back with the network in training mode (dropout drops, batch norm uses the batch), and keep for each layer:
//!
//! | what | how |
//! |---|---|
//! | activations | of each layer's output, and before its activation function: mean, standard deviation, histogram |
//! | gradients | of a sample's own loss with respect to each layer's output: norm, histogram of `log10 |g|` |
//! | dead units | 0 for every sample of the probe |
//! | saturated values | beyond the bounds of [`saturation`]; a unit is saturated where at least 95 % of its values are |
//! | symmetric layers | all units have the same output and the same gradient for every sample: they can never become different |
//! | updates | `‖Δw‖ / ‖w‖` of each parameter in the next step |
//!
//! What that means is said by [`Snapshot::findings`], with the thresholds of [`verdict`].

pub mod values;
pub mod verdict;

use crate::error::{Result, TrainError};
use crate::objective::{Objective, sum_of};
use crate::run::loader_options;
use crate::trainer::Trainer;
use gradus_data::Dataset;
use gradus_data::loader::{Loader, LoaderMode, LoaderOptions};
use gradus_graph::{Engine, Mode, Model, Node, NodeId, Request, Role, RunError, State};
use gradus_kernels::Pool;
use gradus_metrics::Metric;
use gradus_nn::step::Time;
use gradus_tensor::Rng;
use serde::Serialize;
use std::sync::Arc;
pub use values::{BINS, Histogram, Values};
pub use verdict::{Finding, Level};

/// The random stream that the probe's samples are drawn from.
const STREAM: u32 = 0x1259_EC70;
/// A unit is saturated where this share of its values is.
const SATURATED_UNIT: f64 = 0.95;
/// Units whose values differ by no more than this share of the largest are equal.
const EQUAL: f32 = 1e-6;

/// A layer to look at: nodes of the model that the trainer was made for.
#[derive(Clone, Debug, PartialEq)]
pub struct Watched {
    /// Its name: the scope of its parameters.
    pub name: String,
    /// The key of its activation function, `identity` where it has none: it says when values are saturated.
    pub activation: String,
    /// Its output.
    pub output: NodeId,
    /// What goes into its activation function, where that is another node.
    pub before: Option<NodeId>,
}

/// How long and how often to look.
#[derive(Clone, Debug, PartialEq)]
pub struct InspectOptions {
    /// How many steps to train.
    pub steps: u64,
    /// When to look, as shares of these steps.
    pub at: Vec<f64>,
    /// Samples of the probe, drawn from the training data.
    pub samples: usize,
    /// The steps of the whole run, which a schedule of the learning rate may go by; `steps` where nothing is given.
    pub run: Option<u64>,
}

impl Default for InspectOptions {
    fn default() -> InspectOptions {
        InspectOptions { steps: 1000, at: vec![0.0, 0.1, 0.5, 1.0], samples: 512, run: None }
    }
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    /// Samples of the probe.
    pub samples: usize,
    /// Steps in an epoch.
    pub steps_per_epoch: u64,
    /// One for each look.
    pub snapshots: Vec<Snapshot>,
    /// The step whose loss was not finite, if training ended with one.
    pub diverged: Option<u64>,
}

/// One look at a network.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Snapshot {
    /// What it is of: `start`, `10 %`, or the name of the weights.
    pub label: String,
    /// Steps done; unknown of weights that were given.
    pub step: Option<u64>,
    /// The loss of the probe.
    pub loss: f64,
    /// The share of the probe that is classified right; of classifiers with one output only.
    pub accuracy: Option<f64>,
    /// The layers in order.
    pub layers: Vec<LayerSnapshot>,
    /// The parameters in order.
    pub updates: Vec<Update>,
}

/// One look at a layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerSnapshot {
    /// Its name.
    pub name: String,
    /// The key of its activation function.
    pub activation: String,
    /// The number of its units: the size of the last axis.
    pub units: usize,
    /// Its output.
    pub output: Values,
    /// What goes into its activation function.
    pub before: Option<Values>,
    /// The gradient of each sample's loss with respect to the output.
    pub gradient: Values,
    /// Units that are 0 for every sample.
    pub dead: usize,
    /// The share of values at or beyond the lower bound.
    pub saturated_low: f64,
    /// The share of values at or beyond the upper bound.
    pub saturated_high: f64,
    /// Units of which at least 95 % of the values are saturated.
    pub saturated_units: usize,
    /// All units give the same and get the same gradient, for every sample: training cannot tell them apart.
    pub symmetric: bool,
}

/// What the next step does to a parameter.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Update {
    /// Its path.
    pub path: String,
    /// ‖w‖ before the step.
    pub norm: f64,
    /// ‖Δw‖
    pub change: f64,
    /// ‖Δw‖ / ‖w‖; none for a parameter that is all zero.
    pub ratio: Option<f64>,
    /// Whether it is a weight: no bias, no parameter of a normalisation.
    pub weight: bool,
}

/// Where values of an activation count as saturated, by its key: at most the first, at least the second.
///
/// | activation | bounds |
/// |---|---|
/// | sigmoid | 0.05, 0.95 (slope below a fifth of the steepest) |
/// | tanh, softsign | -0.95, 0.95 |
/// | hard sigmoid | 0, 1: its flat parts |
/// | ReLU6 | 6 above; 0 counts as dead, not as saturated |
pub fn saturation(activation: &str) -> Option<(Option<f64>, Option<f64>)> {
    match activation {
        "sigmoid" => Some((Some(0.05), Some(0.95))),
        "tanh" | "softsign" => Some((Some(-0.95), Some(0.95))),
        "hard_sigmoid" => Some((Some(0.0), Some(1.0))),
        "relu6" => Some((None, Some(6.0))),
        _ => None,
    }
}

/// The range that an activation's values cannot leave.
fn natural_range(activation: &str) -> Option<[f64; 2]> {
    match activation {
        "sigmoid" | "hard_sigmoid" | "softmax" => Some([0.0, 1.0]),
        "tanh" | "softsign" => Some([-1.0, 1.0]),
        _ => None,
    }
}

impl Trainer<'_> {
    /// Trains a copy of the initial weights for some steps and looks at it a few times.
    ///
    /// Stops, validation and what goes by them (the plateau schedule) take no part. If a loss is not finite, it looks once more and
    /// ends there.
    ///
    /// # Errors
    /// Everything that [`Trainer::fit`] refuses before its first step, a node that the model does not have, shares outside 0 to 1.
    ///
    /// ```
    /// use gradus_data::readers::Embedded;
    /// use gradus_graph::Graph;
    /// use gradus_nn::{LayerExt, init::Zero, layers::Dense, losses::CrossEntropy};
    /// use gradus_train::{Trainer, inspect::{InspectOptions, Watched}};
    /// let g = Graph::new();
    /// let hidden = g.input("x", [4]).layer(Dense::new(8).sigmoid().weight_init(Zero));
    /// let y = hidden.layer(Dense::new(3).weight_init(Zero));
    /// let model = g.model(&[("species", &y)])?;
    /// let layers = [("dense", "sigmoid", &hidden), ("dense_1", "identity", &y)].map(|(name, activation, node)| Watched {
    ///     name: name.into(), activation: activation.into(), output: node.id(), before: None,
    /// });
    /// let seen = Trainer::new(&model)
    ///     .loss("species", CrossEntropy::default())
    ///     .inspect(&Embedded::Iris.read(), &layers, &InspectOptions { steps: 20, ..InspectOptions::default() })?;
    /// assert_eq!(seen.snapshots.len(), 4);
    /// assert!(seen.snapshots.iter().all(|s| s.layers[0].symmetric), "two layers from zero stay symmetric");
    /// # Ok::<(), gradus_train::TrainError>(())
    /// ```
    pub fn inspect(&self, data: &Dataset, layers: &[Watched], options: &InspectOptions) -> Result<Inspection> {
        if let Some(bad) = options.at.iter().find(|at| !(0.0..=1.0).contains(*at)) {
            let expected = "shares from 0 to 1".to_string();
            return Err(TrainError::Option { option: "at", received: bad.to_string(), expected });
        }
        let mut probe = Probe::new(self, data, layers, options.samples, options.run.unwrap_or(options.steps))?;
        let mut state = probe.state(self.seed);
        if let Some(initial) = &self.initial {
            state.copy_from(initial);
        }
        let mut looks: Vec<u64> = options.at.iter().map(|at| (at * options.steps as f64).round() as u64).collect();
        looks.sort_unstable();
        looks.dedup();
        let mut snapshots = vec![];
        let mut diverged = None;
        for look in looks {
            diverged = probe.advance(&mut state, look)?;
            let label = match (diverged, look) {
                (Some(step), _) => format!("diverged in step {step}"),
                (None, 0) => "start".into(),
                (None, _) => format!("{:.0} %", 100.0 * look as f64 / options.steps.max(1) as f64),
            };
            let updates = probe.updates(&state)?;
            let snapshot = probe.look(&mut state, label)?;
            snapshots.push(Snapshot { step: Some(state.step), updates, ..snapshot });
            if diverged.is_some() {
                break;
            }
        }
        Ok(probe.finish(snapshots, diverged))
    }

    /// Looks at weights that are there, each with its name.
    ///
    /// # Errors
    /// As [`Trainer::inspect`].
    pub fn inspect_states(
        &self,
        data: &Dataset,
        layers: &[Watched],
        states: &[(&str, &State<f32>)],
        samples: usize,
    ) -> Result<Inspection> {
        let mut probe = Probe::new(self, data, layers, samples, 1)?;
        let mut snapshots = vec![];
        for (label, weights) in states {
            let mut state = probe.state(self.seed);
            state.copy_from(weights);
            // Without the optimiser's slots a next step would be a first one.
            let has = |path: &str| weights.variables().any(|(v, _)| v.path == path);
            let whole = probe.step.variables().iter().all(|v| v.role != Role::Slot || has(&v.path));
            let updates = if whole { probe.updates(&state)? } else { vec![] };
            snapshots.push(Snapshot { updates, ..probe.look(&mut state, (*label).to_string())? });
        }
        Ok(probe.finish(snapshots, None))
    }
}

/// Trains a copy, and looks at it.
struct Probe<'a> {
    layers: &'a [Watched],
    /// Parameters: path and whether it is a weight.
    parameters: Vec<(String, bool)>,
    step: Model,
    model: Model,
    trains: Engine<f32>,
    looks: Engine<f32>,
    loader: Loader,
    is_target: Vec<bool>,
    inputs: Vec<f32>,
    targets: Vec<f32>,
    samples: usize,
    /// The outputs that an accuracy is made of.
    counts: Option<[String; 2]>,
    pool: Pool,
}

impl<'a> Probe<'a> {
    fn new(
        trainer: &Trainer<'_>,
        data: &Dataset,
        layers: &'a [Watched],
        samples: usize,
        run: u64,
    ) -> Result<Probe<'a>> {
        if samples < 2 {
            let expected = "at least 2".to_string();
            return Err(TrainError::Option { option: "samples", received: samples.to_string(), expected });
        }
        gradus_data::check::check_training(data, trainer.batch_size)?;
        let objective = &trainer.objective;
        let options = LoaderOptions { mode: LoaderMode::Inline, ..loader_options(trainer) };
        let loader = Loader::new(Arc::new(data.clone()), options)?;
        let steps_per_epoch = loader.steps_per_epoch() as u64;
        let time = Time { per: objective.per, steps_per_epoch, total_steps: Some(run.max(1)) };
        let step = objective.step(data, Some(time))?;
        objective.check(&step, data, "training")?;
        let model = extended(&step, layers)?;

        let request = Request { isa: trainer.isa, threads: trainer.threads, ..Request::training(&["data_loss"]) };
        let trains = Engine::new(&step, request)?;
        let mut names = vec!["data_loss".to_string()];
        for (i, layer) in layers.iter().enumerate() {
            names.extend([format!("inspect/{i}/output"), format!("inspect/{i}/gradient")]);
            names.extend(layer.before.map(|_| format!("inspect/{i}/before")));
        }
        let counts = match &objective.heads[..] {
            [head] => {
                sum_of(Metric::Accuracy).map(|sum| [format!("{}/{sum}", head.output), format!("{}/count", head.output)])
            }
            _ => None,
        };
        let counts = counts.filter(|names| names.iter().all(|name| model.output_shape(name).is_some()));
        names.extend(counts.iter().flatten().cloned());
        let outputs: Vec<&str> = names.iter().map(String::as_str).collect();
        let request =
            Request { mode: Mode::Train, isa: trainer.isa, threads: trainer.threads, ..Request::predicting(&outputs) };
        let looks = Engine::new(&model, request)?;

        let mut rows: Vec<usize> = (0..data.len()).collect();
        if data.len() > samples {
            Rng::new(trainer.seed, STREAM, 0).shuffle(&mut rows);
            rows.truncate(samples);
            rows.sort_unstable();
        }
        let (width, answers) = (data.feature_len(), data.target().width());
        let inputs =
            rows.iter().flat_map(|&row| &data.input_values()[row * width..(row + 1) * width]).copied().collect();
        let mut targets = vec![0.0; rows.len() * answers];
        for (&row, y) in rows.iter().zip(targets.chunks_exact_mut(answers.max(1))) {
            data.target().write_row(row, y);
        }
        let trained = |path: &str| step.output_shape(&format!("gradient/{path}")).is_some();
        let parameters = objective.model.variables().iter().filter(|v| trained(&v.path));
        Ok(Probe {
            layers,
            parameters: parameters.map(|v| (v.path.clone(), v.role == Role::Weight)).collect(),
            trains,
            looks,
            loader,
            is_target: Objective::is_target(&step),
            step,
            model,
            inputs,
            targets,
            samples: rows.len(),
            counts,
            pool: Pool::new(trainer.threads),
        })
    }

    fn state(&self, seed: u64) -> State<f32> {
        State::new(&self.step, seed)
    }

    /// Trains until `to` steps are done. Says in which step the loss was not finite, if one was.
    fn advance(&mut self, state: &mut State<f32>, to: u64) -> Result<Option<u64>> {
        let per_epoch = self.loader.steps_per_epoch() as u64;
        while state.step < to {
            let (epoch, place) = (state.step / per_epoch, state.step % per_epoch);
            let end = (place + to - state.step).min(per_epoch);
            let mut chunks = self.loader.steps(epoch, place as usize..end as usize);
            while let Some(chunk) = chunks.next_chunk() {
                let feeds: Vec<&[f32]> =
                    self.is_target.iter().map(|&t| if t { chunk.targets() } else { chunk.inputs() }).collect();
                match self.trains.run(state, &feeds, chunk.batch(), chunk.steps(), &self.pool) {
                    Ok(()) => {}
                    Err(RunError::Halt(halt)) => return Ok(Some(halt.step)),
                    Err(other) => return Err(other.into()),
                }
            }
        }
        Ok(None)
    }

    fn look(&mut self, state: &mut State<f32>, label: String) -> Result<Snapshot> {
        let mut own = State::new(&self.model, state.seed);
        own.copy_from(state);
        own.step = state.step;
        let feeds: Vec<&[f32]> =
            self.is_target.iter().map(|&t| if t { &self.targets[..] } else { &self.inputs[..] }).collect();
        self.looks.run(&mut own, &feeds, self.samples, 1, &self.pool)?;
        let values = |name: &str| self.looks.output(name).unwrap_or_default();
        let number = |name: &str| values(name).first().map_or(f64::NAN, |&x| f64::from(x));
        let layers = self.layers.iter().enumerate().map(|(i, layer)| {
            let name = |what: &str| format!("inspect/{i}/{what}");
            let units = self
                .looks
                .output_sizes(&name("output"))
                .and_then(|sizes| sizes.last())
                .map_or(1, |&units| units.max(1));
            // The loss is a mean over the samples: each sample's own gradient is as many times larger.
            let before = layer.before.map(|_| values(&name("before")));
            of_layer(layer, units, self.samples, values(&name("output")), values(&name("gradient")), before)
        });
        let (loss, layers) = (number("data_loss"), layers.collect());
        let accuracy = self.counts.as_ref().map(|[right, all]| number(right) / number(all));
        Ok(Snapshot { label, step: None, loss, accuracy, layers, updates: vec![] })
    }

    /// What the next step does to each parameter; nothing where it diverges.
    fn updates(&mut self, state: &State<f32>) -> Result<Vec<Update>> {
        let mut after = state.clone();
        if self.advance(&mut after, state.step + 1)?.is_some() {
            return Ok(vec![]);
        }
        let root = |squares: f64| squares.sqrt();
        let update = |(path, weight): &(String, bool)| {
            let (old, new) = (state.variable(path)?, after.variable(path)?);
            let norm = root(old.iter().map(|&w| f64::from(w).powi(2)).sum());
            let change = root(old.iter().zip(new).map(|(&w, &v)| (f64::from(v) - f64::from(w)).powi(2)).sum());
            let ratio = (norm > 0.0).then(|| change / norm);
            Some(Update { path: path.clone(), norm, change, ratio, weight: *weight })
        };
        Ok(self.parameters.iter().filter_map(update).collect())
    }

    fn finish(self, snapshots: Vec<Snapshot>, diverged: Option<u64>) -> Inspection {
        let (samples, steps_per_epoch) = (self.samples, self.loader.steps_per_epoch() as u64);
        let mut inspection = Inspection { samples, steps_per_epoch, snapshots, diverged };
        Inspection::share_axes(&mut [&mut inspection]);
        inspection
    }
}

impl Inspection {
    /// Draws all histograms anew over common ranges: one for the layers of each activation function, one for all gradients. What an
    /// inspection gives is drawn so by itself; this puts several side by side.
    pub fn share_axes(all: &mut [&mut Inspection]) {
        fn layers<'i>(all: &'i [&mut Inspection]) -> impl Iterator<Item = &'i LayerSnapshot> {
            all.iter().flat_map(|one| &one.snapshots).flat_map(|s| &s.layers)
        }
        let gradients = values::range(layers(all).map(|l| &l.gradient), true);
        let mut kinds: Vec<String> = layers(all).map(|l| l.activation.clone()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        for kind in kinds {
            let of_kind = || layers(all).filter(|l| l.activation == kind);
            let range = natural_range(&kind).unwrap_or_else(|| values::range(of_kind().map(|l| &l.output), false));
            let before = values::range(of_kind().filter_map(|l| l.before.as_ref()), false);
            let snapshots = all.iter_mut().flat_map(|one| &mut one.snapshots);
            for layer in snapshots.flat_map(|s| &mut s.layers).filter(|l| l.activation == kind) {
                layer.output.draw(range, false);
                layer.before.iter_mut().for_each(|values| values.draw(before, false));
                layer.gradient.draw(gradients, true);
            }
        }
    }
}

/// The step's model with the layers' outputs and their gradients as outputs.
fn extended(step: &Model, layers: &[Watched]) -> Result<Model> {
    let (graph, mut outputs) = step.extend();
    let node = |id: NodeId| {
        graph.node(id).ok_or_else(|| TrainError::Fit {
            what: "a layer to look at is not in the model".into(),
            expected: format!("a node below {}", step.nodes().len()),
            received: id.to_string(),
            help: "take the node from the graph that the model was made of".into(),
        })
    };
    let watched = layers.iter().map(|layer| node(layer.output)).collect::<Result<Vec<Node>>>()?;
    let loss = outputs.iter().find(|(name, _)| name == "data_loss").map(|(_, node)| node.clone());
    let loss = loss.ok_or_else(|| TrainError::Internal("the extended model lacks `data_loss`".into()))?;
    let gradients = graph.gradients(&loss, &watched.iter().collect::<Vec<_>>())?;
    for (i, ((layer, output), gradient)) in layers.iter().zip(&watched).zip(gradients).enumerate() {
        outputs.push((format!("inspect/{i}/output"), output.clone()));
        outputs.push((format!("inspect/{i}/gradient"), gradient));
        if let Some(before) = layer.before {
            outputs.push((format!("inspect/{i}/before"), node(before)?));
        }
    }
    Ok(graph.model(&outputs.iter().map(|(name, node)| (name.as_str(), node)).collect::<Vec<_>>())?)
}

fn of_layer(
    layer: &Watched,
    units: usize,
    samples: usize,
    output: &[f32],
    gradient: &[f32],
    before: Option<&[f32]>,
) -> LayerSnapshot {
    let rows = (output.len() / units).max(1);
    let (low, high) = saturation(&layer.activation).unwrap_or_default();
    let is_low = |y: f32| low.is_some_and(|low| f64::from(y) <= low);
    let is_high = |y: f32| high.is_some_and(|high| f64::from(y) >= high);
    let (mut alive, mut saturated) = (vec![false; units], vec![0usize; units]);
    let (mut lows, mut highs) = (0usize, 0usize);
    for row in output.chunks_exact(units) {
        for ((&y, alive), saturated) in row.iter().zip(&mut alive).zip(&mut saturated) {
            *alive |= y != 0.0;
            lows += usize::from(is_low(y));
            highs += usize::from(is_high(y));
            *saturated += usize::from(is_low(y) || is_high(y));
        }
    }
    let share = |count: usize| count as f64 / output.len().max(1) as f64;
    LayerSnapshot {
        name: layer.name.clone(),
        activation: layer.activation.clone(),
        units,
        output: Values::new(output, samples, 1.0),
        before: before.map(|before| Values::new(before, samples, 1.0)),
        gradient: Values::new(gradient, samples, samples as f64),
        dead: alive.iter().filter(|alive| !**alive).count(),
        saturated_low: share(lows),
        saturated_high: share(highs),
        saturated_units: saturated.iter().filter(|&&count| count as f64 >= SATURATED_UNIT * rows as f64).count(),
        symmetric: units > 1 && all_equal(before.unwrap_or(output), units) && all_equal(gradient, units),
    }
}

/// Whether all units have the same value in each row.
fn all_equal(values: &[f32], units: usize) -> bool {
    let largest = values.iter().fold(0f32, |largest, x| largest.max(x.abs()));
    values.chunks_exact(units).all(|row| row.iter().all(|x| (x - row[0]).abs() <= EQUAL * largest))
}
