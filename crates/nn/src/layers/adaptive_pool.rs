//! As many windows as outputs are asked for. He et al. 2014, arXiv:1406.4729, by PyTorch's rule for the bins.

use super::pooled::Over;
use super::spatial::{channels_first, channels_last};
use super::window::at_least_one;
use super::{Layer, PerAxis, Sight};
use crate::table::Config;
use gradus_graph::{Node, PoolAxis, ShapeError};
use serde::{Deserialize, Serialize};

/// Adaptive pooling, `x: [B, C, H, W] -> [B, C, ..output]`, also sequences `[B, T, C]` and volumes `[B, C, D, H, W]`: bins share out each
/// axis, whatever its size.
///
/// Output i of n along an axis of size s sees the inputs from `⌊i·s/n⌋` up to `⌈(i + 1)·s/n⌉`, PyTorch's rule: bins overlap where n does not
/// divide s, and repeat inputs where n is larger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AdaptivePool {
    /// The size of the result: one number, or one for each spatial axis.
    pub output: PerAxis,
    /// Which number stands for a bin: `"avg"`, `"max"` or `"lp"`.
    pub over: Over,
    /// The power for `"lp"`, at least 1.
    pub p: f64,
}

impl Default for AdaptivePool {
    /// The mean of everything.
    fn default() -> AdaptivePool {
        AdaptivePool { output: 1.into(), over: Over::Avg, p: 2.0 }
    }
}

impl AdaptivePool {
    /// So many outputs.
    pub fn new(over: Over, output: impl Into<PerAxis>) -> AdaptivePool {
        AdaptivePool { output: output.into(), over, ..AdaptivePool::default() }
    }
}

impl Config for AdaptivePool {
    fn examples() -> Vec<AdaptivePool> {
        vec![AdaptivePool::default(), AdaptivePool::new(Over::Max, 3), AdaptivePool::new(Over::Lp, [2])]
    }
}

impl Layer for AdaptivePool {
    fn build(&self, x: &Node) -> Node {
        let spatial = match channels_last(x, "adaptive_pool", 1..=3) {
            Ok(spatial) => spatial,
            Err(refused) => return refused,
        };
        match self.output.over("output", spatial.sizes.len()) {
            Ok(outputs) => {
                let axes: Vec<PoolAxis> = outputs.into_iter().map(PoolAxis::Bins).collect();
                channels_first(&self.over.windows(&spatial.x, &axes, self.p))
            }
            Err(error) => x.graph().refuse("adaptive_pool", error),
        }
    }

    /// The widest bin along each axis.
    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        let bins = self.output.over("output", sizes.len()).ok()?;
        let sight = |(&size, bins): (&usize, usize)| {
            let bins = bins.max(1);
            let widest = (0..bins).map(|i| ((i + 1) * size).div_ceil(bins) - i * size / bins).max().unwrap_or(1);
            let extent = if widest >= size { f64::INFINITY } else { (widest.max(1) - 1) as f64 };
            Sight { extent, step: size as f64 / bins as f64 }
        };
        Some(sizes.iter().zip(bins).map(sight).collect())
    }

    fn check(&self) -> Result<(), ShapeError> {
        at_least_one("output", &self.output)?;
        self.over.check(self.p)
    }
}
