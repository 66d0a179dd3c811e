//! The largest element of each window. Its gradient goes to the first of several equal ones; windows may overlap.

use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, PoolAxis, Window};
use gradus_kernels::instr::Pooling;
use gradus_tensor::Shape;

/// The largest element of each window, `[B, ..inputs, C] -> [B, ..outputs, C]`. Padding never wins; NaN does. The gradient goes to the
/// first of several equal elements, in order of the axes.
#[derive(Clone, Debug)]
pub struct MaxPool {
    /// One for each axis between the first and the last.
    pub axes: Vec<PoolAxis>,
}

impl OpDef for MaxPool {
    const NAME: &'static str = "max_pool";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        PoolAxis::pooled(&self.axes, x[0])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let back = super::MaxPoolReturn { axes: self.axes.clone() };
        vec![Grad::Flow(dy.graph().apply(back, &[&x[0], dy]))]
    }

    fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Kernel {
        kernel(Pooling::Max, PoolAxis::all_over(&self.axes, &x[0], y))
    }

    fn cases() -> Vec<Case> {
        cases().into_iter().map(|(axes, x, _)| Case::new(MaxPool { axes }, [x])).collect()
    }
}

pub(super) fn kernel(pooling: Pooling, axes: Vec<gradus_kernels::instr::PoolAxis>) -> Kernel {
    Kernel::Pool { pooling, axes, scale: 1.0, average: false }
}

/// Windows, their inputs and their outputs: along one to three axes, overlapping or apart, with gaps, with padding, as bins.
pub(super) fn cases() -> Vec<(Vec<PoolAxis>, Shape, Shape)> {
    let pair = Window::new(2).stride(2).into();
    vec![
        (vec![pair, pair], Shape::batched(&[4, 6, 3]), Shape::batched(&[2, 3, 3])),
        (
            vec![Window::new(3).stride(2).pad(1, 0).into(), Window::new(2).into()],
            Shape::batched(&[5, 4, 2]),
            Shape::batched(&[2, 3, 2]),
        ),
        (vec![Window::new(2).dilation(3).into()], Shape::batched(&[7, 18]), Shape::batched(&[4, 18])),
        (vec![Window::new(1).stride(3).into()], Shape::batched(&[7, 1]), Shape::batched(&[3, 1])),
        (
            vec![Window::new(2).into(), pair, PoolAxis::Bins(2)],
            Shape::fixed(&[2, 3, 2, 5, 2]),
            Shape::fixed(&[2, 2, 1, 2, 2]),
        ),
    ]
}
