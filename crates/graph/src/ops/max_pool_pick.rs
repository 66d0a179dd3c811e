//! Another value where each window is largest: how a step of the inputs changes their maxima.

use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, PoolAxis};
use gradus_kernels::instr::Pooling;
use gradus_tensor::Shape;

/// Input 1 where input 0 is largest in each window, the first of several: `[B, ..inputs, C]` twice `-> [B, ..outputs, C]`.
#[derive(Clone, Debug)]
pub struct MaxPoolPick {
    /// One for each axis between the first and the last.
    pub axes: Vec<PoolAxis>,
}

impl OpDef for MaxPoolPick {
    const NAME: &'static str = "max_pool_pick";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        if x[0] != x[1] {
            return Err(ShapeError::new(
                "two inputs of one shape",
                format!("{} and {}", x[0], x[1]),
                "make them equal",
            ));
        }
        PoolAxis::pooled(&self.axes, x[0])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let back = super::MaxPoolReturn { axes: self.axes.clone() };
        vec![
            Grad::Stop("the place of a maximum is piecewise constant"),
            Grad::Flow(dy.graph().apply(back, &[&x[0], dy])),
        ]
    }

    fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Kernel {
        super::max_pool::kernel(Pooling::Pick, PoolAxis::all_over(&self.axes, &x[0], y))
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("it belongs to gradients alone".into())
    }

    fn cases() -> Vec<Case> {
        let cases = super::max_pool::cases();
        cases.into_iter().map(|(axes, x, _)| Case::new(MaxPoolPick { axes }, [x.clone(), x])).collect()
    }
}
