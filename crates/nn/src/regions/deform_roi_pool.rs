//! Bins that the network moves. Dai et al. 2017, Deformable Convolutional Networks, arXiv:1703.06211, §2.2.

use super::{check_bins, corners, images};
use crate::LayerExt;
use crate::check;
use crate::init::Zero;
use crate::layers::{Dense, Flatten};
use gradus_graph::Node;
use gradus_tensor::Dim;

/// Deformable RoI pooling, `x: [B, C, H, W], boxes: [R, 5] -> [R, C, ..output]`: RoI align whose bins are moved by
/// `Δp = γ·Δp̂∘(w, h)`, with Δp̂ from a dense layer on the unmoved pooling of the same box.
///
/// That layer, `offset/dense`, has 2 outputs for each bin, (row, column) bin after bin, and starts at zero, so that training starts from
/// RoI align. The move is relative to the box: γ = 0.1 makes it a tenth of its size for Δp̂ = 1. Each bin is the mean of
/// `samples`² points, coordinates aligned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeformRoiPool {
    /// Bins along the height and the width of a box.
    pub output: [usize; 2],
    /// From the coordinates of boxes to those of `x`.
    pub scale: f64,
    /// Points of a bin along each axis.
    pub samples: usize,
    /// γ, how far a bin moves for an offset of 1, in sizes of the box.
    pub gamma: f64,
}

impl DeformRoiPool {
    /// So many bins of 2·2 points, γ = 0.1.
    pub fn new(output: [usize; 2], scale: f64) -> DeformRoiPool {
        DeformRoiPool { output, scale, samples: 2, gamma: 0.1 }
    }

    /// The pooled regions. The dense layer's parameters stand under the scope `deform_roi_pool`.
    #[track_caller]
    pub fn apply(&self, x: &Node, boxes: &Node) -> Node {
        x.scope("deform_roi_pool", |x| self.build(x, boxes))
    }

    #[track_caller]
    fn build(&self, x: &Node, boxes: &Node) -> Node {
        let DeformRoiPool { output, scale, samples, gamma } = *self;
        let settings =
            check_bins(output, scale).and(check::at_least_one("samples", samples)).and(check::finite("gamma", gamma));
        let images = match images(x, boxes, "deform_roi_pool", settings) {
            Ok(images) => images,
            Err(refused) => return refused,
        };
        let corners = corners(boxes, scale, true);
        let [one, two, s, h, w] = [1, 2, samples, output[0], output[1]].map(Dim::Fixed);
        let regions = boxes.shape().dims()[0];
        let rows = corners.points(0, output[0], samples).reshape(vec![regions, h, s, one, one]);
        let cols = corners.points(1, output[1], samples).reshape(vec![regions, one, one, w, s]);
        let still = corners.read(&images, output, samples, [rows.clone(), cols.clone()]);
        let offset = Dense::new(2 * output[0] * output[1]).weight_init(Zero);
        let offset =
            still.scope("offset", |y| y.layer(Flatten).layer(offset)).reshape(vec![regions, h, one, w, one, two]);
        let moved = |axis: usize, at: &Node| {
            let size = corners.size[axis].reshape(vec![regions, one, one, one, one]);
            at + offset.slice(-1, axis..axis + 1).squeeze(-1) * size * gamma
        };
        corners.read(&images, output, samples, [moved(0, &rows), moved(1, &cols)])
    }
}
