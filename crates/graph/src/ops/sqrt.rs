//! Square root, `y = √x`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Square root, `y = √x`.
#[derive(Clone, Debug)]
pub struct Sqrt;

impl OpDef for Sqrt {
    const NAME: &'static str = "sqrt";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Sqrt", read: |n| n.unary(Node::sqrt) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * 0.5 / y)]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Sqrt))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Sqrt", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Sqrt, [[2, 3].into()]).within(0.2, 3.0),
            Case::new(Sqrt, [Shape::batched(&[5])]).within(0.2, 3.0),
        ]
    }
}
