//! The largest element of each bin of each box, with rounded edges. Girshick 2015, Fast R-CNN, arXiv:1504.08083.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::instr::Pooling;
use gradus_tensor::{Dim, Shape};

/// The largest element of each bin of each box, `x: [N, H, W, C], boxes: [R, 5] -> [R, ..out, C]`.
///
/// A box is (image, x₁, y₁, x₂, y₂); its corners are scaled and rounded, and both belong to it. Bin i of n along an axis of length l
/// reaches from `⌊i·l/n⌋` up to `⌈(i + 1)·l/n⌉`, as far as the image goes. An empty bin gives 0; a box of an image that does not
/// exist gives NaN.
#[derive(Clone, Debug)]
pub struct RoiPool {
    /// Bins along height and width.
    pub out: [usize; 2],
    /// From the coordinates of boxes to those of images.
    pub scale: f64,
}

impl OpDef for RoiPool {
    const NAME: &'static str = "roi_pool";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        pooled(self.out, x[0], x[1])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let RoiPool { out, scale } = *self;
        let dx = dy.graph().apply(super::RoiPoolReturn { out, scale }, &[&x[0], &x[1], dy]);
        vec![Grad::Flow(dx), Grad::Stop("rounded edges are piecewise constant")]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::RoiPool { pooling: Pooling::Max, out: self.out, scale: self.scale }
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("boxes are not written".into())
    }

    fn cases() -> Vec<Case> {
        cases().map(|(out, x)| Case::new(RoiPool { out, scale: 1.25 }, [x, Shape::batched(&[5])]).index(1, 4)).collect()
    }
}

/// The shape of the bins.
pub(super) fn pooled(out: [usize; 2], x: &Shape, boxes: &Shape) -> Result<Shape, ShapeError> {
    let fits = x.rank() == 4 && x.dims()[1..].iter().all(|d| d.fixed().is_some());
    let (&[_, _, _, channels], true) = (x.dims(), fits && !out.contains(&0)) else {
        let received = format!("{x} and {out:?} bins");
        return Err(ShapeError::new("images [N, H, W, C] and at least one bin", received, "give images, channels last"));
    };
    let &[count, Dim::Fixed(5)] = boxes.dims() else {
        let help = "a box is (image, x1, y1, x2, y2)";
        return Err(ShapeError::new("boxes [R, 5]", boxes.to_string(), help));
    };
    Ok(Shape::new(vec![count, Dim::Fixed(out[0]), Dim::Fixed(out[1]), channels]))
}

/// Bins and images.
pub(super) fn cases() -> impl Iterator<Item = ([usize; 2], Shape)> {
    [([2, 2], [4, 5, 6, 3]), ([1, 3], [4, 3, 3, 2])].into_iter().map(|(out, x)| (out, Shape::fixed(&x)))
}
