//! The mean of points in each bin of a box, nothing rounded. He et al. 2017, Mask R-CNN, arXiv:1703.06870.

use super::{check_bins, corners, images};
use crate::check;
use gradus_graph::Node;
use gradus_tensor::Dim;

/// RoI align, `x: [B, C, H, W], boxes: [R, 5] -> [R, C, ..output]`: the mean over `samples`² points of each bin, each read by linear
/// interpolation.
///
/// With `aligned` (as Detectron2 and newer models), box coordinates are moved by half a pixel, since pixel i is read in its middle
/// at i + ½; without it (the paper's code, torchvision's default) they are not, and a box is at least one pixel long. Within a pixel
/// around the image its border is read, further out 0. As torchvision's `roi_align`, but the number of points is fixed
/// (`sampling_ratio` 0 there makes it depend on the box), and the boxes have their exact gradients too.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoiAlign {
    /// Bins along the height and the width of a box.
    pub output: [usize; 2],
    /// From the coordinates of boxes to those of `x`.
    pub scale: f64,
    /// Points of a bin along each axis, 2 in the paper.
    pub samples: usize,
    /// Coordinates are moved by half a pixel.
    pub aligned: bool,
}

impl RoiAlign {
    /// So many bins of 2·2 points, aligned.
    pub fn new(output: [usize; 2], scale: f64) -> RoiAlign {
        RoiAlign { output, scale, samples: 2, aligned: true }
    }

    /// The pooled regions.
    #[track_caller]
    pub fn apply(&self, x: &Node, boxes: &Node) -> Node {
        let RoiAlign { output, scale, samples, aligned } = *self;
        let settings = check_bins(output, scale).and(check::at_least_one("samples", samples));
        let images = match images(x, boxes, "roi_align", settings) {
            Ok(images) => images,
            Err(refused) => return refused,
        };
        let corners = corners(boxes, scale, aligned);
        let [one, s, h, w] = [1, samples, output[0], output[1]].map(Dim::Fixed);
        let regions = boxes.shape().dims()[0];
        let rows = corners.points(0, output[0], samples).reshape(vec![regions, h, s, one, one]);
        let cols = corners.points(1, output[1], samples).reshape(vec![regions, one, one, w, s]);
        corners.read(&images, output, samples, [rows, cols])
    }
}
