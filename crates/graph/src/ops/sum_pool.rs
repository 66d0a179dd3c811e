//! The sum of each window, scaled: sums and averages over space.

use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, PoolAxis};
use gradus_kernels::instr::Pooling;
use gradus_tensor::{Dim, Shape};

/// The sum of each window, times a number, `[B, ..inputs, C] -> [B, ..outputs, C]`.
#[derive(Clone, Debug)]
pub struct SumPool {
    /// One for each axis between the first and the last.
    pub axes: Vec<PoolAxis>,
    /// The result is multiplied by this.
    pub scale: f64,
    /// The result is divided by the number of elements in the window, without the padding.
    pub average: bool,
}

impl OpDef for SumPool {
    const NAME: &'static str = "sum_pool";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        PoolAxis::pooled(&self.axes, x[0])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let shape = x[0].shape();
        let spatial = &shape.dims()[1..shape.rank() - 1];
        let inputs = spatial.iter().filter_map(|d| if let Dim::Fixed(n) = d { Some(*n) } else { None }).collect();
        let SumPool { axes, scale, average } = self.clone();
        vec![Grad::Flow(dy.graph().apply(super::SumPoolSpread { axes, inputs, scale, average }, &[dy]))]
    }

    fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Kernel {
        let axes = PoolAxis::all_over(&self.axes, &x[0], y);
        Kernel::Pool { pooling: Pooling::Sum, axes, scale: self.scale, average: self.average }
    }

    fn cases() -> Vec<Case> {
        let cases = super::max_pool::cases().into_iter().enumerate();
        cases.map(|(i, (axes, x, _))| Case::new(SumPool { axes, scale: 0.5, average: i % 2 == 1 }, [x])).collect()
    }
}
