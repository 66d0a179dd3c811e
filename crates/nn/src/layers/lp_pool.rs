//! The p-norm of each window over space. Gulcehre et al. 2014, arXiv:1311.1780.

use super::pooled::{Over, over_windows};
use super::window::{check_windows, sights, window_setters};
use super::{Layer, Padding, PerAxis, Sight};
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Lp pooling, `x: [B, C, H, W] -> [B, C, H', W']`, also sequences `[B, T, C]` and volumes `[B, C, D, H, W]`: the norm of each window,
/// `y = (Σ|x|^p)^(1/p)`, channel by channel.
///
/// Between the sum (p = 1) and the maximum (large p) of the absolute values. Sizes as for `max_pool`; padding adds nothing. A window of
/// zeros has the gradient 0. ONNX' `LpPool` is the same; PyTorch's `LPPool` takes `x^p` without the absolute value, which differs
/// where p is odd and x negative.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LpPool {
    /// The power, at least 1.
    pub p: f64,
    /// The size of a window: one number, or one for each spatial axis.
    pub size: PerAxis,
    /// From one window to the next; `size` where none is named, so that windows lie side by side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<PerAxis>,
    /// From one element of a window to the next; 1 leaves no gaps.
    pub dilation: PerAxis,
    /// What lies around the input: `"valid"` (nothing), `"same"` (so much that stride 1 keeps the size), `"same_lower"`, or numbers.
    pub padding: Padding,
}

impl Default for LpPool {
    /// The root of the sum of squares over windows of 2 side by side.
    fn default() -> LpPool {
        LpPool { p: 2.0, size: 2.into(), stride: None, dilation: 1.into(), padding: Padding::VALID }
    }
}

impl LpPool {
    /// Windows of this size side by side.
    pub fn new(p: f64, size: impl Into<PerAxis>) -> LpPool {
        LpPool { p, size: size.into(), ..LpPool::default() }
    }
}

window_setters!(LpPool);

impl Config for LpPool {
    fn examples() -> Vec<LpPool> {
        vec![
            LpPool::new(2.0, 2),
            LpPool::new(3.0, 3).stride(2).padding(Padding::SAME),
            LpPool::new(1.0, 2),
            LpPool::new(1.5, 2),
        ]
    }
}

impl Layer for LpPool {
    fn build(&self, x: &Node) -> Node {
        let LpPool { p, size, stride, dilation, padding } = self;
        over_windows(x, "lp_pool", size, stride.as_ref(), dilation, padding, |x, axes| Over::Lp.windows(x, axes, *p))
    }

    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        sights(sizes.len(), &self.size, self.stride.as_ref().unwrap_or(&self.size), &self.dilation, false)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check_windows(&self.size, self.stride.as_ref(), &self.dilation)?;
        Over::Lp.check(self.p)
    }
}
