//! The index of the largest element along an axis, which stays with size 1; the first of several equal ones.

use crate::Node;
use crate::op::{Case, Grad, Grads, Kernel, Kind, OpDef, ShapeError};
use gradus_tensor::Shape;

/// The index of the largest element along an axis, which stays with size 1.
#[derive(Clone, Debug)]
pub struct ArgMax {
    /// The axis.
    pub axis: usize,
}

impl OpDef for ArgMax {
    const NAME: &'static str = "argmax";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        super::reduce::reduced(x[0], &[self.axis])
    }

    fn kind(&self) -> Kind {
        Kind::Index
    }

    fn grad(&self, _x: &[Node], _y: &Node, _dy: &Node) -> Grads {
        vec![Grad::Stop("the index of the largest element is piecewise constant")]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::ArgMax { axis: self.axis }
    }

    fn cases() -> Vec<Case> {
        (0..3).map(|axis| Case::new(ArgMax { axis }, [Shape::batched(&[4, 3])]).first_order()).collect()
    }
}
