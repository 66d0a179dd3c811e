//! The largest element along an axis, which stays with size 1. The gradient goes to the first of several equal ones.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::instr::Fold;
use gradus_tensor::Shape;

/// The largest element along an axis, which stays with size 1. The gradient goes to the first of several equal ones, as in
/// PyTorch's `max(dim)`.
#[derive(Clone, Debug)]
pub struct Max {
    /// The axis.
    pub axis: usize,
}

impl OpDef for Max {
    const NAME: &'static str = "max";
    const ONNX: &'static [OnnxOp] = &[
        OnnxOp { name: "ReduceMax", read: |n| n.reduced(f64::NEG_INFINITY, |x, axes| x.max(axes)) },
        OnnxOp { name: "ReduceMin", read: |n| n.reduced(f64::INFINITY, |x, axes| x.min(axes)) },
    ];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        super::reduce::reduced(x[0], &[self.axis])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let place = x[0].graph().apply(super::Iota { axis: self.axis, shape: x[0].shape() }, &[]);
        vec![Grad::Flow(dy * place.eq(x[0].argmax(self.axis as isize)))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Reduce { fold: Fold::Max, axes: vec![self.axis], mean: false, scale: 1.0 }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(w.reduction("ReduceMax", &x[0], &[self.axis], y))
    }

    fn cases() -> Vec<Case> {
        (0..3).map(|axis| Case::new(Max { axis }, [Shape::batched(&[4, 3])]).first_order()).collect()
    }
}
