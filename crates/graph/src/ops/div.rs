//! Quotient, `y = a/b`, with broadcasting.

use crate::Node;
use crate::onnx::{OnnxNode, OnnxOp, Refusal, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError, broadcast};
use gradus_tensor::Shape;

/// Quotient, `y = a/b`, with broadcasting.
#[derive(Clone, Debug)]
pub struct Div;

impl OpDef for Div {
    const NAME: &'static str = "div";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Div", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        broadcast(x[0], x[1])
    }

    fn grad(&self, x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow((dy / &x[1]).sum_to(&x[0].shape())), Grad::Flow((-(dy * y / &x[1])).sum_to(&x[1].shape()))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map2(|a, b| a / b)
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(w.binary("Div", x, y))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Div, [[2, 3].into(), [2, 3].into()]).within(0.4, 2.0),
            Case::new(Div, [Shape::batched(&[4, 3]), [3].into()]).within(0.4, 2.0),
            Case::new(Div, [[4, 1].into(), Shape::batched(&[1, 3])]).within(0.4, 2.0),
        ]
    }
}

/// Div: whole numbers are divided without a rest, rounded towards 0.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let whole = !n.kind(0)?.is_float();
    n.binary(|a, b| {
        let quotient = a / b;
        if whole { quotient.sign() * quotient.abs().floor() } else { quotient }
    })
}
