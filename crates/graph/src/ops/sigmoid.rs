//! Logistic function, `y = 1/(1 + e⁻ˣ)`, `dx = dy·y·(1 - y)`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Logistic function, `y = 1/(1 + e⁻ˣ)`, `dx = dy·y·(1 - y)`.
#[derive(Clone, Debug)]
pub struct Sigmoid;

impl OpDef for Sigmoid {
    const NAME: &'static str = "sigmoid";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Sigmoid", read: |n| n.unary(Node::sigmoid) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * y * (1.0 - y))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Sigmoid))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Sigmoid", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Sigmoid, [[2, 3].into()]), Case::new(Sigmoid, [Shape::batched(&[5])])]
    }
}
