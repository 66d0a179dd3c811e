//! Each window's value added to everything that the window sees: the gradient of its sum.

use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, PoolAxis};
use gradus_kernels::instr::Pooling;
use gradus_tensor::{Dim, Shape};

/// Each window's value, times a number, added to everything that the window sees, `[B, ..outputs, C] -> [B, ..inputs, C]`.
#[derive(Clone, Debug)]
pub struct SumPoolSpread {
    /// One for each axis between the first and the last.
    pub axes: Vec<PoolAxis>,
    /// The sizes of these axes in the result.
    pub inputs: Vec<usize>,
    /// The result is multiplied by this.
    pub scale: f64,
    /// The result is divided by the number of elements in the window, without the padding.
    pub average: bool,
}

impl OpDef for SumPoolSpread {
    const NAME: &'static str = "sum_pool_spread";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let mut dims = x[0].dims().to_vec();
        if dims.len() == self.inputs.len() + 2 {
            dims[1..].iter_mut().zip(&self.inputs).for_each(|(dim, &n)| *dim = Dim::Fixed(n));
            let spread = Shape::new(dims);
            if PoolAxis::pooled(&self.axes, &spread)? == *x[0] {
                return Ok(spread);
            }
        }
        let expected = format!("one value for each window over {:?}", self.inputs);
        Err(ShapeError::new(expected, x[0].to_string(), "pool with the same windows"))
    }

    fn grad(&self, _x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let SumPoolSpread { axes, scale, average, .. } = self.clone();
        vec![Grad::Flow(dy.graph().apply(super::SumPool { axes, scale, average }, &[dy]))]
    }

    fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Kernel {
        let axes = PoolAxis::all_over(&self.axes, y, &x[0]);
        Kernel::Pool { pooling: Pooling::Spread, axes, scale: self.scale, average: self.average }
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("it belongs to gradients alone".into())
    }

    fn cases() -> Vec<Case> {
        let spread = |axes, x: &Shape, average| SumPoolSpread {
            axes,
            inputs: x.dims()[1..x.rank() - 1].iter().filter_map(|d| d.fixed()).collect(),
            scale: 0.5,
            average,
        };
        let cases = super::max_pool::cases().into_iter().enumerate();
        cases.map(|(i, (axes, x, y))| Case::new(spread(axes, &x, i % 2 == 0), [y])).collect()
    }
}
