//! Rounding down, `y = ⌊x⌋`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Rounding down, `y = ⌊x⌋`.
#[derive(Clone, Debug)]
pub struct Floor;

impl OpDef for Floor {
    const NAME: &'static str = "floor";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Floor", read: |n| n.unary(Node::floor) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], _y: &Node, _dy: &Node) -> Grads {
        vec![Grad::Stop("rounding is piecewise constant")]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Floor))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Floor", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Floor, [[2, 3].into()]).avoiding(0.0).avoiding(1.0).avoiding(-1.0).first_order(),
            Case::new(Floor, [Shape::batched(&[5])]).avoiding(0.0).avoiding(1.0).avoiding(-1.0).first_order(),
        ]
    }
}
