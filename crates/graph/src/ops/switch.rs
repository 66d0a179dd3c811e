//! One value when training, another when predicting. Compiling for a mode keeps the one and drops the other.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// Input 0 when training, input 1 when predicting.
#[derive(Clone, Debug)]
pub struct Switch;

impl OpDef for Switch {
    const NAME: &'static str = "switch";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        if x[0] == x[1] {
            return Ok(x[0].clone());
        }
        let received = format!("{} and {}", x[0], x[1]);
        Err(ShapeError::new("two values of one shape", received, "make both modes give the same shape"))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let zero = dy.graph().fill(0.0, x[0].shape());
        vec![Grad::Flow(dy.when_training(&zero)), Grad::Flow(zero.when_training(dy))]
    }

    /// Compiling for a mode removes the op; computed as it stands, it is in training mode.
    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map2(|a, _| a.clone())
    }

    fn onnx(&self, _w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(x[0].clone())
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Switch, [[2, 3].into(), [2, 3].into()]).first_order()]
    }
}
