//! A part of a value: along an axis every `step`-th element from `start` up to `stop`. No work: it is read with other strides.

use crate::Node;
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// Every `step`-th element from `start` up to, not including, `stop` along an axis of fixed size.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The axis.
    pub axis: usize,
    /// The first element.
    pub start: usize,
    /// One past the last element.
    pub stop: usize,
    /// The distance between elements.
    pub step: usize,
}

impl OpDef for Slice {
    const NAME: &'static str = "slice";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let Some(Dim::Fixed(size)) = x[0].dims().get(self.axis).copied() else {
            let received = format!("axis {} of {}", self.axis, x[0]);
            return Err(ShapeError::new("an axis of fixed size", received, "slice along another axis"));
        };
        if self.start >= self.stop || self.stop > size || self.step == 0 {
            let received = format!("{}..{} in steps of {}", self.start, self.stop, self.step);
            let expected = format!("a non-empty range within 0..{size} and a step of at least 1");
            return Err(ShapeError::new(expected, received, "correct the range"));
        }
        let mut dims = x[0].dims().to_vec();
        dims[self.axis] = Dim::Fixed((self.stop - self.start).div_ceil(self.step));
        Ok(Shape::new(dims))
    }

    fn grad(&self, x: &[Node], y: &Node, dy: &Node) -> Grads {
        let Dim::Fixed(size) = x[0].shape().dims()[self.axis] else { unreachable!("checked by the shape rule") };
        let Dim::Fixed(count) = y.shape().dims()[self.axis] else { unreachable!("checked by the shape rule") };
        let spread = dy.dilate(self.axis, self.step);
        let covered = (count - 1) * self.step + 1;
        vec![Grad::Flow(spread.pad(self.axis as isize, self.start, size - self.start - covered, 0.0))]
    }

    fn kernel(&self, x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        let mut start = vec![0; x[0].len()];
        start[self.axis] = self.start;
        let step = |axis: usize| if axis == self.axis { self.step } else { 1 };
        Kernel::View { axes: (0..x[0].len()).map(|a| Some((a, step(a)))).collect(), start }
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Slice { axis: 1, start: 1, stop: 4, step: 1 }, [Shape::batched(&[5])]).first_order(),
            Case::new(Slice { axis: 0, start: 0, stop: 7, step: 3 }, [[7, 2].into()]).first_order(),
            Case::new(Slice { axis: 2, start: 1, stop: 6, step: 2 }, [Shape::batched(&[2, 6])]).first_order(),
        ]
    }
}
