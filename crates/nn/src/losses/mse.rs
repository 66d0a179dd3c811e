//! Mean squared error, `mean (y - t)²`.

use super::{Loss, Reduction, Target, errors};
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Mean squared error over batch and outputs, `mean (y - t)²`; targets have the output's shape.
///
/// `half` takes half of it, so that the derivative has no factor 2. `per_batch` is `1/(2N)·Σ (y - t)²` with N the batch size: summed
/// over outputs and halved, as in Caffe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mse {
    /// Half of it, as the texts do that want a derivative without a factor 2. Off, as in PyTorch and Keras.
    pub half: bool,
    /// Half of it, divided by the batch size instead of the number of values, as Caffe's EuclideanLoss. Off.
    pub per_batch: bool,
    /// `mean` or `sum`, over batch and outputs.
    pub reduction: Reduction,
}

impl Config for Mse {
    fn examples() -> Vec<Mse> {
        let default = Mse::default();
        vec![
            default,
            Mse { half: true, ..default },
            Mse { per_batch: true, ..default },
            Mse { reduction: Reduction::Sum, ..default },
        ]
    }
}

impl Loss for Mse {
    fn name(&self) -> &'static str {
        "mse"
    }

    fn target(&self, y: &Shape, _form: Target) -> Result<(Shape, Kind), ShapeError> {
        Ok((y.clone(), Kind::Real))
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        let squared = (y - target).square();
        if self.half || self.per_batch { squared * 0.5 } else { squared }
    }

    /// For `per_batch` one value of each sample carries its whole weight.
    fn weights(&self, y: &Node, _target: &Node) -> Option<Node> {
        let outputs: usize = y.shape().dims().iter().skip(1).filter_map(|d| d.fixed()).product();
        self.per_batch.then(|| y.graph().fill(1.0 / outputs as f64, y.shape()))
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        errors(y, target)
    }
}
