//! Softmax over the last axis, `y = e^(x-m) / Σ e^(x-m)` with m the row's maximum. Bridle 1990.

use crate::Node;
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// Softmax over the last axis.
#[derive(Clone, Debug)]
pub struct Softmax;

impl OpDef for Softmax {
    const NAME: &'static str = "softmax";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        rows(x[0])
    }

    /// `dx = y·(dy - Σ dy·y)`
    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(y * (dy - (dy * y).sum(-1)))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Softmax { log: false }
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Softmax, [Shape::batched(&[5])]), Case::new(Softmax, [[2, 3, 1].into()])]
    }
}

/// The shape, if it has a last axis.
pub(super) fn rows(x: &Shape) -> Result<Shape, ShapeError> {
    if x.rank() > 0 {
        return Ok(x.clone());
    }
    Err(ShapeError::new("at least one axis", x.to_string(), "give it a vector or rows of values"))
}
