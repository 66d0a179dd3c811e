//! Negation, `y = -x`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// Negation, `y = -x`.
#[derive(Clone, Debug)]
pub struct Neg;

impl OpDef for Neg {
    const NAME: &'static str = "neg";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Neg", read: |n| n.unary(|x| -x) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(-dy)]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| -x)
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Neg", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Neg, [[2, 3].into()]), Case::new(Neg, [Shape::batched(&[5])])]
    }
}
