//! A mask from the values themselves.

use super::Layer;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Makes a mask, `x: [.., T, D] -> [.., T, D]` unchanged: a step all of whose features equal `value` is padding, which the layers after it
/// pass over. For sequences of numbers that were filled up to one length; `embedding` makes its own mask from ids.
///
/// As Keras' `Masking`, which also sets the masked steps to zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Masking {
    /// What padding was filled up with.
    pub value: f64,
}

impl Config for Masking {
    fn examples() -> Vec<Masking> {
        vec![Masking::default(), Masking { value: -1.0 }]
    }

    fn from_number(value: f64) -> Result<Masking, String> {
        Ok(Masking { value })
    }
}

impl Layer for Masking {
    fn build(&self, x: &Node) -> Node {
        if x.shape().rank() < 3 {
            let help = "a mask is for sequences; put this layer where the time axis still is";
            return x.graph().refuse("masking", ShapeError::new("sequences, [B, T, D]", x.shape().to_string(), help));
        }
        x.with_mask(&x.ne(self.value).max(-1).squeeze(-1))
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::finite("value", self.value)
    }
}
