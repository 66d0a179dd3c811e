//! A value through which no gradient flows.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// The same value, cut off from the gradient on purpose.
#[derive(Clone, Debug)]
pub struct StopGradient;

impl OpDef for StopGradient {
    const NAME: &'static str = "stop_gradient";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], _y: &Node, _dy: &Node) -> Grads {
        vec![Grad::Stop("stopped on request")]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Reshape
    }

    fn onnx(&self, _w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(x[0].clone())
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(StopGradient, [[2, 3].into()]).first_order()]
    }
}
