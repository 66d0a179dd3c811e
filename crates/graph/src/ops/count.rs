//! The number of elements of a shape, known once the batch size is.

use crate::Node;
use crate::onnx::{Attribute, Refusal, Writer, Written};
use crate::op::{Case, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::{Expr, Inst};
use gradus_tensor::Shape;

/// The number of elements of a shape, as a single number.
#[derive(Clone, Debug)]
pub struct Count {
    /// The shape that is counted.
    pub of: Shape,
}

impl OpDef for Count {
    const NAME: &'static str = "count";

    fn shape(&self, _x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(Shape::scalar())
    }

    fn grad(&self, _x: &[Node], _y: &Node, _dy: &Node) -> Grads {
        vec![]
    }

    /// Needs a shape without batch dimension, as planning makes it.
    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        let mut expr = Expr::new();
        expr.push(Inst::Const(self.of.len_at(1) as f64));
        Kernel::Map(expr)
    }

    fn onnx(&self, w: &mut Writer, _x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let sizes = w.sizes(&self.of);
        let whole =
            w.node("ReduceProd", vec![sizes], vec![("keepdims", Attribute::Int(0))], y, gradus_tensor::Kind::I64);
        Ok(w.real(&whole))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Count { of: [3, 4].into() }, []), Case::new(Count { of: Shape::batched(&[2]) }, [])]
    }
}
