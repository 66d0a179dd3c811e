//! `y = eˣ - 1`, exact near 0.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::Unary;
use gradus_tensor::Shape;

/// `y = eˣ - 1`, exact near 0.
#[derive(Clone, Debug)]
pub struct Expm1;

impl OpDef for Expm1 {
    const NAME: &'static str = "expm1";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * (y + 1.0))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.unary(Unary::Expm1))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let (grown, one) = (w.unary("Exp", &x[0], vec![]), w.number(1.0));
        Ok(w.binary("Sub", &[grown, one], y))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Expm1, [[2, 3].into()]), Case::new(Expm1, [Shape::batched(&[5])])]
    }
}
