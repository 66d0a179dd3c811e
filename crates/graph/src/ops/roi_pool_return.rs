//! Each bin's value back to where the bin is largest: the gradient of its maximum.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::instr::Pooling;
use gradus_tensor::{Dim, Shape};

/// Input 2 added up where input 0 is largest in each bin of the boxes of input 1:
/// `[N, H, W, C], [R, 5], [R, ..out, C] -> [N, H, W, C]`.
#[derive(Clone, Debug)]
pub struct RoiPoolReturn {
    /// Bins along height and width.
    pub out: [usize; 2],
    /// From the coordinates of boxes to those of images.
    pub scale: f64,
}

impl OpDef for RoiPoolReturn {
    const NAME: &'static str = "roi_pool_return";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let pooled = super::roi_pool::pooled(self.out, x[0], x[1])?;
        if *x[2] == pooled {
            return Ok(x[0].clone());
        }
        Err(ShapeError::new(format!("one value for each bin, {pooled}"), x[2].to_string(), "pool the same boxes"))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let RoiPoolReturn { out, scale } = *self;
        let dv = dy.graph().apply(super::RoiPoolPick { out, scale }, &[&x[0], &x[1], dy]);
        vec![
            Grad::Stop("the place of a maximum is piecewise constant"),
            Grad::Stop("rounded edges are piecewise constant"),
            Grad::Flow(dv),
        ]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::RoiPool { pooling: Pooling::Return, out: self.out, scale: self.scale }
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("it belongs to gradients alone".into())
    }

    fn cases() -> Vec<Case> {
        let case = |(out, x): ([usize; 2], Shape)| {
            let Some(&channels) = x.dims().last() else { unreachable!("images have channels") };
            let mut bins = Shape::batched(&[out[0], out[1]]).dims().to_vec();
            bins.push(channels);
            let shapes: [Shape; 3] = [x, Shape::batched(&[5]), Shape::new(bins as Vec<Dim>)];
            Case::new(RoiPoolReturn { out, scale: 1.25 }, shapes).index(1, 4)
        };
        super::roi_pool::cases().map(case).collect()
    }
}
