//! The smaller of two, with broadcasting; where both are equal, each takes half of the gradient.

use super::maximum::share;
use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError, broadcast};
use gradus_tensor::Shape;

/// The smaller of two, with broadcasting; where both are equal, each takes half of the gradient.
#[derive(Clone, Debug)]
pub struct Minimum;

impl OpDef for Minimum {
    const NAME: &'static str = "minimum";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Min", read: |n| n.folded(|a, b| a.minimum(b)) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        broadcast(x[0], x[1])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![
            Grad::Flow((dy * share(&x[1], &x[0])).sum_to(&x[0].shape())),
            Grad::Flow((dy * share(&x[0], &x[1])).sum_to(&x[1].shape())),
        ]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map2(|a, b| a.min(b))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(w.binary("Min", x, y))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Minimum, [[2, 3].into(), [2, 3].into()]).first_order(),
            Case::new(Minimum, [Shape::batched(&[4, 3]), [3].into()]).first_order(),
            Case::new(Minimum, [[4, 1].into(), Shape::batched(&[1, 3])]).first_order(),
        ]
    }
}
