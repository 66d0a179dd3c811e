//! The axes in another order. No work: a product or a map reads it with other strides.

use crate::onnx::{OnnxNode, OnnxOp, Refusal, Value, Writer, Written, channels_last};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use crate::{Node, Role};
use gradus_tensor::Shape;

/// The axes in another order: axis `i` of the result is axis `order[i]` of the input.
#[derive(Clone, Debug)]
pub struct Permute {
    /// A permutation of the axes.
    pub order: Vec<usize>,
}

impl OpDef for Permute {
    const NAME: &'static str = "permute";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Transpose", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let mut sorted = self.order.clone();
        sorted.sort_unstable();
        if sorted.iter().copied().eq(0..x[0].rank()) {
            return Ok(Shape::new(self.order.iter().map(|&a| x[0].dims()[a]).collect::<Vec<_>>()));
        }
        let expected = format!("every axis of {} once", x[0]);
        Err(ShapeError::new(expected, format!("{:?}", self.order), "list each axis exactly once"))
    }

    fn grad(&self, _x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let mut inverse = vec![0; self.order.len()];
        for (i, &axis) in self.order.iter().enumerate() {
            inverse[axis] = i;
        }
        vec![Grad::Flow(dy.permute(inverse))]
    }

    fn kernel(&self, x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::View { axes: self.order.iter().map(|&a| Some((a, 1))).collect(), start: vec![0; x[0].len()] }
    }

    fn onnx(&self, _w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(x[0].permuted(&self.order, y))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Permute { order: vec![1, 0] }, [Shape::batched(&[3])]).first_order(),
            Case::new(Permute { order: vec![2, 0, 1] }, [[2, 3, 4].into()]).first_order(),
        ]
    }
}

/// Transpose: the axes in reverse order unless it says otherwise.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (value, kind) = (n.value(0)?, n.kind(0)?);
    let rank = n.shape(0)?.rank();
    let order: Vec<usize> = match n.ints("perm")? {
        Some(order) => order.into_iter().map(|axis| n.axis(axis, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).rev().collect(),
    };
    if let Value::Traced(traced) = value
        && traced.last
        && order == channels_last(rank)
    {
        return Ok(vec![Value::traced(traced.node.clone(), kind)]);
    }
    Ok(vec![Value::traced(n.weight(0, &order, Role::Weight)?, kind)])
}
