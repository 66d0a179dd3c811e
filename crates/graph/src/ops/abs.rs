//! Absolute value, `y = |x|`; its derivative at 0 is 0.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Absolute value, `y = |x|`; its derivative at 0 is 0.
#[derive(Clone, Debug)]
pub struct Abs;

impl OpDef for Abs {
    const NAME: &'static str = "abs";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Abs", read: |n| n.unary(Node::abs) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * x[0].sign())]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Abs))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Abs", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Abs, [[2, 3].into()]).avoiding(0.0), Case::new(Abs, [Shape::batched(&[5])]).avoiding(0.0)]
    }
}
