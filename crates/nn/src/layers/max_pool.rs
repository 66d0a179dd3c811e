//! The largest of each window over space. Yamaguchi et al. 1990; Ranzato et al. 2007.

use super::pooled::over_windows;
use super::window::{check_windows, sights, window_setters};
use super::{Layer, Padding, PerAxis, Sight};
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Max pooling, `x: [B, C, H, W] -> [B, C, H', W']`, also sequences `[B, T, C]` and volumes `[B, C, D, H, W]`: the largest element of each
/// window, channel by channel.
///
/// `H' = ⌊(H + padding - reach)/stride⌋ + 1`, where a window reaches `(size - 1)·dilation + 1`. Padding never wins. Of equal elements the
/// first, in order of the axes, takes the gradient, as in PyTorch; windows may overlap. A NaN wins.
///
/// ```
/// use gradus_graph::Graph;
/// use gradus_nn::{LayerExt, layers::MaxPool};
/// let y = Graph::new().input("image", [8, 28, 28]).layer(MaxPool::new(2));
/// assert_eq!(y.shape().to_string(), "[B, 8, 14, 14]");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MaxPool {
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

impl Default for MaxPool {
    /// Windows of 2 side by side.
    fn default() -> MaxPool {
        MaxPool { size: 2.into(), stride: None, dilation: 1.into(), padding: Padding::VALID }
    }
}

impl MaxPool {
    /// Windows of this size side by side.
    pub fn new(size: impl Into<PerAxis>) -> MaxPool {
        MaxPool { size: size.into(), ..MaxPool::default() }
    }
}

window_setters!(MaxPool);

impl Config for MaxPool {
    fn examples() -> Vec<MaxPool> {
        vec![
            MaxPool::new(2),
            MaxPool::new(3).stride(2).padding(Padding::SAME),
            MaxPool::new([2]).stride([1]).dilation([2]).padding(Padding::Pairs(vec![[0, 1]])),
        ]
    }
}

impl Layer for MaxPool {
    fn build(&self, x: &Node) -> Node {
        let MaxPool { size, stride, dilation, padding } = self;
        over_windows(x, "max_pool", size, stride.as_ref(), dilation, padding, |x, axes| x.max_pool(axes))
    }

    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        sights(sizes.len(), &self.size, self.stride.as_ref().unwrap_or(&self.size), &self.dilation, false)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check_windows(&self.size, self.stride.as_ref(), &self.dilation)
    }
}
