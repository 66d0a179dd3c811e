//! `y = ln(1 + x)`, exact near 0.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// `y = ln(1 + x)`, exact near 0.
#[derive(Clone, Debug)]
pub struct Log1p;

impl OpDef for Log1p {
    const NAME: &'static str = "log1p";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy / (&x[0] + 1.0))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Log1p))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let one = w.number(1.0);
        let more = w.binary("Add", &[x[0].clone(), one], y);
        Ok(w.unary("Log", &more, vec![]))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Log1p, [[2, 3].into()]).within(-0.8, 2.0),
            Case::new(Log1p, [Shape::batched(&[5])]).within(-0.8, 2.0),
        ]
    }
}
