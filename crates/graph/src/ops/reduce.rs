//! Sum and mean over axes; the reduced axes stay with size 1.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::instr::Fold;
use gradus_tensor::{Dim, Shape};

/// Sum or mean over axes, which stay with size 1: `x: [B, T, D] -> [B, 1, D]` for axis 1.
#[derive(Clone, Debug)]
pub struct Reduce {
    /// The axes, in ascending order.
    pub axes: Vec<usize>,
    /// Divide by the number of elements.
    pub mean: bool,
    /// Multiply the result by this.
    pub scale: f64,
}

impl OpDef for Reduce {
    const NAME: &'static str = "reduce";
    const ONNX: &'static [OnnxOp] = &[
        OnnxOp { name: "ReduceSum", read: |n| n.reduced(0.0, |x, axes| x.sum(axes)) },
        OnnxOp { name: "ReduceMean", read: |n| n.reduced(f64::NAN, |x, axes| x.mean(axes)) },
    ];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        reduced(x[0], &self.axes)
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let shape = x[0].shape();
        let dy = if self.scale == 1.0 { dy.clone() } else { dy * self.scale };
        if !self.mean {
            return vec![Grad::Flow(dy.expand(shape))];
        }
        let of = Shape::new(self.axes.iter().map(|&a| shape.dims()[a]).collect::<Vec<_>>());
        let count = dy.graph().apply(super::Count { of }, &[]);
        vec![Grad::Flow((dy / count).expand(shape))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Reduce { fold: Fold::Sum, axes: self.axes.clone(), mean: self.mean, scale: self.scale }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let reduced = w.reduction(if self.mean { "ReduceMean" } else { "ReduceSum" }, &x[0], &self.axes, y);
        if self.scale == 1.0 {
            return Ok(reduced);
        }
        let scale = w.number(self.scale);
        Ok(w.binary("Mul", &[reduced, scale], y))
    }

    fn cases() -> Vec<Case> {
        let shape = || Shape::batched(&[3, 5]);
        let mut cases = vec![];
        for mean in [false, true] {
            for axes in [vec![0], vec![1], vec![2], vec![0, 1], vec![1, 2], vec![0, 2], vec![0, 1, 2]] {
                cases.push(Case::new(Reduce { axes, mean, scale: 1.5 }, [shape()]).first_order());
            }
        }
        cases
    }
}

/// The shape with some axes at size 1.
pub(super) fn reduced(x: &Shape, axes: &[usize]) -> Result<Shape, ShapeError> {
    let mut dims = x.dims().to_vec();
    for &axis in axes {
        let Some(dim) = dims.get_mut(axis) else {
            let received = format!("axis {axis} of {x}");
            return Err(ShapeError::new(format!("axes below {}", x.rank()), received, "choose an existing axis"));
        };
        *dim = Dim::Fixed(1);
    }
    Ok(Shape::new(dims))
}
