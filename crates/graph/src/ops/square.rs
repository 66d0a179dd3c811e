//! Square, `y = x²`.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// Square, `y = x²`.
#[derive(Clone, Debug)]
pub struct Square;

impl OpDef for Square {
    const NAME: &'static str = "square";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * &x[0] * 2.0)]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.square())
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(w.binary("Mul", &[x[0].clone(), x[0].clone()], y))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Square, [[2, 3].into()]), Case::new(Square, [Shape::batched(&[5])])]
    }
}
