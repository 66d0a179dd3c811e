//! Reciprocal, `y = 1/x`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Reciprocal, `y = 1/x`.
#[derive(Clone, Debug)]
pub struct Recip;

impl OpDef for Recip {
    const NAME: &'static str = "recip";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Reciprocal", read: |n| n.unary(Node::recip) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(-(dy * y.square()))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Recip))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Reciprocal", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Recip, [[2, 3].into()]).within(0.3, 2.0),
            Case::new(Recip, [Shape::batched(&[5])]).within(0.3, 2.0),
        ]
    }
}
