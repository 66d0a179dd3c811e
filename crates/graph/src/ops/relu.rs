//! Rectifier, `y = max(x, 0)`; its derivative at 0 is 0. Nair & Hinton 2010.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// Rectifier, `y = max(x, 0)`; its derivative at 0 is 0. Nair & Hinton 2010.
#[derive(Clone, Debug)]
pub struct Relu;

impl OpDef for Relu {
    const NAME: &'static str = "relu";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Relu", read: |n| n.unary(Node::relu) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * y.gt(0.0))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.max(&x.constant(0.0)))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Relu", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Relu, [[2, 3].into()]).avoiding(0.0).first_order(),
            Case::new(Relu, [Shape::batched(&[5])]).avoiding(0.0).first_order(),
        ]
    }
}
