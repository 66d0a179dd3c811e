//! The same elements in the same order under another shape. No work.

use crate::Node;
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// The same elements in the same order under another shape.
#[derive(Clone, Debug)]
pub struct Reshape {
    /// The new shape.
    pub shape: Shape,
}

impl OpDef for Reshape {
    const NAME: &'static str = "reshape";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        if volume(x[0]) == volume(&self.shape) {
            return Ok(self.shape.clone());
        }
        let expected = format!("as many elements as {}", x[0]);
        Err(ShapeError::new(expected, self.shape.to_string(), "choose sizes whose product stays the same"))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy.reshape(x[0].shape()))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Reshape
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Reshape { shape: Shape::new([Dim::Batch(3), Dim::Fixed(4)]) }, [Shape::batched(&[3, 4])]).first_order(),
            Case::new(Reshape { shape: [6].into() }, [[2, 3].into()]).first_order(),
        ]
    }
}

/// The number of elements: the fixed factor and the power of the batch size.
fn volume(shape: &Shape) -> (usize, usize) {
    shape.dims().iter().fold((1, 0), |(n, power), d| match *d {
        Dim::Fixed(k) => (n * k, power),
        Dim::Batch(k) => (n * k, power + 1),
    })
}
