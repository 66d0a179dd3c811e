//! A border of zeros.

use super::Layer;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// A border of zeros, `x: [B, ..] -> [B, ..]`: `[before, after]` for each axis behind the batch.
///
/// `padding = [[0, 0], [1, 1], [1, 1]]` is one pixel around images `[B, C, H, W]`; `padding = [[0, 8], [0, 0], [0, 0]]` adds 8 channels of
/// zeros, as shortcuts without parameters do (He 2016, option A). Convolutions and poolings pad by themselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZeroPad {
    /// The number of zeros before and after, for each axis behind the batch.
    pub padding: Vec<[usize; 2]>,
}

impl ZeroPad {
    /// With this border.
    pub fn new(padding: impl Into<Vec<[usize; 2]>>) -> ZeroPad {
        ZeroPad { padding: padding.into() }
    }
}

impl Config for ZeroPad {
    fn examples() -> Vec<ZeroPad> {
        vec![ZeroPad::new([[0, 0], [1, 2]]), ZeroPad::new([[1, 0], [0, 0]])]
    }
}

impl Layer for ZeroPad {
    fn build(&self, x: &Node) -> Node {
        if x.shape().rank() != self.padding.len() + 1 {
            let expected = format!("`padding` of {} pairs for {}", x.shape().rank().saturating_sub(1), x.shape());
            let help = "give `[before, after]` for each axis behind the batch, `[0, 0]` for one that stays";
            return x.graph().refuse("zero_pad", ShapeError::new(expected, format!("{:?}", self.padding), help));
        }
        let axes = self.padding.iter().enumerate();
        axes.fold(x.clone(), |x, (i, &[before, after])| x.pad(i as isize + 1, before, after, 0.0))
    }

    fn check(&self) -> Result<(), ShapeError> {
        if self.padding.is_empty() {
            let help = "give `[before, after]` for each axis behind the batch";
            return Err(ShapeError::new("`padding` of at least one pair", "none", help));
        }
        Ok(())
    }
}
