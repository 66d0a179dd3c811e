//! Pooling of regions: what a detector cuts out of its feature maps. A region is a box, and every box becomes a map of the same size.
//!
//! | read | for |
//! |---|---|
//! | [`RoiPool`] | the largest of each bin, edges rounded (Fast R-CNN) |
//! | [`RoiAlign`] | the mean of points read in between pixels, nothing rounded (Mask R-CNN) |
//! | [`DeformRoiPool`] | the same with bins that the network moves (deformable convolutional networks) |
//!
//! All take images `x: [B, C, H, W]` and boxes `[R, 5]` of (number of the image, x₁, y₁, x₂, y₂), x along the width, in coordinates
//! that `scale` brings to those of `x`: 1/16 for a map of a sixteenth of the photo's size. They give `[R, C, ..output]`. A box whose
//! image does not exist gives NaN.

mod deform_roi_pool;
mod roi_align;
mod roi_pool;

pub use deform_roi_pool::DeformRoiPool;
pub use roi_align::RoiAlign;
pub use roi_pool::RoiPool;

use crate::check;
use crate::layers::spatial::{Spatial, channels_last};
use gradus_graph::{Node, ShapeError, ops};
use gradus_tensor::{Dim, Shape};

/// The images with their channels last, once the boxes and settings are seen to be in order.
fn images(x: &Node, boxes: &Node, name: &'static str, settings: Result<(), ShapeError>) -> Result<Spatial, Node> {
    if boxes.is_poisoned() {
        return Err(boxes.clone());
    }
    settings.map_err(|error| x.graph().refuse(name, error))?;
    let shape = boxes.shape();
    if !matches!(shape.dims(), [_, Dim::Fixed(5)]) {
        let help = "a box is a row (number of the image, x1, y1, x2, y2)";
        return Err(x.graph().refuse(name, ShapeError::new("boxes [R, 5]", shape.to_string(), help)));
    }
    channels_last(x, name, 2..=2)
}

/// At least one bin each way, and a scale.
fn check_bins(output: [usize; 2], scale: f64) -> Result<(), ShapeError> {
    output.into_iter().try_for_each(|n| check::at_least_one("output", n))?;
    check::positive("scale", scale)
}

/// Where boxes lie in the images.
struct Corners {
    /// `[R]`
    image: Node,
    /// The first corner, (row, column), `[R, 1]` each.
    first: [Node; 2],
    /// Height and width, `[R, 1]` each.
    size: [Node; 2],
}

/// Pixel i reaches from i to i + 1 and is read at its middle: what is `aligned` is moved by half a pixel. What is not is at least 1 long.
fn corners(boxes: &Node, scale: f64, aligned: bool) -> Corners {
    let column = |k: usize| boxes.slice(1, k..k + 1);
    let place = |k: usize| {
        let place = column(k) * scale;
        if aligned { place - 0.5 } else { place }
    };
    let first = [place(2), place(1)];
    let size = |axis: usize, last: Node| {
        let size = last - &first[axis];
        if aligned { size } else { size.maximum(1.0) }
    };
    let size = [size(0, place(4)), size(1, place(3))];
    Corners { image: column(0).squeeze(1), size, first }
}

impl Corners {
    /// The rows or columns of the points that are read, `samples` evenly in each of `bins`, `[R, bins·samples]`.
    fn points(&self, axis: usize, bins: usize, samples: usize) -> Node {
        let n = bins * samples;
        let g = self.image.graph();
        let steps = (g.apply(ops::Iota { axis: 1, shape: Shape::fixed(&[1, n]) }, &[]) + 0.5) * (1.0 / n as f64);
        &self.first[axis] + &self.size[axis] * steps
    }

    /// Means of the points of each bin, `at: [R, h, s, w, s]` rows and columns `-> [R, C, h, w]`.
    ///
    /// Within a pixel around the image the border is read, further out 0.
    fn read(&self, images: &Spatial, output: [usize; 2], samples: usize, at: [Node; 2]) -> Node {
        let [h, w] = output;
        let regions = self.image.shape().dims()[0];
        let with = |rest: &[usize]| {
            Shape::new([regions].into_iter().chain(rest.iter().map(|&n| Dim::Fixed(n))).collect::<Vec<_>>())
        };
        let grid = with(&[h, samples, w, samples, 1]);
        let mut inside: Option<Node> = None;
        let mut places = vec![];
        for (place, &size) in at.iter().zip(&images.sizes) {
            let here = place.ge(-1.0) * place.le(size as f64);
            inside = Some(inside.map_or(here.clone(), |other| other * here));
            let place = place.clamp(0.0, (size - 1) as f64);
            let dims = [place.shape().dims(), &[Dim::Fixed(1)]].concat();
            places.push(place.reshape(dims).expand(grid.clone()));
        }
        let points = h * samples * w * samples;
        let at = Node::concat(&[&places[0], &places[1]], -1).reshape(with(&[points, 2]));
        let y = images.x.sample(&at, Some(&self.image)).reshape(with(&[h, samples, w, samples, images.channels]));
        let y = match inside {
            Some(inside) => {
                let dims = [inside.shape().dims(), &[Dim::Fixed(1)]].concat();
                y * inside.reshape(dims)
            }
            None => y,
        };
        y.mean([2, 4]).reshape(with(&[h, w, images.channels])).permute([0, 3, 1, 2])
    }
}
