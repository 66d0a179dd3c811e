//! Soft parameter sharing: two parameters are drawn to each other.

use crate::check;
use gradus_graph::{Graph, Node, ShapeError};
use serde::{Deserialize, Serialize};

/// A penalty on the difference of two parameters of one shape, `λ/2·‖w_a - w_b‖²`. Nowlan & Hinton 1992; Goodfellow et al. 2016, section 7.9.
///
/// In a recipe: `tying = [{ first = "dense/weight", second = "dense_1/weight", lambda = 0.01 }]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tying {
    /// The path of one.
    pub first: String,
    /// The path of the other.
    pub second: String,
    /// λ
    pub lambda: f64,
}

impl Tying {
    /// Its value, a single number. What does not fit is refused.
    pub(crate) fn penalty(&self, graph: &Graph) -> Node {
        if let Err(error) = self.check() {
            return graph.refuse("tying", error);
        }
        let variables = graph.variables();
        let parameter = |path: &str| {
            let index = variables.iter().position(|v| v.path == path && v.role.trainable());
            index.map(|index| graph.variable_node(index)).ok_or_else(|| {
                let known: Vec<&str> =
                    variables.iter().filter(|v| v.role.trainable()).map(|v| v.path.as_str()).collect();
                let expected = format!("the path of a parameter: {}", known.join(", "));
                ShapeError::new(expected, format!("`{path}`"), "correct the path")
            })
        };
        match (parameter(&self.first), parameter(&self.second)) {
            (Ok(a), Ok(b)) if a.shape() == b.shape() => (a - b).square().sum_all() * (self.lambda / 2.0),
            (Ok(a), Ok(b)) => {
                let received = format!("{} and {}", a.shape(), b.shape());
                let help = "tie parameters of layers of equal size";
                graph.refuse("tying", ShapeError::new("two parameters of one shape", received, help))
            }
            (Err(error), _) | (_, Err(error)) => graph.refuse("tying", error),
        }
    }

    /// What is wrong with its settings.
    ///
    /// # Errors
    /// A strength out of range.
    pub fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("lambda", self.lambda)
    }
}
