//! Mean absolute error, `mean |y - t|`.

use super::{Loss, Reduction, Target, errors};
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Mean absolute error over batch and outputs, `mean |y - t|`; targets have the output's shape. Its derivative at y = t is 0.
///
/// Outliers count for less than under [`Mse`](super::Mse): the best constant is the median, not the mean. PyTorch's `L1Loss`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mae {
    /// `mean` or `sum`, over batch and outputs.
    pub reduction: Reduction,
}

impl Config for Mae {
    fn examples() -> Vec<Mae> {
        let default = Mae::default();
        vec![default, Mae { reduction: Reduction::Sum }]
    }
}

impl Loss for Mae {
    fn name(&self) -> &'static str {
        "mae"
    }

    fn target(&self, y: &Shape, _form: Target) -> Result<(Shape, Kind), ShapeError> {
        Ok((y.clone(), Kind::Real))
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        (y - target).abs()
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        errors(y, target)
    }
}
