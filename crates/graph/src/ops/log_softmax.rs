//! Logarithm of the softmax over the last axis, `y = x - m - ln Σ e^(x-m)` with m the row's maximum.

use super::softmax::{over_last, over_rows};
use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// Logarithm of the softmax over the last axis.
#[derive(Clone, Debug)]
pub struct LogSoftmax;

impl OpDef for LogSoftmax {
    const NAME: &'static str = "log_softmax";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "LogSoftmax", read: |n| over_rows(n, Node::log_softmax) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        super::softmax::rows(x[0])
    }

    /// `dx = dy - eʸ·Σ dy`
    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy - y.exp() * dy.sum(-1))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Softmax { log: true }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(over_last(w, "LogSoftmax", &x[0]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(LogSoftmax, [Shape::batched(&[5])]), Case::new(LogSoftmax, [[2, 3, 4].into()])]
    }
}
