//! The sum of each window, scaled: sums and averages over space.

use super::max_pool::{global, written_pool};
use crate::onnx::{Attribute, OnnxNode, OnnxOp, Refusal, Traced, Value, Windows, Writer, Written};
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
    const ONNX: &'static [OnnxOp] = &[
        OnnxOp { name: "AveragePool", read },
        OnnxOp { name: "GlobalAveragePool", read: |n| global(n, |x, axes| x.mean(axes)) },
        OnnxOp { name: "LpPool", read: power },
        OnnxOp { name: "GlobalLpPool", read: |n| global_power(n) },
    ];

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

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let counted = i64::from(!self.average);
        let settings = vec![("count_include_pad", Attribute::Int(counted))];
        let reduction = if self.average { "ReduceMean" } else { "ReduceSum" };
        let pooled = written_pool(w, &x[0], &self.axes, y, "AveragePool", settings, reduction)?;
        // A mean with the padding is a sum divided by the size of the window; uneven bins are sums already.
        let size = |(axis, &input): (&PoolAxis, &usize)| match axis {
            PoolAxis::Window(window) => window.size,
            PoolAxis::Bins(bins) if input.is_multiple_of(*bins) => input / bins,
            PoolAxis::Bins(_) => 1,
        };
        let whole: usize = self.axes.iter().zip(&x[0].shape.at(1)[1..]).map(size).product();
        let factor = if self.average { self.scale } else { self.scale * whole as f64 };
        if factor == 1.0 {
            return Ok(pooled);
        }
        let factor = w.number(factor);
        Ok(w.binary("Mul", &[pooled, factor], y))
    }

    fn cases() -> Vec<Case> {
        let cases = super::max_pool::cases().into_iter().enumerate();
        cases.map(|(i, (axes, x, _))| Case::new(SumPool { axes, scale: 0.5, average: i % 2 == 1 }, [x])).collect()
    }
}

/// AveragePool: over what a window sees, or over its stated padding too.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let windows = Windows::of(n, None)?.pooled(n)?;
    let (x, kind) = (n.image(0)?, n.kind(0)?);
    if n.int("count_include_pad")?.unwrap_or(0) == 0 {
        let axes: Vec<PoolAxis> = windows.into_iter().map(|(window, _)| window.into()).collect();
        return Ok(vec![Value::Traced(Traced { node: x.mean_pool(&axes), kind, last: true })]);
    }
    // The stated padding counts as elements; what was added to make the last window whole does not.
    let mut padded = x;
    let mut axes: Vec<PoolAxis> = vec![];
    for (i, (window, extra)) in windows.into_iter().enumerate() {
        padded = padded.pad(i as isize + 1, window.before, window.after - extra, 0.0);
        axes.push(window.pad(0, extra).into());
    }
    Ok(vec![Value::Traced(Traced { node: padded.mean_pool(&axes), kind, last: true })])
}

/// LpPool: `(Σ |x|^p)^(1/p)`.
fn power(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let p = n.int("p")?.unwrap_or(2) as f64;
    let windows = Windows::of(n, None)?.pooled(n)?;
    let axes: Vec<PoolAxis> = windows.into_iter().map(|(window, _)| window.into()).collect();
    let node = n.image(0)?.abs().pow(p).sum_pool(&axes, 1.0).pow(1.0 / p);
    Ok(vec![Value::Traced(Traced { node, kind: n.kind(0)?, last: true })])
}

fn global_power(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let p = n.int("p")?.unwrap_or(2) as f64;
    global(n, |x, axes| x.abs().pow(p).sum(axes).pow(1.0 / p))
}
