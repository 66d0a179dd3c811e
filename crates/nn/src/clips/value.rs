//! Clipping by value: each element by itself.

use super::Clip;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Each element of a gradient is kept within `[-limit, limit]`. As `clip_grad_value_` of PyTorch and `clipvalue` of Keras.
///
/// It may turn the gradient's direction.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Value {
    /// The largest magnitude of an element.
    pub limit: f64,
}

impl Value {
    /// This limit.
    pub fn new(limit: f64) -> Value {
        Value { limit }
    }
}

impl Default for Value {
    fn default() -> Value {
        Value::new(1.0)
    }
}

impl Config for Value {
    fn examples() -> Vec<Value> {
        vec![Value::default(), Value::new(0.5)]
    }

    fn from_number(limit: f64) -> Result<Value, String> {
        Ok(Value::new(limit))
    }
}

impl Clip for Value {
    fn clip(&self, gradients: Vec<Node>) -> Vec<Node> {
        gradients.iter().map(|g| g.clamp(-self.limit, self.limit)).collect()
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("limit", self.limit)
    }
}
