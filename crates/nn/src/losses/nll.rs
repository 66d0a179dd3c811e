//! Negative log-likelihood, `-ln p` of the true class, from log-probabilities.

use super::{Loss, Reduction, Target, Task, Weights, classes};
use crate::check::Check;
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Negative log-likelihood, `-Σ qₖ·yₖ`, for a network that ends with log-probabilities (activation `log_softmax`): `y: [B, .., K]` with class
/// numbers `[B, ..]`, or with one-hot or soft rows `[B, .., K]` ([`Target::Soft`]), each of which must sum to 1.
///
/// Together they are [`CrossEntropy`](super::CrossEntropy), which takes logits and needs no activation. `probabilities` are eʸ.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Nll {
    /// A list with one weight of at least 0 for each class; empty for equal weights; or `"learned"`, see [`Weights`]. The mean divides as
    /// that of [`CrossEntropy`](super::CrossEntropy) does.
    pub class_weights: Weights,
    /// A class number that does not count, in neither sum nor divisor: none. PyTorch ignores -100 unless told otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_index: Option<i64>,
    /// `mean` or `sum`, over batch and outputs.
    pub reduction: Reduction,
}

impl Config for Nll {
    fn examples() -> Vec<Nll> {
        let default = Nll::default;
        vec![
            default(),
            Nll { class_weights: vec![0.5, 2.0, 1.25].into(), ..default() },
            Nll { ignore_index: Some(255), reduction: Reduction::Sum, ..default() },
        ]
    }
}

impl Loss for Nll {
    fn name(&self) -> &'static str {
        "nll"
    }

    fn target(&self, y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError> {
        self.class_weights.fit(classes::classes(y)?)?;
        Ok(classes::target(y, form))
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        let rows = self.class_weights.cross_entropy(&classes::rows(y, target), y);
        match classes::counted(self.ignore_index, target) {
            Some(counted) => rows * counted,
            None => rows,
        }
    }

    fn task(&self, _y: &Shape) -> Task {
        Task::Classes
    }

    fn check_target(&self, numbers: &[f32]) -> Check {
        classes::check_distribution(numbers)
    }

    fn weights(&self, y: &Node, target: &Node) -> Option<Node> {
        classes::product(self.class_weights.divisor(y, target), classes::counted(self.ignore_index, target))
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn predictions(&self, y: &Node) -> Vec<(&'static str, Node)> {
        vec![("probabilities", y.exp())]
    }

    /// The class of the largest output is the answer.
    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        classes::right(y, target, classes::counted(self.ignore_index, target))
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.class_weights.check()
    }
}
