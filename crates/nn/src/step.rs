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
//! | `penalty` | `[]` | the regulariser's value; 0 without one |
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
use crate::optimizers::{self, Decay};
use crate::regularizers::Regularizer as _;
use crate::{AnyRegularizer, Loss, Optimizer, check};
use gradus_graph::{Graph, GraphError, Kind, Model, Node, ShapeError};
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
    decay: Decay,
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
        TrainStep { optimizer: Box::new(optimizer), heads: vec![], regularizer: None, decay: Decay::default() }
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
        for head in &self.heads {
            let y = head.output(model, &outputs)?;
            let total = graph.scope(&head.output, || head.build(&graph, &y, &mut outputs));
            let loss = total.loss();
            losses.push(if head.weight == 1.0 { loss } else { loss * head.weight });
        }
        let data_loss = losses.into_iter().reduce(|a, b| a + b).unwrap_or_else(|| graph.scalar(0.0));

        let trained: Vec<usize> =
            model.variables().iter().enumerate().filter(|(_, v)| v.role.trainable()).map(|(i, _)| i).collect();
        let nodes: Vec<Node> = trained.iter().map(|&i| graph.variable_node(i)).collect();
        let gradients = graph.gradients(&data_loss, &nodes.iter().collect::<Vec<_>>())?;
        let parameters: Vec<(usize, Node)> = trained.iter().copied().zip(gradients).collect();
        let lr = graph.scalar(self.optimizer.lr());
        optimizers::apply(&graph, &parameters, &*self.optimizer, &lr, self.regularizer.as_ref(), self.decay);

        let decays = |i: usize| self.decay.covers(model.variables()[i].role);
        let count = trained.iter().filter(|&&i| decays(i)).map(|&i| model.variables()[i].len()).sum();
        let mut penalty = graph.scalar(0.0);
        for ((i, gradient), w) in parameters.into_iter().zip(&nodes) {
            let mut gradient = gradient;
            if let Some(regularizer) = self.regularizer.as_ref().filter(|_| decays(i)) {
                penalty = penalty + regularizer.penalty(w, count);
                gradient = gradient + regularizer.gradient(w, count);
            }
            outputs.push((format!("gradient/{}", model.variables()[i].path), gradient));
        }
        outputs
            .push(("loss".into(), if self.regularizer.is_some() { &data_loss + &penalty } else { data_loss.clone() }));
        outputs.push(("data_loss".into(), data_loss));
        outputs.push(("penalty".into(), penalty));
        graph.model(&outputs.iter().map(|(name, node)| (name.as_str(), node)).collect::<Vec<_>>())
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
        if let Some(Err(error)) = self.regularizer.as_ref().map(AnyRegularizer::check) {
            graph.refuse("regularizer", error);
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

    /// The loss, with what can be asked for beside it.
    fn build(&self, graph: &Graph, y: &Node, outputs: &mut Vec<(String, Node)>) -> Total {
        let (shape, kind) = match self.target(graph, y) {
            Ok(target) => target,
            Err(refused) => return Total { sum: refused.clone(), count: refused },
        };
        let target = graph.add_input(&format!("{}/target", self.output), shape, kind);
        let weights = format!("{}/sample_weights", self.output);
        let weights = self.sample_weights.then(|| graph.add_input(&weights, Shape::batched(&[]), Kind::Real));
        let total = losses::total(&*self.loss, y, &target, weights.as_ref());
        self.offer(vec![("loss_sum", total.sum.clone()), ("loss_count", total.count.clone())], outputs);
        self.offer(self.loss.predictions(y), outputs);
        self.offer(self.loss.metrics(y, &target), outputs);
        total
    }
}
