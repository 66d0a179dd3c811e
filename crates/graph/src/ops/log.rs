//! Natural logarithm, `y = ln x`.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// Natural logarithm, `y = ln x`.
#[derive(Clone, Debug)]
pub struct Log;

impl OpDef for Log {
    const NAME: &'static str = "log";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Log", read: |n| n.unary(Node::log) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy / &x[0])]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Log))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(w.unary("Log", &x[0], vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Log, [[2, 3].into()]).within(0.2, 3.0), Case::new(Log, [Shape::batched(&[5])]).within(0.2, 3.0)]
    }
}
