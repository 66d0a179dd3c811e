//! The same values under another shape.

use super::Layer;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use gradus_tensor::Dim;
use serde::{Deserialize, Serialize};

/// The same values in the same order under another shape, `x: [B, ..] -> [B, to..]`.
///
/// One size may be -1: it is what remains. `reshape = { to = [28, 28] }` turns images `[B, 1, 28, 28]` into sequences of rows; values
/// keep their order, so turning axes is the work of `permute`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    /// The sizes behind the batch, one of which may be -1.
    pub to: Vec<isize>,
}

impl Reshape {
    /// To these sizes behind the batch.
    pub fn new(to: impl Into<Vec<isize>>) -> Reshape {
        Reshape { to: to.into() }
    }
}

impl Config for Reshape {
    fn examples() -> Vec<Reshape> {
        vec![Reshape::new([-1, 2]), Reshape::new([4, -1])]
    }
}

impl Layer for Reshape {
    fn build(&self, x: &Node) -> Node {
        let shape = x.shape();
        let total: Option<usize> = shape.dims().iter().skip(1).map(|dim| dim.fixed()).product();
        let known: usize = self.to.iter().filter_map(|&size| usize::try_from(size).ok()).product();
        let open = self.to.contains(&-1);
        let fits = |total: &usize| if open { known > 0 && total.is_multiple_of(known) } else { *total == known };
        let (Some(first), Some(total)) = (shape.dims().first(), total.filter(fits)) else {
            let values = total.map_or_else(|| "an open number of".to_string(), |n| n.to_string());
            let expected = format!("`to` of sizes that hold the {values} values of each sample {shape}");
            let help = "let the sizes multiply to the number of values; one of them may be -1";
            return x.graph().refuse("reshape", ShapeError::new(expected, format!("{:?}", self.to), help));
        };
        let size = |&size: &isize| Dim::Fixed(usize::try_from(size).unwrap_or(total / known.max(1)));
        x.reshape([*first].into_iter().chain(self.to.iter().map(size)).collect::<Vec<_>>()).without_mask()
    }

    fn check(&self) -> Result<(), ShapeError> {
        let open = self.to.iter().filter(|&&size| size == -1).count();
        if open <= 1 && self.to.iter().all(|&size| size > 0 || size == -1) {
            return Ok(());
        }
        let help = "correct the setting `to`";
        Err(ShapeError::new("`to` of sizes of at least 1, one of which may be -1", format!("{:?}", self.to), help))
    }
}
