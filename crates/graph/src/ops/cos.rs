//! Cosine of an angle in radians, `y = cos x`, `dx = -dy·sin x`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Cosine of an angle in radians, `y = cos x`, `dx = -dy·sin x`.
#[derive(Clone, Debug)]
pub struct Cos;

impl OpDef for Cos {
    const NAME: &'static str = "cos";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Cos", read: |n| n.unary(Node::cos) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(-(dy * x[0].sin()))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Cos))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Cos", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Cos, [[2, 3].into()]), Case::new(Cos, [Shape::batched(&[5])])]
    }
}
