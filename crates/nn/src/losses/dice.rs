//! Dice loss, `1 - (2·Σ p·t + s)/(Σ p + Σ t + s)`: one minus the overlap of what is predicted and what is true. Milletari et al. 2016,
//! arXiv:1606.04797.

use super::{Loss, Reduction, Target, Task, binary_cross_entropy, classes, yes_no};
use crate::check::{self, Check};
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Dice loss from logits, `1 - (2·Σ p·t + s)/(Σ p + Σ t + s)` with sums over batch and space, then the mean over classes: rare classes count as
/// much as common ones, which is why segmentation uses it. Milletari et al. 2016, arXiv:1606.04797; Sudre et al. 2017, arXiv:1707.03237.
///
/// Softmax form: `y: [B, .., K]` with class numbers `[B, ..]` or rows `[B, .., K]` that sum to 1. Binary form, for one output or with
/// `multi_label`: `y: [B, .., 1]` or any shape, as [`BinaryCrossEntropy`](super::BinaryCrossEntropy). The network ends without an activation.
/// The loss of an epoch is the mean of its batches' unless `per_sample`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dice {
    /// s, at least 0, in numerator and denominator: a class that is neither there nor predicted has loss 0, not 0/0. 1; at 0 such a
    /// class is not defined.
    pub smooth: f64,
    /// Sums over space alone and the mean over samples too: off. Then batches of any size agree, and a class that a sample lacks
    /// counts for that sample alone.
    pub per_sample: bool,
    /// `Σ p² + Σ t²` in the denominator, as in the V-Net paper: off.
    pub square: bool,
    /// Each output is a yes/no answer of its own, σ(y), instead of one class out of several, softmax(y): off. A single output always is.
    pub multi_label: bool,
    /// `mean` or `sum`, over classes, and over samples with `per_sample`.
    pub reduction: Reduction,
}

impl Default for Dice {
    fn default() -> Dice {
        Dice { smooth: 1.0, per_sample: false, square: false, multi_label: false, reduction: Reduction::Mean }
    }
}

impl Config for Dice {
    fn examples() -> Vec<Dice> {
        let default = Dice::default();
        vec![
            default,
            Dice { smooth: 1e-5, square: true, ..default },
            Dice { per_sample: true, ..default },
            Dice { multi_label: true, reduction: Reduction::Sum, ..default },
        ]
    }
}

impl Dice {
    fn is_binary(&self, y: &Shape) -> bool {
        self.multi_label || classes::classes(y).is_err()
    }

    fn probabilities(&self, y: &Node) -> Node {
        if self.is_binary(&y.shape()) { y.sigmoid() } else { y.softmax() }
    }
}

impl Loss for Dice {
    fn name(&self) -> &'static str {
        "dice"
    }

    fn target(&self, y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError> {
        match (self.is_binary(y), form, y.dims().last().and_then(|d| d.fixed())) {
            (false, ..) => Ok(classes::target(y, form)),
            (true, Target::Usual, Some(1)) if y.rank() > 1 => Ok(classes::target(y, form)),
            _ => binary_cross_entropy::yes_no_target(y, form),
        }
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        let p = self.probabilities(y);
        let t = if self.is_binary(&y.shape()) { target.reshape(y.shape()) } else { classes::rows(y, target) };
        // Over all but the classes, and but the samples if each counts alone.
        let sum = |x: Node| {
            let rank = x.shape().rank();
            let first = usize::from(self.per_sample);
            let last = if rank > 1 { rank - 1 } else { rank };
            let axes: Vec<isize> = (first as isize..last as isize).collect();
            if axes.is_empty() { x } else { axes.iter().rev().fold(x.sum(&axes[..]), |x, &axis| x.squeeze(axis)) }
        };
        let size = |x: &Node| sum(if self.square { x.square() } else { x.clone() });
        let overlap = sum(&p * &t) * 2.0 + self.smooth;
        1.0 - overlap / (size(&p) + size(&t) + self.smooth)
    }

    fn task(&self, y: &Shape) -> Task {
        if self.is_binary(y) { Task::Binary } else { Task::Classes }
    }

    fn check_target(&self, numbers: &[f32]) -> Check {
        let binary = self.multi_label || numbers.len() == 1;
        if binary { binary_cross_entropy::check_shares(numbers) } else { classes::check_distribution(numbers) }
    }

    fn depends_on_batch(&self) -> bool {
        !self.per_sample || self.reduction == Reduction::Sum
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn predictions(&self, y: &Node) -> Vec<(&'static str, Node)> {
        vec![("probabilities", self.probabilities(y))]
    }

    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        if self.is_binary(&y.shape()) { yes_no(&y.gt(0.0), target) } else { classes::right(y, target, None) }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("smooth", self.smooth)
    }
}
