//! Softmax cross-entropy from logits, `-Σ qₖ·ln softmax(y)ₖ`.

use super::{Loss, Reduction, Target, constants, count};
use crate::check;
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Softmax cross-entropy from logits, `y: [B, .., K]` with class numbers `[B, ..]`, or with one-hot or soft rows `[B, .., K]`
/// ([`Target::Soft`]).
///
/// The network ends without an activation; `probabilities` are softmax(y/T). A class number outside `0..K` counts as no class: data
/// readers refuse it before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropy {
    /// One weight for each class; empty for none. The mean divides by the sum of the weights used for class numbers, by the number of
    /// samples for soft rows, both as in PyTorch.
    pub class_weights: Vec<f64>,
    /// ε: the target becomes `(1-ε)·q + ε/K`, the true class included. Szegedy et al. 2016.
    pub label_smoothing: f64,
    /// T, which divides the logits.
    pub temperature: f64,
    /// A class number that does not count, in neither sum nor divisor. Where all are ignored the loss is 0 (PyTorch: NaN).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_index: Option<i64>,
    /// The mean or the sum.
    pub reduction: Reduction,
}

impl Default for CrossEntropy {
    fn default() -> CrossEntropy {
        CrossEntropy {
            class_weights: vec![],
            label_smoothing: 0.0,
            temperature: 1.0,
            ignore_index: None,
            reduction: Reduction::Mean,
        }
    }
}

impl Config for CrossEntropy {
    fn examples() -> Vec<CrossEntropy> {
        let default = CrossEntropy::default;
        vec![
            default(),
            CrossEntropy { class_weights: vec![0.5, 2.0, 1.25], ..default() },
            CrossEntropy { label_smoothing: 0.1, ..default() },
            CrossEntropy { temperature: 2.0, reduction: Reduction::Sum, ..default() },
            CrossEntropy { ignore_index: Some(255), ..default() },
        ]
    }
}

impl CrossEntropy {
    /// y/T
    fn scaled(&self, y: &Node) -> Node {
        if self.temperature == 1.0 { y.clone() } else { y * (1.0 / self.temperature) }
    }

    /// 1 for each target that counts, if some may not.
    fn counted(&self, target: &Node) -> Option<Node> {
        let ignored = self.ignore_index.filter(|_| target.kind() == Kind::Index)?;
        Some(target.ne(ignored as f64))
    }
}

impl Loss for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn target(&self, y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError> {
        let classes = y.dims().last().filter(|_| y.rank() > 1).and_then(|d| d.fixed());
        let Some(classes) = classes.filter(|&k| k > 1) else {
            let help = "end the network with one unit for each class, or use `binary_cross_entropy` for a single one";
            return Err(ShapeError::new("at least 2 outputs, [B, K]", y.to_string(), help));
        };
        if !self.class_weights.is_empty() && self.class_weights.len() != classes {
            let expected = format!("`class_weights` with one number for each of {classes} classes");
            let received = format!("{} numbers", self.class_weights.len());
            return Err(ShapeError::new(expected, received, "correct the setting `class_weights`"));
        }
        match form {
            Target::Usual => Ok((y.dims()[..y.rank() - 1].to_vec().into(), Kind::Index)),
            Target::Soft => Ok((y.clone(), Kind::Real)),
        }
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        let classes = y.units();
        let mut q = if target.kind() == Kind::Index { target.one_hot(classes) } else { target.clone() };
        if self.label_smoothing > 0.0 {
            q = q * (1.0 - self.label_smoothing) + self.label_smoothing / classes as f64;
        }
        if !self.class_weights.is_empty() {
            q = q * constants(y, "class_weights", &self.class_weights);
        }
        let rows = -(q * self.scaled(y).log_softmax()).sum(-1).squeeze(-1);
        match self.counted(target) {
            Some(counted) => rows * counted,
            None => rows,
        }
    }

    fn weights(&self, y: &Node, target: &Node) -> Option<Node> {
        let counted = self.counted(target);
        if self.class_weights.is_empty() || target.kind() != Kind::Index {
            return counted;
        }
        let own = (target.one_hot(y.units()) * constants(y, "class_weights", &self.class_weights)).sum(-1).squeeze(-1);
        Some(match counted {
            Some(counted) => own * counted,
            None => own,
        })
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn predictions(&self, y: &Node) -> Vec<(&'static str, Node)> {
        vec![("probabilities", self.scaled(y).softmax())]
    }

    /// The class of the largest output is the answer.
    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        let answer = y.argmax(-1).squeeze(-1);
        let truth = if target.kind() == Kind::Index { target.clone() } else { target.argmax(-1).squeeze(-1) };
        let right = answer.eq(&truth);
        match self.counted(target) {
            Some(counted) => vec![("correct", (right * &counted).sum_all()), ("count", counted.sum_all())],
            None => vec![("count", count(&right)), ("correct", right.sum_all())],
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.class_weights.iter().try_for_each(|&w| check::not_negative("class_weights", w))?;
        check::below_one("label_smoothing", self.label_smoothing)?;
        check::positive("temperature", self.temperature)
    }
}
