//! Softmax cross-entropy from logits, `-Σ qₖ·ln softmax(y)ₖ`.

use super::{Loss, Reduction, Target, Task, Weights, classes};
use crate::check::{self, Check};
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Softmax cross-entropy from logits, `y: [B, .., K]` with class numbers `[B, ..]`, or with one-hot or soft rows `[B, .., K]`
/// ([`Target::Soft`]), each of which must sum to 1.
///
/// The network ends without an activation; `probabilities` are softmax(y/T). A class number outside `0..K` counts as no class: data
/// readers refuse it before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossEntropy {
    /// A list with one weight of at least 0 for each class; empty for equal weights; or `"learned"`, see [`Weights`]. With given
    /// weights the mean divides by the sum of the weights used for class numbers, by the number of samples for soft rows, both as in
    /// PyTorch; Keras divides by the number of samples always.
    pub class_weights: Weights,
    /// ε, at least 0 and below 1: the target becomes `(1-ε)·q + ε/K`, the true class included. 0; 0.1 in the paper. Szegedy et al. 2016.
    pub label_smoothing: f64,
    /// T, above 0, which divides the logits: above 1 makes the probabilities more even. 1 everywhere; distillation has 2 to 20.
    pub temperature: f64,
    /// A class number that does not count, in neither sum nor divisor: none. Where all are ignored the loss is 0. PyTorch ignores
    /// -100 unless told otherwise, and gives NaN where all are ignored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ignore_index: Option<i64>,
    /// `mean` or `sum`, over batch and outputs.
    pub reduction: Reduction,
}

impl Default for CrossEntropy {
    fn default() -> CrossEntropy {
        CrossEntropy {
            class_weights: Weights::default(),
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
            CrossEntropy { class_weights: vec![0.5, 2.0, 1.25].into(), ..default() },
            CrossEntropy { class_weights: Weights::Learned, ..default() },
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
}

impl Loss for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn target(&self, y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError> {
        self.class_weights.fit(classes::classes(y)?)?;
        Ok(classes::target(y, form))
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        let mut q = classes::rows(y, target);
        if self.label_smoothing > 0.0 {
            q = q * (1.0 - self.label_smoothing) + self.label_smoothing / y.units() as f64;
        }
        let rows = self.class_weights.cross_entropy(&q, &self.scaled(y).log_softmax());
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
        vec![("probabilities", self.scaled(y).softmax())]
    }

    /// The class of the largest output is the answer.
    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        classes::right(y, target, classes::counted(self.ignore_index, target))
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.class_weights.check()?;
        check::below_one("label_smoothing", self.label_smoothing)?;
        check::positive("temperature", self.temperature)
    }
}
