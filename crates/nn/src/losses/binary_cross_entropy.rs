//! Binary cross-entropy (log loss, logistic regression), `-t·ln p - (1-t)·ln(1-p)`.

use super::{Loss, Reduction, Target, Task, constants, yes_no};
use crate::check::{self, Check};
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Binary cross-entropy from logits: `pos_weight·t·softplus(-y) + (1-t)·softplus(y)`, exact for logits of any size.
///
/// `y: [B]` or `[B, 1]` with class numbers 0 and 1, `[B]`; or any shape with targets in [0, 1] of the same shape
/// ([`Target::Soft`]), for several yes/no answers at once. The network ends without an activation; `probabilities` are σ(y).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BinaryCrossEntropy {
    /// The weight of positive targets, above 0: one number for all outputs, or a list with one for each. Above 1 makes misses count
    /// for more than false alarms. 1, as in PyTorch; Keras has none.
    pub pos_weight: PosWeight,
    /// The network's outputs are logits: on. If not, they are probabilities, as after an activation `sigmoid`; p and 1 - p are each
    /// clipped to [1e-7, 1 - 1e-7], without gradient beyond. Keras takes probabilities unless told otherwise.
    pub from_logits: bool,
    /// `mean` or `sum`, over batch and outputs.
    pub reduction: Reduction,
}

/// The weight of positive targets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PosWeight {
    /// For all outputs.
    All(f64),
    /// For each output.
    Each(Vec<f64>),
}

const CLIP: f64 = 1e-7;

impl Default for BinaryCrossEntropy {
    fn default() -> BinaryCrossEntropy {
        BinaryCrossEntropy { pos_weight: PosWeight::All(1.0), from_logits: true, reduction: Reduction::Mean }
    }
}

impl Config for BinaryCrossEntropy {
    fn examples() -> Vec<BinaryCrossEntropy> {
        let default = BinaryCrossEntropy::default();
        vec![
            BinaryCrossEntropy { pos_weight: PosWeight::All(2.5), ..default.clone() },
            BinaryCrossEntropy { pos_weight: PosWeight::Each(vec![3.0]), ..default.clone() },
            BinaryCrossEntropy { from_logits: false, ..default.clone() },
            BinaryCrossEntropy { reduction: Reduction::Sum, ..default.clone() },
            default,
        ]
    }
}

impl Loss for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_cross_entropy"
    }

    fn target(&self, y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError> {
        if let PosWeight::Each(weights) = &self.pos_weight {
            let outputs = y.dims().last().filter(|_| y.rank() > 1).and_then(|d| d.fixed()).unwrap_or(1);
            if weights.len() != outputs {
                let expected = format!("`pos_weight` with one number for each of {outputs} outputs");
                let received = format!("{} numbers", weights.len());
                return Err(ShapeError::new(expected, received, "correct the setting `pos_weight`"));
            }
        }
        yes_no_target(y, form)
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        let t = &target.reshape(y.shape());
        let (positive, negative) = if self.from_logits {
            ((-y).softplus(), y.softplus())
        } else {
            // Each is clipped by itself: what 1 - p has left of a clipped p near 1 is rounding error in f32.
            let clipped = |p: &Node| p.clamp(CLIP, 1.0 - CLIP);
            (-clipped(y).log(), -clipped(&(1.0 - y)).log())
        };
        let positive = match &self.pos_weight {
            PosWeight::All(1.0) => positive,
            PosWeight::All(weight) => positive * *weight,
            PosWeight::Each(weights) => positive * constants(y, "pos_weight", weights),
        };
        t * positive + (1.0 - t) * negative
    }

    fn task(&self, _y: &Shape) -> Task {
        Task::Binary
    }

    fn check_target(&self, numbers: &[f32]) -> Check {
        check_shares(numbers)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn predictions(&self, y: &Node) -> Vec<(&'static str, Node)> {
        vec![("probabilities", if self.from_logits { y.sigmoid() } else { y.clone() })]
    }

    /// A probability above ½ says yes.
    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        let yes = y.gt(if self.from_logits { 0.0 } else { 0.5 });
        yes_no(&yes, target)
    }

    fn check(&self) -> Result<(), ShapeError> {
        match &self.pos_weight {
            PosWeight::All(weight) => check::positive("pos_weight", *weight),
            PosWeight::Each(weights) => weights.iter().try_for_each(|&w| check::positive("pos_weight", w)),
        }
    }
}

/// The target of yes/no answers: class numbers 0 and 1 for a single one, or numbers of the output's shape.
pub(super) fn yes_no_target(y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError> {
    match (form, y.dims()) {
        (Target::Soft, _) => Ok((y.clone(), Kind::Real)),
        (Target::Usual, [batch] | [batch, gradus_tensor::Dim::Fixed(1)]) => Ok((vec![*batch].into(), Kind::Index)),
        _ => {
            let help = "for one class out of several use `cross_entropy`; for several yes/no answers at once give soft targets of \
                        the output's shape";
            Err(ShapeError::new("one output, [B, 1], for a class number 0 or 1", y.to_string(), help))
        }
    }
}

/// Shares of yes are in [0, 1].
pub(super) fn check_shares(numbers: &[f32]) -> Check {
    match numbers.iter().find(|t| !(0.0..=1.0).contains(*t)) {
        None => Ok(()),
        Some(t) => {
            let help = "give 0 for no and 1 for yes, or a number between; do not scale this target";
            Err(ShapeError::new("numbers in [0, 1]", t.to_string(), help))
        }
    }
}
