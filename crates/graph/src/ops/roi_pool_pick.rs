//! Another value where each bin of each box is largest: how a step of the inputs changes the maxima.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::instr::Pooling;
use gradus_tensor::Shape;

/// Input 2 where input 0 is largest in each bin of the boxes of input 1: `[N, H, W, C], [R, 5], [N, H, W, C] -> [R, ..out, C]`.
#[derive(Clone, Debug)]
pub struct RoiPoolPick {
    /// Bins along height and width.
    pub out: [usize; 2],
    /// From the coordinates of boxes to those of images.
    pub scale: f64,
}

impl OpDef for RoiPoolPick {
    const NAME: &'static str = "roi_pool_pick";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        if x[0] != x[2] {
            return Err(ShapeError::new(
                "two inputs of one shape",
                format!("{} and {}", x[0], x[2]),
                "make them equal",
            ));
        }
        super::roi_pool::pooled(self.out, x[0], x[1])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let RoiPoolPick { out, scale } = *self;
        let dv = dy.graph().apply(super::RoiPoolReturn { out, scale }, &[&x[0], &x[1], dy]);
        vec![
            Grad::Stop("the place of a maximum is piecewise constant"),
            Grad::Stop("rounded edges are piecewise constant"),
            Grad::Flow(dv),
        ]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::RoiPool { pooling: Pooling::Pick, out: self.out, scale: self.scale }
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("it belongs to gradients alone".into())
    }

    fn cases() -> Vec<Case> {
        let case = |(out, x): ([usize; 2], Shape)| {
            Case::new(RoiPoolPick { out, scale: 1.25 }, [x.clone(), Shape::batched(&[5]), x]).index(1, 4)
        };
        super::roi_pool::cases().map(case).collect()
    }
}
