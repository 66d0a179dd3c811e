//! Smooth L1 loss: Huber's divided by its threshold. Girshick 2015, arXiv:1504.08083.

use super::huber::huber;
use super::{Loss, Reduction, Target, errors};
use crate::check;
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Smooth L1 loss with r = y - t: `r²/(2β)` where |r| ≤ β, else `|r| - β/2`; targets have the output's shape. It is [`Huber`](super::Huber)'s
/// with δ = β, divided by β, so that far out its slope is 1 for every β. Girshick 2015, arXiv:1504.08083 (boxes of detectors).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SmoothL1 {
    /// β, above 0, in the unit of the targets as they are trained: where the straight line starts. 1, as in PyTorch, where 0
    /// means [`Mae`](super::Mae).
    pub beta: f64,
    /// `mean` or `sum`, over batch and outputs.
    pub reduction: Reduction,
}

impl Default for SmoothL1 {
    fn default() -> SmoothL1 {
        SmoothL1 { beta: 1.0, reduction: Reduction::Mean }
    }
}

impl Config for SmoothL1 {
    fn examples() -> Vec<SmoothL1> {
        let default = SmoothL1::default();
        vec![default, SmoothL1 { beta: 0.25, ..default }, SmoothL1 { reduction: Reduction::Sum, ..default }]
    }
}

impl Loss for SmoothL1 {
    fn name(&self) -> &'static str {
        "smooth_l1"
    }

    fn target(&self, y: &Shape, _form: Target) -> Result<(Shape, Kind), ShapeError> {
        Ok((y.clone(), Kind::Real))
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        huber(&(y - target), self.beta) * (1.0 / self.beta)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        errors(y, target)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("beta", self.beta)
    }
}
