//! Sign, `y = -1, 0 or 1`; the sign of 0 is 0.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Sign, `y = -1, 0 or 1`; the sign of 0 is 0.
#[derive(Clone, Debug)]
pub struct Sign;

impl OpDef for Sign {
    const NAME: &'static str = "sign";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Sign", read: |n| n.unary(Node::sign) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], _y: &Node, _dy: &Node) -> Grads {
        vec![Grad::Stop("the sign is piecewise constant")]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Sign))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Sign", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Sign, [[2, 3].into()]).avoiding(0.0).first_order(),
            Case::new(Sign, [Shape::batched(&[5])]).avoiding(0.0).first_order(),
        ]
    }
}
