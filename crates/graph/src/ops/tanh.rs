//! Hyperbolic tangent, `dx = dy·(1 - y²)`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Hyperbolic tangent, `dx = dy·(1 - y²)`.
#[derive(Clone, Debug)]
pub struct Tanh;

impl OpDef for Tanh {
    const NAME: &'static str = "tanh";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Tanh", read: |n| n.unary(Node::tanh) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * (1.0 - y.square()))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Tanh))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Tanh", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Tanh, [[2, 3].into()]), Case::new(Tanh, [Shape::batched(&[5])])]
    }
}
