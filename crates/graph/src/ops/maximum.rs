//! The larger of two, with broadcasting; where both are equal, each takes half of the gradient.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError, broadcast};
use gradus_tensor::Shape;

/// The larger of two, with broadcasting; where both are equal, each takes half of the gradient.
#[derive(Clone, Debug)]
pub struct Maximum;

impl OpDef for Maximum {
    const NAME: &'static str = "maximum";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Max", read: |n| n.folded(|a, b| a.maximum(b)) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        broadcast(x[0], x[1])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![
            Grad::Flow((dy * share(&x[0], &x[1])).sum_to(&x[0].shape())),
            Grad::Flow((dy * share(&x[1], &x[0])).sum_to(&x[1].shape())),
        ]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map2(|a, b| a.max(b))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(w.binary("Max", x, y))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Maximum, [[2, 3].into(), [2, 3].into()]).first_order(),
            Case::new(Maximum, [Shape::batched(&[4, 3]), [3].into()]).first_order(),
            Case::new(Maximum, [[4, 1].into(), Shape::batched(&[1, 3])]).first_order(),
        ]
    }
}

/// 1 where `a` is larger, ½ where both are equal, else 0.
pub(super) fn share(a: &Node, b: &Node) -> Node {
    a.gt(b) + a.eq(b) * 0.5
}
