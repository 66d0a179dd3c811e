//! What a model is trained for and judged by: a loss on each output, and metrics.

use crate::error::{Result, TrainError, list};
use gradus_data::{Dataset, Target as Truth};
use gradus_graph::{Graph, Kind, Model, Node, Op, ShapeError};
use gradus_metrics::{Evaluator, Metric, Task};
use gradus_nn::losses::{self, Loss, Target};
use gradus_nn::optimizers::{Optimizer, Step};
use gradus_nn::regularizers::Tying;
use gradus_nn::schedules::Per;
use gradus_nn::step::Time;
use gradus_nn::updates::{Decay, Group};
use gradus_nn::{AnyClip, AnyRegularizer, AnySchedule, TrainStep};
use gradus_tensor::Shape;
use std::sync::Arc;

/// A loss that several models share.
pub(crate) type SharedLoss = Arc<dyn Loss + Send + Sync>;

/// An optimiser that several models share.
#[derive(Clone)]
pub(crate) struct SharedOptimizer(pub Arc<dyn Optimizer + Send + Sync>);

impl Optimizer for SharedOptimizer {
    fn lr(&self) -> f64 {
        self.0.lr()
    }

    fn weight_decay(&self) -> f64 {
        self.0.weight_decay()
    }

    fn update(&self, w: &Node, g: &Node, step: &Step) -> Node {
        self.0.update(w, g, step)
    }

    fn check(&self) -> std::result::Result<(), ShapeError> {
        self.0.check()
    }
}

/// One output with its loss and metrics.
#[derive(Clone)]
pub(crate) struct Head {
    pub output: String,
    pub loss: SharedLoss,
    pub weight: f64,
    pub metrics: Vec<Metric>,
}

/// A model with what it is trained for.
#[derive(Clone)]
pub(crate) struct Objective {
    pub model: Model,
    pub heads: Vec<Head>,
    pub optimizer: SharedOptimizer,
    pub regularizer: Option<AnyRegularizer>,
    pub tying: Vec<Tying>,
    pub decay: Decay,
    pub groups: Vec<Group>,
    pub clip: Option<AnyClip>,
    pub max_norm: Option<f64>,
    pub schedule: AnySchedule,
    pub per: Per,
}

impl Objective {
    /// The model with losses, gradients and updates, for targets as these data have them. Without the time of a run the learning rate
    /// stays as it is at the start.
    pub(crate) fn step(&self, data: &Dataset, time: Option<Time>) -> Result<Model> {
        let form = if matches!(data.target(), Truth::Values { .. }) { Target::Soft } else { Target::Usual };
        let mut step = TrainStep::new(self.optimizer.clone()).decay(self.decay);
        for head in &self.heads {
            step = step.loss(&head.output, head.loss.clone()).target(form).weight(head.weight);
        }
        if let Some(regularizer) = &self.regularizer {
            step = step.regularizer(regularizer.clone());
        }
        if let Some(clip) = &self.clip {
            step = step.clip(clip.clone());
        }
        if let Some(limit) = self.max_norm {
            step = step.max_norm(limit);
        }
        if let Some(time) = time {
            step = step.schedule(self.schedule.clone(), time);
        }
        step = self.groups.iter().cloned().fold(step, TrainStep::group);
        step = self.tying.iter().cloned().fold(step, TrainStep::tying);
        Ok(step.build(&self.model)?)
    }

    /// The numbers that a step of training adds up: the loss, and what metrics need.
    pub(crate) fn sums(&self) -> Vec<String> {
        let mut sums = vec!["data_loss".to_string()];
        for head in &self.heads {
            for name in head.metrics.iter().filter_map(|&m| sum_of(m)).flat_map(|name| [name, "count"]) {
                let full = format!("{}/{name}", head.output);
                if !sums.contains(&full) {
                    sums.push(full);
                }
            }
        }
        sums
    }

    /// What an output predicts.
    pub(crate) fn task(&self, step: &Model, head: &Head) -> Task {
        let Some(y) = step.output_shape(&head.output) else { return Task::Values(1) };
        let width = y.dims().iter().skip(1).filter_map(|d| d.fixed()).product::<usize>();
        match head.loss.task(y) {
            losses::Task::Classes => Task::Classes(y.dims().last().and_then(|d| d.fixed()).unwrap_or(width)),
            losses::Task::Binary | losses::Task::Sign => Task::Binary,
            losses::Task::Values => Task::Values(width),
        }
    }

    /// Whether an output is a score whose sign says yes or no, and no probability.
    pub(crate) fn is_score(&self, step: &Model, head: &Head) -> bool {
        step.output_shape(&head.output).is_some_and(|y| head.loss.task(y) == losses::Task::Sign)
    }

    /// Refuses metrics of another kind of task, and metrics of probabilities where there are none.
    pub(crate) fn check_metrics(&self, step: &Model) -> Result<()> {
        for head in &self.heads {
            Evaluator::new(self.task(step, head), &head.metrics)?;
            let needy = |m: &&Metric| matches!(m, Metric::LogLoss | Metric::Auc);
            if let (true, Some(metric)) = (self.is_score(step, head), head.metrics.iter().find(needy)) {
                return Err(TrainError::Fit {
                    what: format!("the metric `{metric}` does not fit output `{}`", head.output),
                    expected: "probabilities".into(),
                    received: format!("scores, under the loss `{}`", head.loss.name()),
                    help: "ask for `accuracy`, or train with `binary_cross_entropy`".into(),
                });
            }
        }
        Ok(())
    }

    /// Checks that data fit the model: the inputs' size, classes or values, and their number. `part` names the data.
    pub(crate) fn check(&self, step: &Model, data: &Dataset, part: &str) -> Result<()> {
        let fit = |what: String, expected: String, received: String, help: &str| {
            Err(TrainError::Fit { what, expected, received, help: help.into() })
        };
        let [input] = self.model.inputs() else {
            let names = list(self.model.inputs().iter().map(|i| &i.name));
            let what = "the trainer feeds one input of a model".into();
            return fit(what, "a model with one input".into(), names, "run the engine yourself, or join the inputs");
        };
        let features = data.feature_shape();
        let expected: Vec<usize> = input.shape.dims().iter().skip(1).map(|d| d.at(1)).collect();
        let flat = expected.len() <= 1 || features.len() <= 1;
        if expected != features && !(flat && expected.iter().product::<usize>() == data.feature_len()) {
            return fit(
                format!("the {part} data do not fit the model's input `{}`", input.name),
                format!("{expected:?} numbers for each sample"),
                format!("{features:?}"),
                "correct the size of the model's input, or the columns that are read",
            );
        }
        for head in &self.heads {
            let target = format!("{}/target", head.output);
            let Some(target) = step.inputs().iter().find(|i| i.name == target) else { continue };
            let needs = target.shape.len_at(1);
            match (data.target(), self.task(step, head)) {
                (Truth::None, _) => {
                    let what = format!("the {part} data have no target");
                    let help = "say which column or file holds what is to be predicted";
                    return fit(what, format!("a target for output `{}`", head.output), "inputs only".into(), help);
                }
                (Truth::Classes { classes, .. }, task @ (Task::Classes(_) | Task::Binary)) if needs == 1 => {
                    let units = if let Task::Classes(units) = task { units } else { 2 };
                    if units != classes.len() {
                        let help = match task {
                            Task::Binary => "end the network with one unit for each class and use `cross_entropy`",
                            _ => "end the network with one unit for each class",
                        };
                        let what = format!("the {part} data's classes do not fit output `{}`", head.output);
                        return fit(
                            what,
                            format!("{units} classes"),
                            format!("{}: {}", classes.len(), list(classes)),
                            help,
                        );
                    }
                }
                (Truth::Values { values, .. }, _) if target.kind == Kind::Real => {
                    if values.row_len() != needs {
                        let what = format!("the {part} data's targets do not fit output `{}`", head.output);
                        let (expected, received) = (format!("{needs} values for each sample"), values.row_len());
                        return fit(
                            what,
                            expected,
                            received.to_string(),
                            "end the network with one unit for each value",
                        );
                    }
                    check_targets(head, &target.shape, &values.to_f32(), part)?;
                }
                (Truth::Classes { .. }, _) => {
                    let what = format!("the loss on output `{}` does not fit the {part} data", head.output);
                    let help = "use `cross_entropy` or `binary_cross_entropy`, or read the target as values";
                    return fit(what, "real values".into(), "class labels".into(), help);
                }
                (Truth::Values { .. }, _) => {
                    let what = format!("the loss on output `{}` does not fit the {part} data", head.output);
                    let help = "use a loss of regressions such as `mse`, or read the target as classes";
                    return fit(what, "class labels".into(), "real values".into(), help);
                }
            }
        }
        Ok(())
    }

    /// For each input of the extended model, whether it is a target.
    pub(crate) fn is_target(step: &Model) -> Vec<bool> {
        step.inputs().iter().map(|i| i.name.ends_with("/target")).collect()
    }

    /// A score's name: plain with one output, `OUTPUT/NAME` with several.
    pub(crate) fn name(&self, head: &Head, name: &str) -> String {
        if self.heads.len() == 1 { name.into() } else { format!("{}/{name}", head.output) }
    }

    /// A monitor as scores are named: with one output `valid/OUTPUT/loss` is `valid/loss`.
    pub(crate) fn monitor(&self, name: &str) -> String {
        match (&self.heads[..], name.split_once('/')) {
            ([head], Some((part, rest))) => {
                let plain = rest.strip_prefix(&head.output).and_then(|rest| rest.strip_prefix('/'));
                format!("{part}/{}", plain.unwrap_or(rest))
            }
            _ => name.into(),
        }
    }

    /// What can be watched in a run.
    pub(crate) fn monitors(&self, valid: bool) -> Vec<String> {
        let mut names = vec!["train/loss".to_string()];
        if valid {
            names.push("valid/loss".into());
        }
        for head in &self.heads {
            if self.heads.len() > 1 {
                names.extend(valid.then(|| format!("valid/{}/loss", head.output)));
            }
            for metric in &head.metrics {
                let name = self.name(head, &metric.to_string());
                if sum_of(*metric).is_some() {
                    names.push(format!("train/{name}"));
                }
                names.extend(valid.then(|| format!("valid/{name}")));
            }
        }
        names
    }
}

/// Checks targets that are given as numbers, row by row along the output's last axis.
fn check_targets(head: &Head, shape: &Shape, values: &[f32], part: &str) -> Result<()> {
    let each = shape.dims().iter().skip(1).next_back().and_then(|d| d.fixed()).unwrap_or(1);
    let rows = shape.len_at(1) / each;
    for (i, numbers) in values.chunks_exact(each).enumerate() {
        head.loss.check_target(numbers).map_err(|error| TrainError::Fit {
            what: format!(
                "the {part} data's target in row {} does not fit the loss `{}` on output `{}`",
                i / rows,
                head.loss.name(),
                head.output
            ),
            expected: error.expected,
            received: error.received,
            help: error.help,
        })?;
    }
    Ok(())
}

/// A model with one output: what `loss` says that `output` predicts, or the output itself.
pub(crate) fn predicting(model: &Model, output: &str, loss: Option<&dyn Loss>) -> Result<(Model, String)> {
    let (graph, outputs): (Graph, Vec<(String, Node)>) = model.extend();
    let Some((_, y)) = outputs.iter().find(|(name, _)| name == output) else {
        return Err(unknown_output(model, output));
    };
    let said = loss.and_then(|loss| loss.predictions(y).into_iter().next());
    let (name, node) = match said {
        Some((name, node)) => (format!("{output}/{name}"), node),
        None => (output.into(), y.clone()),
    };
    Ok((graph.model(&[(&name, &node)])?, name))
}

pub(crate) fn unknown_output(model: &Model, name: &str) -> TrainError {
    let known = list(model.outputs().iter().map(|o| &o.0));
    gradus_graph::GraphError::Unknown { what: "output", name: name.into(), known }.into()
}

/// The sum that a metric is made of, and is divided by `count`.
pub(crate) fn sum_of(metric: Metric) -> Option<&'static str> {
    match metric {
        Metric::Accuracy => Some("correct"),
        Metric::Mse | Metric::Rmse => Some("squared_error"),
        Metric::Mae => Some("absolute_error"),
        _ => None,
    }
}

/// A metric from its sum and count.
pub(crate) fn from_sum(metric: Metric, sum: f64, count: f64) -> f64 {
    if metric == Metric::Rmse { (sum / count).sqrt() } else { sum / count }
}

/// The text of a model without its lines of source: two models with the same text compute the same.
pub(crate) fn fingerprint(step: &Model) -> String {
    debug_assert!(step.nodes().iter().all(|n| !matches!(n.op, Op::Poison)));
    gradus_data::digest::sha256(step.to_string().as_bytes()).unwrap_or_default()
}
