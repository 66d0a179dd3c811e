//! Each window's value back to where the window is largest: the gradient of its maximum.

use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, PoolAxis};
use gradus_kernels::instr::Pooling;
use gradus_tensor::Shape;

/// Input 1 added up where input 0 is largest in each window, the first of several:
/// `[B, ..inputs, C], [B, ..outputs, C] -> [B, ..inputs, C]`.
#[derive(Clone, Debug)]
pub struct MaxPoolReturn {
    /// One for each axis between the first and the last.
    pub axes: Vec<PoolAxis>,
}

impl OpDef for MaxPoolReturn {
    const NAME: &'static str = "max_pool_return";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let pooled = PoolAxis::pooled(&self.axes, x[0])?;
        if *x[1] == pooled {
            return Ok(x[0].clone());
        }
        Err(ShapeError::new(
            format!("one value for each window, {pooled}"),
            x[1].to_string(),
            "pool with the same windows",
        ))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let pick = super::MaxPoolPick { axes: self.axes.clone() };
        vec![
            Grad::Stop("the place of a maximum is piecewise constant"),
            Grad::Flow(dy.graph().apply(pick, &[&x[0], dy])),
        ]
    }

    fn kernel(&self, x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        super::max_pool::kernel(Pooling::Return, PoolAxis::all_over(&self.axes, &x[0], &x[1]))
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("it belongs to gradients alone".into())
    }

    fn cases() -> Vec<Case> {
        let cases = super::max_pool::cases();
        cases.into_iter().map(|(axes, x, y)| Case::new(MaxPoolReturn { axes }, [x, y])).collect()
    }
}
