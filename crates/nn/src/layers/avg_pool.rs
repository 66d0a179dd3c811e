//! The mean of each window over space. LeCun et al. 1998.

use super::pooled::over_windows;
use super::window::{check_windows, sights, window_setters};
use super::{Layer, Padding, PerAxis, Sight};
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Average pooling, `x: [B, C, H, W] -> [B, C, H', W']`, also sequences `[B, T, C]` and volumes `[B, C, D, H, W]`: the mean of each window,
/// channel by channel.
///
/// Sizes as for `max_pool`. Padding is left out of the mean (Keras, TensorFlow, ONNX), so a border is as bright as the rest; with
/// `count_padding` it counts as zeros, which is PyTorch's default (`count_include_pad`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AvgPool {
    /// The size of a window: one number, or one for each spatial axis.
    pub size: PerAxis,
    /// From one window to the next; `size` where none is named, so that windows lie side by side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stride: Option<PerAxis>,
    /// From one element of a window to the next; 1 leaves no gaps.
    pub dilation: PerAxis,
    /// What lies around the input: `"valid"` (nothing), `"same"` (so much that stride 1 keeps the size), `"same_lower"`, or numbers.
    pub padding: Padding,
    /// Padding counts as zeros.
    pub count_padding: bool,
}

impl Default for AvgPool {
    /// Windows of 2 side by side.
    fn default() -> AvgPool {
        AvgPool { size: 2.into(), stride: None, dilation: 1.into(), padding: Padding::VALID, count_padding: false }
    }
}

impl AvgPool {
    /// Windows of this size side by side.
    pub fn new(size: impl Into<PerAxis>) -> AvgPool {
        AvgPool { size: size.into(), ..AvgPool::default() }
    }

    /// Counts padding as zeros.
    pub fn count_padding(self) -> AvgPool {
        AvgPool { count_padding: true, ..self }
    }
}

window_setters!(AvgPool);

impl Config for AvgPool {
    fn examples() -> Vec<AvgPool> {
        vec![
            AvgPool::new(2),
            AvgPool::new(3).stride(2).padding(Padding::SAME),
            AvgPool::new(3).stride(2).padding(Padding::Number(1.into())).count_padding(),
        ]
    }
}

impl Layer for AvgPool {
    fn build(&self, x: &Node) -> Node {
        let AvgPool { size, stride, dilation, padding, count_padding } = self;
        over_windows(x, "avg_pool", size, stride.as_ref(), dilation, padding, |x, axes| {
            if !count_padding {
                return x.mean_pool(axes);
            }
            // The sizes are there: the windows were made of them.
            let count: f64 = size.over("size", axes.len()).unwrap_or_default().iter().map(|&n| n as f64).product();
            x.sum_pool(axes, 1.0 / count.max(1.0))
        })
    }

    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        sights(sizes.len(), &self.size, self.stride.as_ref().unwrap_or(&self.size), &self.dilation, false)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check_windows(&self.size, self.stride.as_ref(), &self.dilation)
    }
}
