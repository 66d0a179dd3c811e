//! The axes in another order.

use super::Layer;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// The axes behind the batch in another order, `x: [B, ..] -> [B, ..]`: `axes = [2, 1]` turns `[B, T, D]` into `[B, D, T]`.
///
/// Axes are counted with the batch as axis 0, which stays in front: images `[B, C, H, W]` become `[B, H, W, C]` by `axes = [2, 3, 1]`.
/// Keras' `Permute` has the same numbers; PyTorch's `permute` names the batch too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permute {
    /// The input's axes in their new order, from 1 on.
    pub axes: Vec<usize>,
}

impl Permute {
    /// In this order.
    pub fn new(axes: impl Into<Vec<usize>>) -> Permute {
        Permute { axes: axes.into() }
    }
}

impl Config for Permute {
    fn examples() -> Vec<Permute> {
        vec![Permute::new([2, 1]), Permute::new([1, 2])]
    }
}

impl Layer for Permute {
    fn build(&self, x: &Node) -> Node {
        if x.shape().rank() != self.axes.len() + 1 {
            let expected = format!("`axes` of all {} axes behind the batch", x.shape().rank().saturating_sub(1));
            let received = format!("{:?} for {}", self.axes, x.shape());
            let help = "name each axis once, from 1 on";
            return x.graph().refuse("permute", ShapeError::new(expected, received, help));
        }
        x.permute([&[0], &self.axes[..]].concat()).without_mask()
    }

    fn check(&self) -> Result<(), ShapeError> {
        let mut sorted = self.axes.clone();
        sorted.sort_unstable();
        if !sorted.is_empty() && sorted.iter().enumerate().all(|(i, &axis)| axis == i + 1) {
            return Ok(());
        }
        let help = "name each axis behind the batch once, such as [2, 1]";
        Err(ShapeError::new("`axes` of the numbers from 1 on, each once", format!("{:?}", self.axes), help))
    }
}
