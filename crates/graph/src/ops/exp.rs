//! Exponential, `y = eˣ`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// Exponential, `y = eˣ`.
#[derive(Clone, Debug)]
pub struct Exp;

impl OpDef for Exp {
    const NAME: &'static str = "exp";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Exp", read: |n| n.unary(Node::exp) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * y)]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.exp())
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Exp", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Exp, [[2, 3].into()]), Case::new(Exp, [Shape::batched(&[5])])]
    }
}
