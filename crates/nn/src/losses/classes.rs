//! What losses over one class out of several have in common.

use super::{Target, constants, count};
use crate::check::{self, Check};
use gradus_graph::{Constant, Kind, Node, Role, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Weights of classes: given, or learned with the network.
///
/// Given weights make mistakes in some classes count for more: those that are rare, or that matter.
///
/// Learned weights do the opposite: they take weight from classes that are noisy or mislabelled. They are `wₖ = K·softmax(v)ₖ` with a
/// trained vector v that starts at 0: positive, with mean 1. Every row's value is `w·loss - ½·mean ln wₖ`: the classes are so many
/// tasks, weighed against each other by their uncertainty (Kendall et al. 2018, arXiv:1705.07115). The second term is 0 for equal
/// weights and infinite where one is 0, so no class is given up, and the mean of 1 keeps weights from growing without end, as they
/// would in the paper's form once a loss is near 0. The mean divides by the number of rows. Learned weights act in training only: a
/// network is judged with equal weights. They are not decayed, and no part of a model file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Given", into = "Given")]
pub enum Weights {
    /// One number for each class; none for equal weights.
    Each(Vec<f64>),
    /// Learned: `"learned"` in a recipe.
    Learned,
}

/// Weights as they stand in a recipe.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "a list with one number for each class, or \"learned\"")]
enum Given {
    Each(Vec<f64>),
    Word(Word),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Learned,
}

impl From<Given> for Weights {
    fn from(given: Given) -> Weights {
        match given {
            Given::Each(weights) => Weights::Each(weights),
            Given::Word(Word::Learned) => Weights::Learned,
        }
    }
}

impl From<Weights> for Given {
    fn from(weights: Weights) -> Given {
        match weights {
            Weights::Each(weights) => Given::Each(weights),
            Weights::Learned => Given::Word(Word::Learned),
        }
    }
}

impl Default for Weights {
    /// Equal weights.
    fn default() -> Weights {
        Weights::Each(vec![])
    }
}

impl From<Vec<f64>> for Weights {
    fn from(weights: Vec<f64>) -> Weights {
        Weights::Each(weights)
    }
}

impl Weights {
    /// The given weights as a row, `[K]`; none where they are equal or learned.
    pub(super) fn given(&self, y: &Node) -> Option<Node> {
        match self {
            Weights::Each(weights) if !weights.is_empty() => Some(constants(y, "class_weights", weights)),
            _ => None,
        }
    }

    /// `-Σ q·w·ln p` of each row, `[B, .., K] -> [B, ..]`, from log-probabilities.
    pub(super) fn cross_entropy(&self, q: &Node, log_p: &Node) -> Node {
        let rows = |q: &Node| -(q * log_p).sum(-1).squeeze(-1);
        match self {
            Weights::Each(_) => self.given(log_p).map_or_else(|| rows(q), |w| rows(&(q * w))),
            Weights::Learned => {
                let classes = log_p.units();
                let v = log_p.scope("class_weights", |x| x.param("logits", [classes], Constant(0.0), Role::Loss));
                let log_w = v.log_softmax() + (classes as f64).ln();
                let trained = rows(&(q * log_w.exp())) - log_w.mean_all() * 0.5;
                trained.when_training(&rows(q))
            }
        }
    }

    /// Each row's weight in the mean's divisor, if given: the weight of its class number.
    pub(super) fn divisor(&self, y: &Node, target: &Node) -> Option<Node> {
        let weights = self.given(y).filter(|_| target.kind() == Kind::Index)?;
        Some((target.one_hot(y.units()) * weights).sum(-1).squeeze(-1))
    }

    pub(super) fn check(&self) -> Check {
        match self {
            Weights::Each(weights) => weights.iter().try_for_each(|&w| check::not_negative("class_weights", w)),
            Weights::Learned => Ok(()),
        }
    }

    /// Refuses a list of another length than there are classes.
    pub(super) fn fit(&self, classes: usize) -> Check {
        match self {
            Weights::Each(weights) if !weights.is_empty() && weights.len() != classes => {
                let expected = format!("`class_weights` with one number for each of {classes} classes");
                Err(ShapeError::new(
                    expected,
                    format!("{} numbers", weights.len()),
                    "correct the setting `class_weights`",
                ))
            }
            _ => Ok(()),
        }
    }
}

/// The number of classes of an output `[B, .., K]`.
pub(super) fn classes(y: &Shape) -> Result<usize, ShapeError> {
    let classes = y.dims().last().filter(|_| y.rank() > 1).and_then(|d| d.fixed());
    classes.filter(|&k| k > 1).ok_or_else(|| {
        let help = "end the network with one unit for each class, or use `binary_cross_entropy` for a single one";
        ShapeError::new("at least 2 outputs, [B, K]", y.to_string(), help)
    })
}

/// The target of an output `[B, .., K]`: class numbers `[B, ..]` or rows of the output's shape.
pub(super) fn target(y: &Shape, form: Target) -> (Shape, Kind) {
    match form {
        Target::Usual => (y.dims()[..y.rank() - 1].to_vec().into(), Kind::Index),
        Target::Soft => (y.clone(), Kind::Real),
    }
}

/// The target as rows of the output's shape.
pub(super) fn rows(y: &Node, target: &Node) -> Node {
    if target.kind() == Kind::Index { target.one_hot(y.units()) } else { target.clone() }
}

/// 1 for each target that counts, if some may not.
pub(super) fn counted(ignored: Option<i64>, target: &Node) -> Option<Node> {
    let ignored = ignored.filter(|_| target.kind() == Kind::Index)?;
    Some(target.ne(ignored as f64))
}

/// The product of two weights that may both be 1.
pub(super) fn product(a: Option<Node>, b: Option<Node>) -> Option<Node> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a * b),
        (a, b) => a.or(b),
    }
}

/// The class of the largest output is the answer; of those that count.
pub(super) fn right(y: &Node, target: &Node, counted: Option<Node>) -> Vec<(&'static str, Node)> {
    let answer = y.argmax(-1).squeeze(-1);
    let truth = if target.kind() == Kind::Index { target.clone() } else { target.argmax(-1).squeeze(-1) };
    let right = answer.eq(&truth);
    match counted {
        Some(counted) => vec![("correct", (right * &counted).sum_all()), ("count", counted.sum_all())],
        None => vec![("count", count(&right)), ("correct", right.sum_all())],
    }
}

/// One-hot and soft rows are distributions: no number below 0, and a sum of 1 up to a thousandth.
pub(super) fn check_distribution(numbers: &[f32]) -> Check {
    let sum: f64 = numbers.iter().map(|&t| f64::from(t)).sum();
    let help = "give each row numbers that sum to 1, or one class name for each sample; do not scale this target";
    if let Some(t) = numbers.iter().find(|t| **t < 0.0) {
        return Err(ShapeError::new("no number below 0", t.to_string(), help));
    }
    if (sum - 1.0).abs() <= 1e-3 {
        return Ok(());
    }
    let shown: Vec<String> = numbers.iter().take(6).map(f32::to_string).collect();
    let more = if numbers.len() > 6 { ", …" } else { "" };
    let received = format!("{}{more}, with sum {}", shown.join(", "), (sum * 1e6).round() / 1e6);
    Err(ShapeError::new("numbers that sum to 1", received, help))
}
