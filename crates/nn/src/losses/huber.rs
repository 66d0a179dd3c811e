//! Huber's loss, `r²/2` for small errors and `δ(|r| - δ/2)` for large ones. Huber 1964.

use super::{Loss, Reduction, Target, errors};
use crate::check;
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Huber's loss with r = y - t: `r²/2` where |r| ≤ δ, else `δ(|r| - δ/2)`; targets have the output's shape. A parabola near 0 that goes on
/// as a straight line: smooth like [`Mse`](super::Mse), and outliers pull no harder than δ. Huber 1964.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Huber {
    /// δ, above 0, in the unit of the targets as they are trained: where the straight line starts. 1, as in PyTorch and Keras.
    pub delta: f64,
    /// `mean` or `sum`, over batch and outputs.
    pub reduction: Reduction,
}

impl Default for Huber {
    fn default() -> Huber {
        Huber { delta: 1.0, reduction: Reduction::Mean }
    }
}

impl Config for Huber {
    fn examples() -> Vec<Huber> {
        let default = Huber::default();
        vec![default, Huber { delta: 0.5, ..default }, Huber { reduction: Reduction::Sum, ..default }]
    }
}

impl Loss for Huber {
    fn name(&self) -> &'static str {
        "huber"
    }

    fn target(&self, y: &Shape, _form: Target) -> Result<(Shape, Kind), ShapeError> {
        Ok((y.clone(), Kind::Real))
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        huber(&(y - target), self.delta)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        errors(y, target)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("delta", self.delta)
    }
}

/// `c·(r - c/2)` with c = r limited to ±δ: both branches in one formula.
pub(super) fn huber(error: &Node, delta: f64) -> Node {
    let limited = error.clamp(-delta, delta);
    &limited * (error - &limited * 0.5)
}
