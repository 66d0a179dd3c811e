//! Reciprocal square root, `y = 1/√x`.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Reciprocal square root, `y = 1/√x`.
#[derive(Clone, Debug)]
pub struct Rsqrt;

impl OpDef for Rsqrt {
    const NAME: &'static str = "rsqrt";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * -0.5 * y * y.square())]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Rsqrt))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        let root = w.unary("Sqrt", &x[0], vec![]);
        Ok(w.unary("Reciprocal", &root, vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Rsqrt, [[2, 3].into()]).within(0.2, 3.0),
            Case::new(Rsqrt, [Shape::batched(&[5])]).within(0.2, 3.0),
        ]
    }
}
