//! A constant of a given shape.

use crate::Node;
use crate::onnx::{Attribute, Refusal, Writer, Written};
use crate::op::{Case, Grads, Kernel, OpDef, ShapeError};
use gradus_kernels::{Expr, Inst};
use gradus_tensor::{Shape, Tensor};

/// The same number everywhere.
#[derive(Clone, Debug)]
pub struct Fill {
    /// The number.
    pub value: f64,
    /// The shape.
    pub shape: Shape,
}

impl OpDef for Fill {
    const NAME: &'static str = "fill";

    fn shape(&self, _x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(self.shape.clone())
    }

    fn grad(&self, _x: &[Node], _y: &Node, _dy: &Node) -> Grads {
        vec![]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        let mut expr = Expr::new();
        expr.push(Inst::Const(self.value));
        Kernel::Map(expr)
    }

    fn onnx(&self, w: &mut Writer, _x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        if self.shape.rank() == 0 {
            return Ok(w.number(self.value));
        }
        let value = Tensor::vector(vec![self.value as f32]);
        let sizes = w.sizes(&self.shape);
        Ok(w.node(
            "ConstantOfShape",
            vec![sizes],
            vec![("value", Attribute::Tensor(value))],
            y,
            gradus_tensor::Kind::F32,
        ))
    }

    fn cases() -> Vec<Case> {
        vec![Case::new(Fill { value: 1.5, shape: Shape::batched(&[2]) }, [])]
    }
}
