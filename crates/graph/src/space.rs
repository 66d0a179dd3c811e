//! Functions over space on channels-last values, `[B, ..sizes, C]`.

use crate::ops::{MaxPool, RoiPool, SumPool};
use crate::{Node, PoolAxis};

impl Node {
    /// The largest element of each window, `[B, ..sizes, C] -> [B, ..outputs, C]` for one to three spatial axes. Padding never wins; the
    /// gradient goes to the first of several equal elements.
    ///
    /// ```
    /// use gradus_graph::{Graph, Window};
    /// let x = Graph::new().input("x", [28, 28, 8]);
    /// let halves = Window::new(2).stride(2).into();
    /// assert_eq!(x.max_pool(&[halves, halves]).shape().to_string(), "[B, 14, 14, 8]");
    /// ```
    #[track_caller]
    pub fn max_pool(&self, axes: &[PoolAxis]) -> Node {
        self.graph().apply(MaxPool { axes: axes.to_vec() }, &[self])
    }

    /// The sum of each window times `scale`, `[B, ..sizes, C] -> [B, ..outputs, C]` for one to three spatial axes.
    #[track_caller]
    pub fn sum_pool(&self, axes: &[PoolAxis], scale: f64) -> Node {
        self.graph().apply(SumPool { axes: axes.to_vec(), scale, average: false }, &[self])
    }

    /// The mean of what each window sees, without the padding, `[B, ..sizes, C] -> [B, ..outputs, C]` for one to three spatial axes.
    #[track_caller]
    pub fn mean_pool(&self, axes: &[PoolAxis]) -> Node {
        self.graph().apply(SumPool { axes: axes.to_vec(), scale: 1.0, average: true }, &[self])
    }

    /// The largest element of each bin of each box, `[N, H, W, C], boxes: [R, 5] -> [R, ..out, C]`, see [`RoiPool`].
    #[track_caller]
    pub fn roi_pool(&self, boxes: &Node, out: [usize; 2], scale: f64) -> Node {
        self.graph().apply(RoiPool { out, scale }, &[self, boxes])
    }
}
