//! The index of the largest element along an axis, which stays with size 1; the first of several equal ones.

use crate::Node;
use crate::onnx::{Attribute, OnnxNode, OnnxOp, Refusal, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, Kind, OpDef, ShapeError};
use gradus_tensor::Shape;

/// The index of the largest element along an axis, which stays with size 1.
#[derive(Clone, Debug)]
pub struct ArgMax {
    /// The axis.
    pub axis: usize,
}

impl OpDef for ArgMax {
    const NAME: &'static str = "argmax";
    const ONNX: &'static [OnnxOp] =
        &[OnnxOp { name: "ArgMax", read: |n| read(n, false) }, OnnxOp { name: "ArgMin", read: |n| read(n, true) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        super::reduce::reduced(x[0], &[self.axis])
    }

    fn kind(&self) -> Kind {
        Kind::Index
    }

    fn grad(&self, _x: &[Node], _y: &Node, _dy: &Node) -> Grads {
        vec![Grad::Stop("the index of the largest element is piecewise constant")]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::ArgMax { axis: self.axis }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let x = w.real(&x[0]);
        let (name, axis) = (w.as_is(&x), x.place(self.axis));
        let index = w.node("ArgMax", vec![name], vec![("axis", Attribute::Int(axis))], y, gradus_tensor::Kind::I64);
        Ok(index.ordered_as(&x))
    }

    fn cases() -> Vec<Case> {
        (0..3).map(|axis| Case::new(ArgMax { axis }, [Shape::batched(&[4, 3])]).first_order()).collect()
    }
}

/// ArgMax and ArgMin: the index of the first extreme, or of the last.
fn read(n: &OnnxNode, least: bool) -> Result<Vec<Value>, ShapeError> {
    let x = if least { -n.x(0)? } else { n.x(0)? };
    let axis = n.axis(n.int("axis")?.unwrap_or(0), x.shape().rank())?;
    let index = match n.int("select_last_index")?.unwrap_or(0) {
        0 => x.argmax(axis as isize),
        _ => (x.shape().dims()[axis].at(1) as f64 - 1.0) - x.reverse(axis as isize).argmax(axis as isize),
    };
    let keep = n.int("keepdims")?.unwrap_or(1) != 0;
    Ok(vec![Value::traced(if keep { index } else { index.squeeze(axis as isize) }, gradus_tensor::Kind::I64)])
}
