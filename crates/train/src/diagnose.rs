//! When a run diverges: in which step, and which tensor went wrong first.
//!
//! The compiled step guards the loss alone, so that watching costs nothing. Parameters are scanned now and then; a copy of small
//! states is kept from each scan. When something is not finite, the steps since that copy are done again one by one (to the same
//! bits), and the step that went wrong is computed once more with every node of the graph laid open.

use crate::error::{Result, TrainError, index_of};
use gradus_data::Dataset;
use gradus_data::loader::{Loader, LoaderOptions};
use gradus_graph::{Engine, Kind, Mode, Model, Request, RunError, State};
use gradus_kernels::{Isa, Pool};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often parameters are scanned.
const INTERVAL: Duration = Duration::from_millis(200);
/// States of at most this many numbers are copied at each scan.
const SMALL: usize = 1 << 21;

/// Scans parameters, and keeps the last good state.
pub(crate) struct Watchdog {
    good: Option<State<f32>>,
    looked: Option<Instant>,
}

impl Watchdog {
    pub(crate) fn new() -> Watchdog {
        Watchdog { good: None, looked: None }
    }

    /// Whether it is time for a scan.
    pub(crate) fn is_due(&self) -> bool {
        self.looked.is_none_or(|then| then.elapsed() >= INTERVAL)
    }

    /// Whether some variable of the state is not finite.
    pub(crate) fn finds_bad(&mut self, state: &State<f32>) -> bool {
        self.looked = Some(Instant::now());
        bad_variable(state).is_some()
    }

    /// Keeps a good state, unless that would cost too much.
    pub(crate) fn remember(&mut self, state: &State<f32>) {
        if self.good.as_ref().is_some_and(|good| good.step == state.step) {
            return;
        }
        let len: usize = state.variables().map(|(_, values)| values.len()).sum();
        self.good = (len <= SMALL).then(|| state.clone());
    }
}

/// Does steps again to find the one that went wrong.
pub(crate) struct Replay<'r> {
    pub step: &'r Model,
    pub train: &'r Arc<Dataset>,
    pub options: LoaderOptions,
    pub is_target: &'r [bool],
    pub steps_per_epoch: u64,
    pub isa: Isa,
    pub pool: &'r Pool,
}

impl Replay<'_> {
    /// The error that says what went wrong. `now` is the state that was found bad, or in which a step's loss was.
    pub(crate) fn find(&self, dog: &Watchdog, now: &State<f32>, loss: Option<f64>, kept: &str) -> Result<TrainError> {
        let diverged = |step: u64, loss: f64, tensor: String| TrainError::Diverged {
            step,
            epoch: step as f64 / self.steps_per_epoch as f64,
            loss,
            tensor,
            kept: kept.into(),
        };
        let Some(mut state) = dog.good.clone() else {
            // Too large for copies: say what can be said of the state as it is.
            let tensor = match (bad_variable(now), loss) {
                (Some(bad), _) => bad,
                (None, Some(_)) => self.first_bad_node(&mut now.clone())?,
                (None, None) => "unknown".into(),
            };
            return Ok(diverged(now.step, loss.unwrap_or(f64::NAN), tensor));
        };
        let request = Request { isa: self.isa, threads: self.pool.threads(), ..Request::training(&["data_loss"]) };
        let mut engine = Engine::new(self.step, request)?;
        let mut loader = Loader::new(self.train.clone(), self.options)?;
        while state.step <= now.step {
            let place = (state.step % self.steps_per_epoch) as usize;
            if place == 0 {
                state.begin_epoch();
            }
            let before = state.clone();
            let mut chunks = loader.steps(state.step / self.steps_per_epoch, place..place + 1);
            let Some(chunk) = chunks.next_chunk() else { break };
            let feeds = feeds(self.is_target, chunk.inputs(), chunk.targets());
            let loss = match engine.run(&mut state, &feeds, chunk.batch(), 1, self.pool) {
                Ok(()) => engine.sums()[0],
                Err(RunError::Halt(halt)) => halt.value,
                Err(other) => return Err(other.into()),
            };
            let after = bad_variable(&state);
            if !loss.is_finite() || after.is_some() {
                drop(chunks);
                let step = before.step;
                let node = self.first_bad_node(&mut before.clone())?;
                let tensor = match (node.is_empty(), after) {
                    (false, _) => node,
                    (true, Some(variable)) => format!("the new value of {variable}"),
                    (true, None) => "the loss".into(),
                };
                return Ok(diverged(step, loss, tensor));
            }
        }
        Ok(diverged(now.step, loss.unwrap_or(f64::NAN), bad_variable(now).unwrap_or_else(|| "the loss".into())))
    }

    /// Computes the step that comes next in a state with every node laid open, and names the first that is not finite; empty if
    /// all are.
    fn first_bad_node(&self, state: &mut State<f32>) -> Result<String> {
        if let Some(variable) = bad_variable(state) {
            return Ok(variable);
        }
        let model = laid_open(self.step)?;
        let names: Vec<&str> = model.outputs().iter().map(|o| o.0.as_str()).collect();
        let request = Request { mode: Mode::Train, optimize: false, isa: self.isa, ..Request::predicting(&names) };
        let mut engine = Engine::new(&model, request)?;
        let mut own = State::new(&model, state.seed);
        own.copy_from(state);
        own.step = state.step;
        let mut loader = Loader::new(self.train.clone(), self.options)?;
        let place = (state.step % self.steps_per_epoch) as usize;
        let mut chunks = loader.steps(state.step / self.steps_per_epoch, place..place + 1);
        let Some(chunk) = chunks.next_chunk() else { return Ok(String::new()) };
        let feeds = feeds(self.is_target, chunk.inputs(), chunk.targets());
        engine.run(&mut own, &feeds, chunk.batch(), 1, self.pool)?;
        for (name, id) in model.outputs() {
            let values = engine.output(name).unwrap_or_default();
            if let Some(at) = first_bad(values) {
                let sizes = engine.output_sizes(name).unwrap_or_default();
                return Ok(format!("{} ({} at {})", self.describe(*id), values[at], index_of(at, sizes)));
            }
        }
        Ok(String::new())
    }

    /// A node in the user's words.
    fn describe(&self, id: usize) -> String {
        let node = &self.step.nodes()[id];
        if let Some((name, _)) = self.step.outputs().iter().find(|o| o.1 == id) {
            return match name.strip_prefix("gradient/") {
                Some(parameter) => format!("the gradient of `{parameter}`"),
                None => format!("`{name}`"),
            };
        }
        match &*node.path {
            path if path.is_empty() || path.ends_with("/gradient") => {
                let towards = self.step.outputs().iter().filter(|(name, at)| name.starts_with("gradient/") && *at > id);
                let towards = towards.min_by_key(|o| o.1).and_then(|o| o.0.strip_prefix("gradient/"));
                let of = towards.map_or_else(String::new, |p| format!(" on the way to the gradient of `{p}`"));
                format!("a `{}`{of}", node.op.name())
            }
            path => format!("`{}` in `{path}`", node.op.name()),
        }
    }
}

/// The names of parameters whose gradient is all zero in the step that comes next; an error if one is not finite.
pub(crate) fn first_gradients(
    step: &Model,
    state: &mut State<f32>,
    feeds: &[&[f32]],
    batch: usize,
    isa: Isa,
    pool: &Pool,
) -> Result<Vec<String>> {
    let names: Vec<&str> = step.outputs().iter().map(|o| o.0.as_str()).filter(|n| n.starts_with("gradient/")).collect();
    let request = Request { mode: Mode::Train, isa, ..Request::predicting(&names) };
    let mut engine = Engine::new(step, request)?;
    engine.run(state, feeds, batch, 1, pool)?;
    let mut zero = vec![];
    for name in names {
        let values = engine.output(name).unwrap_or_default();
        let parameter = name.trim_start_matches("gradient/").to_string();
        if let Some(at) = first_bad(values) {
            let place = index_of(at, engine.output_sizes(name).unwrap_or_default());
            return Err(TrainError::Gradient { parameter, value: f64::from(values[at]), place });
        }
        if !values.is_empty() && values.iter().all(|&g| g == 0.0) {
            zero.push(parameter);
        }
    }
    Ok(zero)
}

/// The step's model with every real node that the losses and gradients need as an output, in the order of computation.
fn laid_open(step: &Model) -> Result<Model> {
    let mut needed = vec![false; step.nodes().len()];
    let mut stack: Vec<usize> = step.outputs().iter().map(|o| o.1).collect();
    while let Some(id) = stack.pop() {
        if !std::mem::replace(&mut needed[id], true) {
            stack.extend(&step.nodes()[id].inputs);
        }
    }
    let (graph, _) = step.extend();
    let ids = (0..needed.len()).filter(|&id| needed[id] && step.nodes()[id].kind == Kind::Real);
    let ids = ids.filter(|&id| !step.nodes()[id].inputs.is_empty());
    let nodes: Vec<(String, gradus_graph::Node)> =
        ids.filter_map(|id| Some((format!("%{id}"), graph.node(id)?))).collect();
    Ok(graph.model(&nodes.iter().map(|(name, node)| (name.as_str(), node)).collect::<Vec<_>>())?)
}

/// The first variable with a value that is not finite, in words.
fn bad_variable(state: &State<f32>) -> Option<String> {
    let (variable, values, at) =
        state.variables().find_map(|(variable, values)| Some((variable, values, first_bad(values)?)))?;
    Some(format!("`{}` ({} at {})", variable.path, values[at], index_of(at, &variable.shape)))
}

/// The place of the first value that is not finite.
fn first_bad(values: &[f32]) -> Option<usize> {
    // All exponent bits set: a comparison of integers, which compiles to a few vector instructions.
    let bad = |x: &f32| x.to_bits() & 0x7fff_ffff >= 0x7f80_0000;
    let in_chunk = |chunk: &[f32]| chunk.iter().fold(false, |any, x| any | bad(x));
    let chunk = values.chunks(1024).position(in_chunk)?;
    values[chunk * 1024..].iter().position(bad).map(|at| chunk * 1024 + at)
}

fn feeds<'x>(is_target: &[bool], inputs: &'x [f32], targets: &'x [f32]) -> Vec<&'x [f32]> {
    is_target.iter().map(|&t| if t { targets } else { inputs }).collect()
}
