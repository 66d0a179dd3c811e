//! Losses: what is minimised, what a head predicts, and what is counted to judge it.
//!
//! A loss is a quotient, `Σ values / count`, so that the loss of a whole epoch is exact: sums and counts of all batches are added up
//! before the division. The mean over batch and outputs is the default; [`Reduction::Sum`] by option; unreduced values (what other
//! frameworks call the reduction `none`) are [`Loss::values`]. In a recipe: `loss = { cross_entropy = { label_smoothing = 0.1 } }`.

mod classes;

use gradus_graph::{Kind, Node, Role, ShapeError, Values, ops};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

pub use classes::Weights;

/// How targets are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// As the loss expects it by default: class numbers for a classifier, values for a regression.
    #[default]
    Usual,
    /// As numbers of the output's shape: one-hot or soft rows for a classifier, several yes/no answers for a binary one.
    Soft,
}

/// What a network answers under a loss, and so what it is judged by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// One class out of several; the loss predicts `probabilities`.
    Classes,
    /// Yes or no, for each output; the loss predicts `probabilities`.
    Binary,
    /// Yes or no, for each output, by the sign of a score that is no probability.
    Sign,
    /// Numbers.
    Values,
}

/// How values become one number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reduction {
    /// The mean over batch and outputs; over the sum of weights where values are weighted.
    #[default]
    Mean,
    /// The sum over batch and outputs. Over an epoch the mean of the batches' sums is reported.
    Sum,
}

/// A loss in two parts, both single numbers: the loss of one batch is `sum / count`, that of an epoch `Σ sum / Σ count`.
#[derive(Clone, Debug)]
pub struct Total {
    /// The sum of all values.
    pub sum: Node,
    /// What it is divided by.
    pub count: Node,
}

/// A loss between a network's output `y` and a target.
///
/// ```
/// use gradus_graph::{Graph, Kind, Node, ShapeError};
/// use gradus_nn::losses::{Loss, Reduction, Target, total};
/// use gradus_tensor::Shape;
///
/// /// Mean of ln cosh(y - t).
/// struct LogCosh;
///
/// impl Loss for LogCosh {
///     fn name(&self) -> &'static str { "log_cosh" }
///     fn target(&self, y: &Shape, _form: Target) -> Result<(Shape, Kind), ShapeError> { Ok((y.clone(), Kind::Real)) }
///     fn values(&self, y: &Node, target: &Node) -> Node {
///         let error = y - target;
///         &error + (-2.0 * &error).softplus() - 2f64.ln()
///     }
///     fn reduction(&self) -> Reduction { Reduction::Mean }
///     fn metrics(&self, _y: &Node, _target: &Node) -> Vec<(&'static str, Node)> { vec![] }
/// }
///
/// let g = Graph::new();
/// let loss = total(&LogCosh, &g.input("y", [3]), &g.input("t", [3]), None).loss();
/// assert_eq!(loss.shape().rank(), 0);
/// ```
pub trait Loss {
    /// The key in errors.
    fn name(&self) -> &'static str;

    /// The target's shape and kind for an output of this shape.
    fn target(&self, y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError>;

    /// The loss of each element, or of each row where the outputs of a row form one answer: not reduced, weighted by class.
    fn values(&self, y: &Node, target: &Node) -> Node;

    /// What the network answers, for an output of this shape. A classifier also offers [`Loss::predictions`], and `correct` among its
    /// [`Loss::metrics`]; numbers have `squared_error` and `absolute_error`.
    fn task(&self, _y: &Shape) -> Task {
        Task::Values
    }

    /// What is wrong with targets that are given as numbers: with one sample's numbers along the output's last axis. Checked for all
    /// data before training.
    fn check_target(&self, _numbers: &[f32]) -> Result<(), ShapeError> {
        Ok(())
    }

    /// Whether the mean over a whole data set depends on the batches that it is cut into. Such a loss is evaluated in batches of the
    /// training's size.
    fn depends_on_batch(&self) -> bool {
        self.reduction() == Reduction::Sum
    }

    /// The weight of each value in the mean's divisor, of the values' shape; 1 where there is none. The values have it in them.
    fn weights(&self, _y: &Node, _target: &Node) -> Option<Node> {
        None
    }

    /// How values become one number.
    fn reduction(&self) -> Reduction;

    /// What the output says, in the terms of the task: `("probabilities", [B, K])` for a classifier.
    fn predictions(&self, _y: &Node) -> Vec<(&'static str, Node)> {
        vec![]
    }

    /// Single numbers to add up over an epoch: `correct`, `squared_error`, `absolute_error`, and the `count` to divide them by.
    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)>;

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

table! {
    /// Any loss.
    pub enum AnyLoss: Loss, "a loss" {
        mse::Mse, mae::Mae, huber::Huber, smooth_l1::SmoothL1, cosine::Cosine, binary_cross_entropy::BinaryCrossEntropy, hinge::Hinge,
        cross_entropy::CrossEntropy, nll::Nll, kl_divergence::KlDivergence, focal::Focal, dice::Dice,
    }
}

pub use binary_cross_entropy::PosWeight;

/// A loss that has another inside is that one.
macro_rules! forward {
    ($Wrapper:ty, $self:ident => $inner:expr, $name:expr) => {
        impl Loss for $Wrapper {
            fn name(&$self) -> &'static str {
                $name
            }

            fn target(&$self, y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError> {
                $inner.target(y, form)
            }

            fn values(&$self, y: &Node, target: &Node) -> Node {
                $inner.values(y, target)
            }

            fn task(&$self, y: &Shape) -> Task {
                $inner.task(y)
            }

            fn check_target(&$self, numbers: &[f32]) -> Result<(), ShapeError> {
                $inner.check_target(numbers)
            }

            fn depends_on_batch(&$self) -> bool {
                $inner.depends_on_batch()
            }

            fn weights(&$self, y: &Node, target: &Node) -> Option<Node> {
                $inner.weights(y, target)
            }

            fn reduction(&$self) -> Reduction {
                $inner.reduction()
            }

            fn predictions(&$self, y: &Node) -> Vec<(&'static str, Node)> {
                $inner.predictions(y)
            }

            fn metrics(&$self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
                $inner.metrics(y, target)
            }

            fn check(&$self) -> Result<(), ShapeError> {
                $inner.check()
            }
        }
    };
}

forward!(AnyLoss, self => (**self), self.key());
forward!(Arc<dyn Loss + Send + Sync>, self => (**self), (**self).name());

/// The two parts of a loss. `sample_weights: [B]` multiplies the values of each sample and takes part in the mean's divisor.
///
/// A batch in which nothing counts (all ignored, or all weights 0) has sum 0 and loss 0. Wrong settings or targets poison both parts.
pub fn total(loss: &dyn Loss, y: &Node, target: &Node, sample_weights: Option<&Node>) -> Total {
    let form = if target.kind() == Kind::Real { Target::Soft } else { Target::Usual };
    let fits = loss.check().and_then(|()| loss.target(&y.shape(), form)).and_then(|(shape, _)| {
        if shape == target.shape() {
            return Ok(());
        }
        let expected = format!("targets of shape {shape} for an output of shape {}", y.shape());
        Err(ShapeError::new(expected, target.shape().to_string(), "give one target for each answer of the network"))
    });
    if let Some(poisoned) = [Some(y), Some(target), sample_weights].into_iter().flatten().find(|n| n.is_poisoned()) {
        return Total { sum: poisoned.clone(), count: poisoned.clone() };
    }
    if let Err(error) = fits {
        let refused = y.graph().refuse(loss.name(), error);
        return Total { sum: refused.clone(), count: refused };
    }
    let mut values = loss.values(y, target);
    let mut weights = loss.weights(y, target);
    if let Some(w) = sample_weights {
        let shape = values.shape();
        if !shape.has_batch() {
            let help = "weight samples with a loss that has a value for each: `per_sample = true`";
            let error = ShapeError::new("a value for each sample, [B, ..]", shape.to_string(), help);
            let refused = y.graph().refuse(loss.name(), error);
            return Total { sum: refused.clone(), count: refused };
        }
        let rows = w.reshape([&w.shape().dims()[..1], &vec![1.into(); shape.rank() - 1][..]].concat()).expand(shape);
        values = values * &rows;
        weights = Some(weights.map_or(rows.clone(), |weights| weights * rows));
    }
    let count = match (loss.reduction(), weights) {
        (Reduction::Sum, _) => y.graph().scalar(1.0),
        (Reduction::Mean, None) => count(&values),
        (Reduction::Mean, Some(weights)) => weights.sum_all(),
    };
    Total { sum: values.sum_all(), count }
}

impl Total {
    /// The loss, a single number: `sum / count`, and 0 where the count is 0.
    pub fn loss(&self) -> Node {
        match self.count.op() {
            gradus_graph::Op::Count(_) | gradus_graph::Op::Fill(_) => &self.sum / &self.count,
            _ => &self.sum / (&self.count + self.count.eq(0.0)),
        }
    }
}

/// The number of elements.
fn count(x: &Node) -> Node {
    x.graph().apply(ops::Count { of: x.shape() }, &[])
}

/// The number of yes/no answers, and how many are right.
fn yes_no(yes: &Node, target: &Node) -> Vec<(&'static str, Node)> {
    let right = yes.eq(target.reshape(yes.shape()).gt(0.5));
    vec![("count", count(&right)), ("correct", right.sum_all())]
}

/// What regressions are judged by.
fn errors(y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
    let error = y - target;
    vec![
        ("squared_error", error.square().sum_all()),
        ("absolute_error", error.abs().sum_all()),
        ("count", count(&error)),
    ]
}

/// Given numbers as a row, `[K]`, that broadcasts against `[.., K]`: a value of the training state, not of the model.
fn constants(like: &Node, name: &str, numbers: &[f64]) -> Node {
    like.scope(name, |x| x.param("values", [numbers.len()], Values(numbers.to_vec()), Role::Slot))
}
