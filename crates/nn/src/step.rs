//! From a network to everything a trainer compiles: losses, what is counted, gradients, and updates, in one extended [`Model`].
//!
//! # What the extended model offers
//!
//! With a loss on output `class`, [`TrainStep::build`] gives a model for training (updates, and the sums `data_loss`, …) and for
//! evaluation (mode predict, without updates: the sums below, `class/probabilities`) over the same state. [`TrainStep::predictor`] gives
//! the model that predicts: it needs no targets and has no optimiser's slots; `State::copy_from` takes the weights over.
//!
//! | output | shape | what it is |
//! |---|---|---|
//! | `class` | the network's | the network's output, for a classifier its logits |
//! | `class/probabilities` | the network's | softmax or σ of it; classifiers only |
//! | `data_loss` | `[]` | the weighted sum of the outputs' losses on this batch |
//! | `penalty` | `[]` | the regulariser's value and the penalties that layers ask for; 0 without any |
//! | `loss` | `[]` | `data_loss + penalty`: what is minimised |
//! | `class/loss_sum`, `class/loss_count` | `[]` | this output's loss as a quotient; add both up over an epoch, then divide |
//! | `class/count` | `[]` | the number of answers |
//! | `class/correct` | `[]` | right answers of a classifier |
//! | `class/squared_error`, `class/absolute_error` | `[]` | summed errors of a regression |
//! | `gradient/PATH` | the parameter's | the gradient of `loss` |
//!
//! Only what is asked for is computed. The penalty acts in training whether or not `loss` is asked for: its gradient joins in the
//! optimiser's sweep. The loss to *report* is `data_loss`, which compares with the loss on validation data, as with PyTorch; Keras
//! reports what is here `loss`.

use crate::losses::{self, Target, Total};
use crate::regularizers::Regularizer as _;
use crate::regularizers::Tying;
use crate::schedules::{Clock, Per, Schedule, curve};
use crate::updates::{Decay, Group, Updates};
use crate::{AnyClip, AnyRegularizer, AnySchedule, Loss, Optimizer, check};
use gradus_graph::{Graph, GraphError, Kind, Model, Node, ShapeError, Variable};
use gradus_tensor::Shape;

/// Adds losses, gradients and updates to a model. See the [module](self) for what the result offers.
///
/// ```
/// use gradus_graph::Graph;
/// use gradus_nn::{LayerExt, TrainStep, layers::Dense, losses::Mse, optimizers::AdamW, regularizers::L2};
///
/// let g = Graph::new();
/// let y = g.input("x", [13]).layer(Dense::new(32).relu()).layer(Dense::new(1));
/// let model = g.model(&[("price", &y)])?;
/// let training = TrainStep::new(AdamW::default()).loss("price", Mse::default()).regularizer(L2::new(1e-4)).build(&model)?;
/// assert!(training.output_shape("price/squared_error").is_some());
/// # Ok::<(), gradus_graph::GraphError>(())
/// ```
pub struct TrainStep {
    optimizer: Box<dyn Optimizer>,
    heads: Vec<Head>,
    regularizer: Option<AnyRegularizer>,
    tying: Vec<Tying>,
    decay: Decay,
    groups: Vec<Group>,
    clip: Option<AnyClip>,
    max_norm: Option<f64>,
    schedule: AnySchedule,
    time: Time,
}

/// What a schedule needs to know of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// What the schedule counts.
    pub per: Per,
    /// Steps in an epoch.
    pub steps_per_epoch: u64,
    /// Steps in all, if that is known.
    pub total_steps: Option<u64>,
}

struct Head {
    output: String,
    loss: Box<dyn Loss>,
    weight: f64,
    target: Target,
    sample_weights: bool,
}

impl TrainStep {
    /// A step of this optimiser, so far without a loss.
    pub fn new(optimizer: impl Optimizer + 'static) -> TrainStep {
        TrainStep {
            optimizer: Box::new(optimizer),
            heads: vec![],
            regularizer: None,
            tying: vec![],
            decay: Decay::default(),
            groups: vec![],
            clip: None,
            max_norm: None,
            schedule: AnySchedule::default(),
            time: Time::default(),
        }
    }

    /// A loss on a named output of the model. Several losses are added up.
    pub fn loss(mut self, output: impl Into<String>, loss: impl Loss + 'static) -> TrainStep {
        let (loss, output) = (Box::new(loss), output.into());
        self.heads.push(Head { output, loss, weight: 1.0, target: Target::Usual, sample_weights: false });
        self
    }

    /// The last loss's share in the sum.
    pub fn weight(mut self, weight: f64) -> TrainStep {
        self.heads.iter_mut().last().into_iter().for_each(|head| head.weight = weight);
        self
    }

    /// How the last loss's targets are given.
    pub fn target(mut self, target: Target) -> TrainStep {
        self.heads.iter_mut().last().into_iter().for_each(|head| head.target = target);
        self
    }

    /// Adds an input `OUTPUT/sample_weights: [B]` for the last loss.
    pub fn sample_weights(mut self) -> TrainStep {
        self.heads.iter_mut().last().into_iter().for_each(|head| head.sample_weights = true);
        self
    }

    /// A penalty on the parameters that decay.
    pub fn regularizer(mut self, regularizer: impl Into<AnyRegularizer>) -> TrainStep {
        self.regularizer = Some(regularizer.into());
        self
    }

    /// Which parameters decay.
    pub fn decay(mut self, decay: Decay) -> TrainStep {
        self.decay = decay;
        self
    }

    /// A penalty on the difference of two parameters.
    pub fn tying(mut self, tying: Tying) -> TrainStep {
        self.tying.push(tying);
        self
    }

    /// Parameters that are treated otherwise than the rest. Of several groups that fit one, the first has it.
    pub fn group(mut self, group: Group) -> TrainStep {
        self.groups.push(group);
        self
    }

    /// What is done to large gradients.
    pub fn clip(mut self, clip: impl Into<AnyClip>) -> TrainStep {
        self.clip = Some(clip.into());
        self
    }

    /// After each step the weights of a unit are scaled back to this norm where theirs is larger.
    pub fn max_norm(mut self, limit: f64) -> TrainStep {
        self.max_norm = Some(limit);
        self
    }

    /// How the learning rate moves, in a run of this size.
    pub fn schedule(mut self, schedule: impl Into<AnySchedule>, time: Time) -> TrainStep {
        (self.schedule, self.time) = (schedule.into(), time);
        self
    }

    /// The model with its predictions, `OUTPUT/probabilities` for classifiers, and nothing else added: no targets, no updates.
    ///
    /// # Errors
    /// As [`TrainStep::build`].
    pub fn predictor(&self, model: &Model) -> Result<Model, GraphError> {
        let (graph, mut outputs) = model.extend();
        self.check(&graph);
        for head in &self.heads {
            let y = head.output(model, &outputs)?;
            if head.target(&graph, &y).is_ok() {
                head.offer(head.loss.predictions(&y), &mut outputs);
            }
        }
        graph.model(&outputs.iter().map(|(name, node)| (name.as_str(), node)).collect::<Vec<_>>())
    }

    /// The extended model. Its inputs are the model's, then for each loss `OUTPUT/target` and, where asked for,
    /// `OUTPUT/sample_weights`.
    ///
    /// # Errors
    /// No loss, a loss on an output that does not exist or does not fit, settings out of range, and a trained parameter that no gradient
    /// reaches (it is named).
    pub fn build(&self, model: &Model) -> Result<Model, GraphError> {
        let (graph, mut outputs) = model.extend();
        self.check(&graph);
        let mut losses = vec![];
        let ys: Vec<Node> = self.heads.iter().map(|head| head.output(model, &outputs)).collect::<Result<_, _>>()?;
        graph.check_alternatives(&ys)?;
        for (head, y) in self.heads.iter().zip(ys) {
            let total = graph.scope(&head.output, || head.build(&graph, &y, &mut outputs));
            let loss = total.loss();
            losses.push(if head.weight == 1.0 { loss } else { loss * head.weight });
        }
        let data_loss = losses.into_iter().reduce(|a, b| a + b).unwrap_or_else(|| graph.scalar(0.0));

        // What is differentiated beside the loss: what layers ask for, and tying.
        let tying = self.tying.iter().map(|tying| tying.penalty(&graph));
        let added: Vec<Node> = graph.penalties().into_iter().map(|(_, penalty)| penalty).chain(tying).collect();
        let objective = added.iter().fold(data_loss.clone(), |sum, penalty| sum + penalty);

        // The losses' own parameters among them.
        let variables = &graph.variables();
        let mut updates = self.updates();
        let trained = updates.trained(variables);
        let nodes: Vec<Node> = trained.iter().map(|&i| graph.variable_node(i)).collect();
        let gradients = graph.gradients(&objective, &nodes.iter().collect::<Vec<_>>())?;
        let parameters: Vec<(usize, Node)> = trained.iter().copied().zip(gradients).collect();
        let clock = Clock::new(&graph, self.time.per, self.time.steps_per_epoch, self.time.total_steps);
        (updates.lr, updates.momentum) = graph.scope(curve::SCOPE, || {
            (Some(self.schedule.rate(self.optimizer.lr(), &clock)), self.schedule.momentum(&clock))
        });
        updates.apply(&graph, &parameters);

        let mut penalty = added.into_iter().reduce(|a, b| a + b);
        let treatments = updates.treatments(variables, &trained);
        for (((i, gradient), w), treatment) in parameters.into_iter().zip(&nodes).zip(treatments) {
            let mut gradient = gradient;
            if let Some((regularizer, count)) = &treatment.penalty {
                let own = regularizer.penalty(w, *count);
                penalty = Some(penalty.map_or(own.clone(), |sum| sum + own));
                gradient = gradient + regularizer.gradient(w, *count);
            }
            outputs.push((format!("gradient/{}", variables[i].path), gradient));
        }
        let penalty = penalty.unwrap_or_else(|| graph.scalar(0.0));
        outputs.push(("loss".into(), &data_loss + &penalty));
        outputs.push(("data_loss".into(), data_loss));
        outputs.push(("penalty".into(), penalty));
        graph.model(&outputs.iter().map(|(name, node)| (name.as_str(), node)).collect::<Vec<_>>())
    }

    /// How parameters follow their gradients, but for the learning rate.
    fn updates(&self) -> Updates<'_> {
        Updates {
            regularizer: self.regularizer.as_ref(),
            decay: self.decay,
            groups: &self.groups,
            clip: self.clip.as_ref(),
            max_norm: self.max_norm,
            ..Updates::new(&*self.optimizer)
        }
    }

    /// Every group has parameters, and some parameters are trained.
    fn check_groups(&self, variables: &[Variable]) -> Result<(), ShapeError> {
        let parameters = || variables.iter().filter(|v| v.role.trainable());
        for group in &self.groups {
            group.check()?;
            if !parameters().any(|v| group.fits(&v.path)) {
                let known: Vec<&str> = parameters().map(|v| v.path.as_str()).collect();
                let expected = format!("a pattern that fits a parameter: {}", known.join(", "));
                let help = "correct the pattern: `*` stands for any characters, `?` for one";
                return Err(ShapeError::new(expected, format!("`{}`", group.pattern), help));
            }
        }
        if self.updates().trained(variables).is_empty() {
            let help =
                if self.groups.is_empty() { "add a layer with weights" } else { "leave some parameters unfrozen" };
            return Err(ShapeError::new("at least one parameter to train", "none", help));
        }
        Ok(())
    }

    /// Reports settings that no op can see.
    fn check(&self, graph: &Graph) {
        if self.heads.is_empty() {
            let help = "say which output is compared with which target: `.loss(\"class\", CrossEntropy::default())`";
            graph.refuse("train_step", ShapeError::new("at least one loss", "none", help));
        }
        if let Err(error) = self.optimizer.check() {
            graph.refuse("optimizer", error);
        }
        if let Some(Err(error)) = self.regularizer.as_ref().map(|regularizer| regularizer.check()) {
            graph.refuse("regularizer", error);
        }
        if let Some(Err(error)) = self.clip.as_ref().map(|clip| clip.check()) {
            graph.refuse("clip", error);
        }
        if let Some(Err(error)) = self.max_norm.map(|limit| check::positive("max_norm", limit)) {
            graph.refuse("max_norm", error);
        }
        if let Err(error) = self.schedule.check() {
            graph.refuse("schedule", error);
        }
        if let Err(error) = self.check_groups(&graph.variables()) {
            graph.refuse("groups", error);
        }
        for head in &self.heads {
            if let Err(error) = check::finite("weight", head.weight) {
                graph.refuse("loss", error);
            }
        }
    }
}

impl Head {
    /// The model's output that the loss is on.
    fn output(&self, model: &Model, outputs: &[(String, Node)]) -> Result<Node, GraphError> {
        let known = || model.outputs().iter().map(|o| format!("`{}`", o.0)).collect::<Vec<_>>().join(", ");
        let index = model.outputs().iter().position(|o| o.0 == self.output);
        let index =
            index.ok_or_else(|| GraphError::Unknown { what: "output", name: self.output.clone(), known: known() })?;
        Ok(outputs[index].1.clone())
    }

    /// The target's shape and kind, or what does not fit.
    fn target(&self, graph: &Graph, y: &Node) -> Result<(Shape, Kind), Node> {
        let fits = self.loss.check().and_then(|()| self.loss.target(&y.shape(), self.target));
        fits.map_err(|error| graph.refuse(self.loss.name(), error))
    }

    fn offer(&self, named: Vec<(&'static str, Node)>, outputs: &mut Vec<(String, Node)>) {
        outputs.extend(named.into_iter().map(|(name, node)| (format!("{}/{name}", self.output), node)));
    }

    /// The loss; where layers ask for it ([`Graph::alternatives`]), in training the mean of the losses on several values.
    fn total(&self, graph: &Graph, y: &Node, target: &Node, weights: Option<&Node>) -> Total {
        let ys = graph.alternatives_of(y);
        let values: Vec<&Node> = [y].into_iter().chain(&ys).collect();
        let totals = graph.repeat(values.len(), |i| losses::total(&*self.loss, values[i], target, weights));
        let of_y = totals[0].clone();
        // The counts are equal: they are the targets'.
        let sum = totals[1..].iter().map(|total| total.sum.clone()).reduce(|a, b| a + b);
        match sum {
            None => of_y,
            Some(sum) => Total { sum: (sum * (1.0 / ys.len() as f64)).when_training(&of_y.sum), count: of_y.count },
        }
    }

    /// The loss, with what can be asked for beside it.
    fn build(&self, graph: &Graph, y: &Node, outputs: &mut Vec<(String, Node)>) -> Total {
        let (shape, kind) = match self.target(graph, y) {
            Ok(target) => target,
            Err(refused) => return Total { sum: refused.clone(), count: refused },
        };
        let target = graph.add_input(&format!("{}/target", self.output), shape, kind);
        let weights = format!("{}/sample_weights", self.output);
        let weights = self.sample_weights.then(|| graph.add_input(&weights, Shape::batched(&[]), Kind::Real));
        let total = self.total(graph, y, &target, weights.as_ref());
        self.offer(vec![("loss_sum", total.sum.clone()), ("loss_count", total.count.clone())], outputs);
        self.offer(self.loss.predictions(y), outputs);
        self.offer(self.loss.metrics(y, &target), outputs);
        total
    }
}
