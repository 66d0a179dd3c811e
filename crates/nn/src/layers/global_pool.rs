//! One number for each channel, over all of space. Lin, Chen & Yan 2014, Network in Network, arXiv:1312.4400.

use super::pooled::Over;
use super::spatial::channels_last;
use super::{Layer, Sight};
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use gradus_tensor::Dim;
use serde::{Deserialize, Serialize};

/// Global pooling, `x: [B, C, H, W] -> [B, C]`, also sequences `[B, T, C]` and volumes `[B, C, D, H, W]`: one number for each channel.
///
/// The mean takes the place of `flatten` and a large dense layer, and lets a network take images of any size. With `keep_axes` the
/// spatial axes stay with size 1, as PyTorch's `AdaptiveAvgPool2d(1)` and ONNX' `GlobalAveragePool` leave them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GlobalPool {
    /// Which number: `"avg"`, `"max"` or `"lp"`.
    pub over: Over,
    /// The power for `"lp"`, at least 1.
    pub p: f64,
    /// Keep the spatial axes with size 1.
    pub keep_axes: bool,
}

impl Default for GlobalPool {
    /// The mean, without the spatial axes.
    fn default() -> GlobalPool {
        GlobalPool { over: Over::Avg, p: 2.0, keep_axes: false }
    }
}

impl GlobalPool {
    /// One number for each channel.
    pub fn new(over: Over) -> GlobalPool {
        GlobalPool { over, ..GlobalPool::default() }
    }
}

impl Config for GlobalPool {
    fn examples() -> Vec<GlobalPool> {
        let kept = GlobalPool { keep_axes: true, ..GlobalPool::default() };
        vec![
            GlobalPool::default(),
            kept,
            GlobalPool { over: Over::Max, ..kept },
            GlobalPool { over: Over::Lp, p: 3.0, ..kept },
        ]
    }
}

impl Layer for GlobalPool {
    fn build(&self, x: &Node) -> Node {
        let channels = match channels_last(x, "global_pool", 1..=3) {
            Ok(spatial) => spatial.channels,
            Err(refused) => return refused,
        };
        let shape = x.shape();
        let rank = shape.rank();
        let axes: Vec<isize> = if rank == 3 { vec![1] } else { (2..rank as isize).collect() };
        let y = self.over.axes(x, &axes, self.p);
        if self.keep_axes { y } else { y.reshape(vec![shape.dims()[0], Dim::Fixed(channels)]) }
    }

    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        Some(vec![Sight::ALL; sizes.len()])
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.over.check(self.p)
    }
}
