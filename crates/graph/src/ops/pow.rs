//! Power, `y = aᵇ`, with broadcasting; the derivative of `a⁰` is 0.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError, broadcast};
use gradus_kernels::Binary;
use gradus_tensor::Shape;

/// Power, `y = aᵇ`, with broadcasting; the derivative of `a⁰` is 0.
#[derive(Clone, Debug)]
pub struct Pow;

impl OpDef for Pow {
    const NAME: &'static str = "pow";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Pow", read: |n| n.binary(|a, b| a.pow(b)) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        broadcast(x[0], x[1])
    }

    fn grad(&self, x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![
            Grad::Flow((dy * x[1].eq(0.0).select(0.0, &x[1] * x[0].pow(&(&x[1] - 1.0)))).sum_to(&x[0].shape())),
            Grad::Flow((dy * y * x[0].log()).sum_to(&x[1].shape())),
        ]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map2(|a, b| a.binary(Binary::Pow, b))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(w.binary("Pow", x, y))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Pow, [[2, 3].into(), [2, 3].into()]).within(0.4, 2.0),
            Case::new(Pow, [Shape::batched(&[4, 3]), [3].into()]).within(0.4, 2.0),
            Case::new(Pow, [[4, 1].into(), Shape::batched(&[1, 3])]).within(0.4, 2.0),
        ]
    }
}
