//! The same values under another shape.

use super::Layer;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use gradus_tensor::Dim;
use serde::{Deserialize, Serialize};

/// The same values in the same order under another shape, `x: [B, ..] -> [B, to..]`.
///
/// One size may be -1: it is what remains. `reshape = { to = [28, 28] }` turns images `[B, 1, 28, 28]` into sequences of rows; values
/// keep their order, so turning axes is the work of `permute`. The first `keep` axes behind the batch stay, with their mask:
/// `reshape = { keep = 1, to = [-1] }` makes one vector of the several of each sentence, `[B, S, M, D] -> [B, S, M·D]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reshape {
    /// The sizes behind the batch and the axes kept, one of which may be -1.
    pub to: Vec<isize>,
    /// How many axes behind the batch stay as they are.
    #[serde(default)]
    pub keep: usize,
}

impl Reshape {
    /// To these sizes behind the batch.
    pub fn new(to: impl Into<Vec<isize>>) -> Reshape {
        Reshape { to: to.into(), keep: 0 }
    }

    /// With so many axes behind the batch as they are.
    pub fn keep(mut self, axes: usize) -> Reshape {
        self.keep = axes;
        self
    }
}

impl Config for Reshape {
    fn examples() -> Vec<Reshape> {
        vec![Reshape::new([-1, 2]), Reshape::new([4, -1]), Reshape::new([1, -1]).keep(1)]
    }
}

impl Layer for Reshape {
    fn build(&self, x: &Node) -> Node {
        let shape = x.shape();
        let Some((first, rest)) = shape.dims().split_at_checked(1 + self.keep) else {
            let help = "lower `keep`: it counts the axes behind the batch";
            let expected = format!("`keep` of at most {}", shape.rank().saturating_sub(1));
            return x.graph().refuse("reshape", ShapeError::new(expected, self.keep.to_string(), help));
        };
        let total: Option<usize> = rest.iter().map(|dim| dim.fixed()).product();
        let sizes = self.to.iter().filter_map(|&size| usize::try_from(size).ok());
        let known = sizes.fold(1, usize::saturating_mul);
        let open = self.to.contains(&-1);
        let fits = |total: &usize| if open { known > 0 && total.is_multiple_of(known) } else { *total == known };
        let Some(total) = total.filter(fits) else {
            let values = total.map_or_else(|| "an open number of".to_string(), |n| n.to_string());
            let expected = match self.keep {
                0 => format!("`to` of sizes that hold the {values} values of each sample {shape}"),
                keep => format!("`to` of sizes that hold the {values} values of {shape} behind the {keep} axes kept"),
            };
            let help = "let the sizes multiply to the number of values; one of them may be -1";
            return x.graph().refuse("reshape", ShapeError::new(expected, format!("{:?}", self.to), help));
        };
        let size = |&size: &isize| Dim::Fixed(usize::try_from(size).unwrap_or(total / known.max(1)));
        let y = x.reshape(first.iter().copied().chain(self.to.iter().map(size)).collect::<Vec<_>>());
        match x.mask() {
            Some(mask) if mask.shape().rank() <= first.len() => y.with_mask(&mask),
            _ => y.without_mask(),
        }
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
