//! Sum, `y = a + b`, with broadcasting.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError, broadcast};
use gradus_tensor::Shape;

/// Sum, `y = a + b`, with broadcasting.
#[derive(Clone, Debug)]
pub struct Add;

impl OpDef for Add {
    const NAME: &'static str = "add";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Add", read: |n| n.binary(|a, b| a + b) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        broadcast(x[0], x[1])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy.sum_to(&x[0].shape())), Grad::Flow(dy.sum_to(&x[1].shape()))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map2(|a, b| a + b)
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(w.binary("Add", x, y))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Add, [[2, 3].into(), [2, 3].into()]).first_order(),
            Case::new(Add, [Shape::batched(&[4, 3]), [3].into()]).first_order(),
            Case::new(Add, [[4, 1].into(), Shape::batched(&[1, 3])]).first_order(),
        ]
    }
}
