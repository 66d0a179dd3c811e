//! The axes in another order. No work: a product or a map reads it with other strides.

use crate::Node;
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// The axes in another order: axis `i` of the result is axis `order[i]` of the input.
#[derive(Clone, Debug)]
pub struct Permute {
    /// A permutation of the axes.
    pub order: Vec<usize>,
}

impl OpDef for Permute {
    const NAME: &'static str = "permute";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        if sorted.iter().copied().eq(0..x[0].rank()) {
            return Ok(Shape::new(self.order.iter().map(|&a| x[0].dims()[a]).collect::<Vec<_>>()));
        }
        let expected = format!("every axis of {} once", x[0]);
        Err(ShapeError::new(expected, format!("{:?}", self.order), "list each axis exactly once"))
    }

    fn grad(&self, _x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let mut inverse = vec![0; self.order.len()];
        for (i, &axis) in self.order.iter().enumerate() {
            inverse[axis] = i;
        }
        vec![Grad::Flow(dy.permute(inverse))]
    }

    fn kernel(&self, x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::View { axes: self.order.iter().map(|&a| Some((a, 1))).collect(), start: vec![0; x[0].len()] }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Permute { order: vec![1, 0] }, [Shape::batched(&[3])]).first_order(),
            Case::new(Permute { order: vec![2, 0, 1] }, [[2, 3, 4].into()]).first_order(),
        ]
    }
}
