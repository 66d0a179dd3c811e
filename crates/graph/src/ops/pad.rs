//! A border of a constant around a value.

use crate::Node;
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// A border of a constant before and after a value along an axis of fixed size.
#[derive(Clone, Debug)]
pub struct Pad {
    /// The axis.
    pub axis: usize,
    /// How many elements come before.
    pub before: usize,
    /// How many elements come after.
    pub after: usize,
    /// The border's value.
    pub value: f64,
}

impl OpDef for Pad {
    const NAME: &'static str = "pad";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let Some(Dim::Fixed(size)) = x[0].dims().get(self.axis).copied() else {
            let received = format!("axis {} of {}", self.axis, x[0]);
            return Err(ShapeError::new("an axis of fixed size", received, "pad along another axis"));
        };
        let mut dims = x[0].dims().to_vec();
        dims[self.axis] = Dim::Fixed(self.before.saturating_add(size).saturating_add(self.after));
        Ok(Shape::new(dims))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let Dim::Fixed(size) = x[0].shape().dims()[self.axis] else { unreachable!("checked by the shape rule") };
        vec![Grad::Flow(dy.slice(self.axis as isize, self.before..self.before + size))]
    }

    fn kernel(&self, x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        let mut before = vec![0; x[0].len()];
        before[self.axis] = self.before;
        Kernel::Pad { before, value: self.value }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Pad { axis: 1, before: 1, after: 2, value: 0.0 }, [Shape::batched(&[3])]).first_order(),
            Case::new(Pad { axis: 0, before: 0, after: 1, value: -1.5 }, [[2, 3].into()]).first_order(),
        ]
    }
}
