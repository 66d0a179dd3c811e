//! Softmax over the last axis, `y = e^(x-m) / Σ e^(x-m)` with m the row's maximum. Bridle 1990.

use crate::Node;
use crate::onnx::{Attribute, OnnxNode, OnnxOp, Refusal, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// Softmax over the last axis.
#[derive(Clone, Debug)]
pub struct Softmax;

impl OpDef for Softmax {
    const NAME: &'static str = "softmax";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Softmax", read: |n| over_rows(n, Node::softmax) }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        rows(x[0])
    }

    /// `dx = y·(dy - Σ dy·y)`
    fn grad(&self, _x: &[Node], y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(y * (dy - (dy * y).sum(-1)))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Softmax { log: false }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Ok(over_last(w, "Softmax", &x[0]))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Softmax, [Shape::batched(&[5])]), Case::new(Softmax, [[2, 3, 1].into()])]
    }
}

/// An operator on rows along the last axis.
pub(super) fn over_last(w: &mut Writer, operator: &'static str, x: &Written) -> Written {
    let axis = x.place(x.shape.rank() - 1);
    w.unary(operator, x, vec![("axis", Attribute::Int(axis))])
}

/// Softmax and its like: along one axis since version 13, over all axes from one on before.
pub fn over_rows(n: &OnnxNode, f: fn(&Node) -> Node) -> Result<Vec<Value>, ShapeError> {
    let (x, kind) = (n.x(0)?, n.kind(0)?);
    let (shape, rank) = (x.shape(), x.shape().rank());
    let axis = n.axis(n.int("axis")?.unwrap_or(if n.version < 13 { 1 } else { -1 }), rank)?;
    let y = if n.version < 13 {
        let run = |dims: &[Dim]| dims.iter().try_fold(Dim::Fixed(1), |n, &d| n.times(d));
        let (Some(rows), Some(columns)) = (run(&shape.dims()[..axis]), run(&shape.dims()[axis..])) else {
            return Err(ShapeError::new("one axis of batch size", shape.to_string(), "write the file for version 13"));
        };
        f(&x.reshape(vec![rows, columns])).reshape(shape)
    } else {
        let mut order: Vec<usize> = (0..rank).collect();
        order.swap(axis, rank - 1);
        if axis + 1 == rank { f(&x) } else { f(&x.permute(order.clone())).permute(order) }
    };
    Ok(vec![Value::traced(y, kind)])
}

/// The shape, if it has a last axis.
pub(super) fn rows(x: &Shape) -> Result<Shape, ShapeError> {
    if x.rank() > 0 {
        return Ok(x.clone());
    }
    Err(ShapeError::new("at least one axis", x.to_string(), "give it a vector or rows of values"))
}
