//! The largest element of each bin of each box, with rounded edges. Girshick 2015, Fast R-CNN, arXiv:1504.08083.

use crate::Node;
use crate::onnx::{Attribute, OnnxNode, OnnxOp, Refusal, Traced, Value, Writer, Written, channels_second};
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
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "MaxRoiPool", read }];

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

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let image = channels_second(4);
        let (images, boxes) = (w.real(&x[0]), w.real(&x[1]));
        let inputs = vec![w.ordered(&images, &image), w.plain(&boxes)];
        let attributes = vec![
            ("pooled_shape", Attribute::Ints(self.out.map(|n| n as i64).to_vec())),
            ("spatial_scale", Attribute::Float(self.scale as f32)),
        ];
        Ok(w.node("MaxRoiPool", inputs, attributes, y, gradus_tensor::Kind::F32).in_order(image))
    }

    fn cases() -> Vec<Case> {
        cases().map(|(out, x)| Case::new(RoiPool { out, scale: 1.25 }, [x, Shape::batched(&[5])]).index(1, 4)).collect()
    }
}

/// MaxRoiPool: the same, channels first.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let stated = n.ints("pooled_shape")?.unwrap_or_default();
    let out: Option<Vec<usize>> = stated.iter().map(|&n| usize::try_from(n).ok()).collect();
    let Some(&[height, width]) = out.as_deref() else {
        return Err(ShapeError::new("a `pooled_shape` of two sizes", format!("{stated:?}"), "write the file again"));
    };
    let node = n.image(0)?.roi_pool(&n.x(1)?, [height, width], n.float("spatial_scale")?.unwrap_or(1.0));
    Ok(vec![Value::Traced(Traced { node, kind: n.kind(0)?, last: true })])
}

/// The shape of the bins.
pub(super) fn pooled(out: [usize; 2], x: &Shape, boxes: &Shape) -> Result<Shape, ShapeError> {
    let fits = x.rank() == 4 && x.dims()[1..].iter().all(|d| d.fixed().is_some());
    let (&[_, _, _, channels], true) = (x.dims(), fits && !out.contains(&0)) else {
        let received = format!("{x} and {out:?} bins");
        return Err(ShapeError::new(
            "images [N, H, W, C] and at least one bin",
            received,
            "give images, channels last",
        ));
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
