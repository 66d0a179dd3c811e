//! The largest of each bin of a box, edges rounded. Girshick 2015, Fast R-CNN, arXiv:1504.08083.

use super::{check_bins, images};
use crate::layers::spatial::channels_first;
use gradus_graph::Node;

/// RoI pooling, `x: [B, C, H, W], boxes: [R, 5] -> [R, C, ..output]`: the largest element of each bin.
///
/// The corners are scaled and rounded to pixels, and both belong to the box. Bin i of n along an axis of l pixels reaches from `⌊i·l/n⌋`
/// up to `⌈(i + 1)·l/n⌉`. An empty bin gives 0. The gradient goes to the first of several equal elements; boxes have none. As
/// torchvision's `roi_pool`.
///
/// ```
/// use gradus_graph::{Graph, Kind};
/// use gradus_nn::regions::RoiPool;
/// let g = Graph::new();
/// let (x, boxes) = (g.input("map", [64, 20, 30]), g.add_input("boxes", [100, 5].into(), Kind::Real));
/// let y = RoiPool::new([7, 7], 1.0 / 16.0).apply(&x, &boxes);
/// assert_eq!(y.shape().to_string(), "[100, 64, 7, 7]");
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoiPool {
    /// Bins along the height and the width of a box.
    pub output: [usize; 2],
    /// From the coordinates of boxes to those of `x`.
    pub scale: f64,
}

impl RoiPool {
    /// So many bins.
    pub fn new(output: [usize; 2], scale: f64) -> RoiPool {
        RoiPool { output, scale }
    }

    /// The pooled regions.
    #[track_caller]
    pub fn apply(&self, x: &Node, boxes: &Node) -> Node {
        match images(x, boxes, "roi_pool", check_bins(self.output, self.scale)) {
            Ok(images) => channels_first(&images.x.roi_pool(boxes, self.output, self.scale)),
            Err(refused) => refused,
        }
    }
}
