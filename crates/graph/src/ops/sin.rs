//! Sine of an angle in radians, `y = sin x`, `dx = dy·cos x`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Sine of an angle in radians, `y = sin x`, `dx = dy·cos x`.
#[derive(Clone, Debug)]
pub struct Sin;

impl OpDef for Sin {
    const NAME: &'static str = "sin";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Sin", read: |n| n.unary(Node::sin) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * x[0].cos())]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Sin))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Sin", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Sin, [[2, 3].into()]), Case::new(Sin, [Shape::batched(&[5])])]
    }
}
