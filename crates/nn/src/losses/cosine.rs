//! Cosine distance of rows, `1 - cos(y, t)`.

use super::{Loss, Reduction, Target, errors};
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Cosine distance, `1 - y·t/(‖y‖‖t‖)` along the last axis: `y: [B, .., D]`, targets of the same shape, one value for each row. It is 0 for the same
/// direction, 1 for a right angle, 2 for opposite directions; lengths do not matter.
///
/// A row no longer than 1e-8 has no direction: its distance is 1, without gradient (PyTorch's gradient there is up to 1e8). Keras'
/// `CosineSimilarity` is our value less 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {
    /// `mean` or `sum`, over batch and outputs.
    pub reduction: Reduction,
}

/// Rows up to this length have no direction.
const SHORTEST: f64 = 1e-8;

impl Config for Cosine {
    fn examples() -> Vec<Cosine> {
        let default = Cosine::default();
        vec![default, Cosine { reduction: Reduction::Sum }]
    }
}

impl Loss for Cosine {
    fn name(&self) -> &'static str {
        "cosine"
    }

    fn target(&self, y: &Shape, _form: Target) -> Result<(Shape, Kind), ShapeError> {
        if y.rank() < 2 {
            let help = "end the network with a row of numbers for each sample";
            return Err(ShapeError::new("rows of numbers, [B, .., D]", y.to_string(), help));
        }
        Ok((y.clone(), Kind::Real))
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        let (y_squared, t_squared) = (y.square().sum(-1), target.square().sum(-1));
        let directed = y_squared.gt(SHORTEST * SHORTEST) * t_squared.gt(SHORTEST * SHORTEST);
        let inverse = |squared: &Node| squared.maximum(SHORTEST * SHORTEST).rsqrt();
        let cosine = (y * target).sum(-1) * inverse(&y_squared) * inverse(&t_squared);
        (1.0 - cosine * directed).squeeze(-1)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        errors(y, target)
    }
}
