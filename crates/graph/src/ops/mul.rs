//! Product, `y = a·b`, with broadcasting.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError, broadcast};
use gradus_tensor::Shape;

/// Product, `y = a·b`, with broadcasting.
#[derive(Clone, Debug)]
pub struct Mul;

impl OpDef for Mul {
    const NAME: &'static str = "mul";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Mul", read: |n| n.binary(|a, b| a * b) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        broadcast(x[0], x[1])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow((dy * &x[1]).sum_to(&x[0].shape())), Grad::Flow((dy * &x[0]).sum_to(&x[1].shape()))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map2(|a, b| a * b)
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(w.binary("Mul", x, y))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Mul, [[2, 3].into(), [2, 3].into()]),
            Case::new(Mul, [Shape::batched(&[4, 3]), [3].into()]),
            Case::new(Mul, [[4, 1].into(), Shape::batched(&[1, 3])]),
        ]
    }
}
