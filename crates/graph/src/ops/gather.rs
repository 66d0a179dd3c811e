//! Slices along an axis, chosen by index: the lookup of an embedding table.

use crate::Node;
use crate::onnx::{Attribute, OnnxNode, OnnxOp, Refusal, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// Slices of input 0 along an axis of fixed size, chosen by the whole numbers of input 1: `[V, D], [B, T] -> [B, T, D]` for
/// axis 0. An index outside the axis gives NaN.
#[derive(Clone, Debug)]
pub struct Gather {
    /// The axis.
    pub axis: usize,
}

impl OpDef for Gather {
    const NAME: &'static str = "gather";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Gather", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let Some(Dim::Fixed(_)) = x[0].dims().get(self.axis) else {
            let received = format!("axis {} of {}", self.axis, x[0]);
            return Err(ShapeError::new("an axis of fixed size", received, "choose another axis"));
        };
        let mut dims = x[0].dims()[..self.axis].to_vec();
        dims.extend(x[1].dims());
        dims.extend(&x[0].dims()[self.axis + 1..]);
        Ok(Shape::new(dims))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let Dim::Fixed(size) = x[0].shape().dims()[self.axis] else { unreachable!("checked by the shape rule") };
        let scatter = super::ScatterAdd { axis: self.axis, size };
        vec![Grad::Flow(dy.graph().apply(scatter, &[dy, &x[1]])), Grad::Stop("an index is a whole number")]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Gather { axis: self.axis }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let (table, index) = (w.real(&x[0]), w.cast(&x[1], gradus_tensor::Kind::I64));
        let inputs = vec![w.plain(&table), w.plain(&index)];
        Ok(w.node("Gather", inputs, vec![("axis", Attribute::Int(self.axis as i64))], y, gradus_tensor::Kind::F32))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Gather { axis: 0 }, [[5, 3].into(), Shape::batched(&[2])]).index(1, 5).first_order(),
            Case::new(Gather { axis: 1 }, [[2, 4, 3].into(), [6].into()]).index(1, 4).first_order(),
        ]
    }
}

/// Gather: negative indices count from the end.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (x, kind) = (n.x(0)?, n.kind(0)?);
    let axis = n.axis(n.int("axis")?.unwrap_or(0), x.shape().rank())?;
    let index = n.index(1, x.shape().dims()[axis])?;
    Ok(vec![Value::traced(x.gather(axis as isize, &index), kind)])
}
