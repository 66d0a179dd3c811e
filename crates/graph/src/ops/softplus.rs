//! Softplus, `y = ln(1 + eˣ)`, without overflow. Dugas et al. 2001.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Softplus, `y = ln(1 + eˣ)`, without overflow. Dugas et al. 2001.
#[derive(Clone, Debug)]
pub struct Softplus;

impl OpDef for Softplus {
    const NAME: &'static str = "softplus";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Softplus", read: |n| n.unary(Node::softplus) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * x[0].sigmoid())]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Softplus))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Softplus", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Softplus, [[2, 3].into()]), Case::new(Softplus, [Shape::batched(&[5])])]
    }
}
