//! Comparisons of two numbers, 1 or 0, with broadcasting.

use crate::Node;
use crate::onnx::{OnnxOp, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError, broadcast};
use gradus_kernels::Binary;
use gradus_tensor::Shape;

/// Which comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// a = b
    Equal,
    /// a ≠ b
    NotEqual,
    /// a < b
    Less,
    /// a ≤ b
    LessOrEqual,
    /// a > b
    Greater,
    /// a ≥ b
    GreaterOrEqual,
}

/// A comparison, 1 where it holds and 0 elsewhere, with broadcasting.
#[derive(Clone, Debug)]
pub struct Compare {
    /// Which comparison.
    pub relation: Comparison,
}

impl OpDef for Compare {
    const NAME: &'static str = "compare";
    const ONNX: &'static [OnnxOp] = &[
        OnnxOp { name: "Equal", read: |n| n.compare(|a, b| a.eq(b)) },
        OnnxOp { name: "Less", read: |n| n.compare(|a, b| a.lt(b)) },
        OnnxOp { name: "LessOrEqual", read: |n| n.compare(|a, b| a.le(b)) },
        OnnxOp { name: "Greater", read: |n| n.compare(|a, b| a.gt(b)) },
        OnnxOp { name: "GreaterOrEqual", read: |n| n.compare(|a, b| a.ge(b)) },
    ];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        broadcast(x[0], x[1])
    }

    fn grad(&self, _x: &[Node], _y: &Node, _dy: &Node) -> Grads {
        let stop = Grad::Stop("a comparison is piecewise constant");
        vec![stop.clone(), stop]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        let f = match self.relation {
            Comparison::Equal => Binary::Eq,
            Comparison::NotEqual => Binary::Ne,
            Comparison::Less => Binary::Lt,
            Comparison::LessOrEqual => Binary::Le,
            Comparison::Greater => Binary::Gt,
            Comparison::GreaterOrEqual => Binary::Ge,
        };
        Kernel::map2(|a, b| a.binary(f, b))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let bool = gradus_tensor::Kind::Bool;
        let (a, b) = (w.real(&x[0]), w.real(&x[1]));
        let operator = match self.relation {
            Comparison::Equal | Comparison::NotEqual => "Equal",
            Comparison::Less => "Less",
            Comparison::LessOrEqual => "LessOrEqual",
            Comparison::Greater => "Greater",
            Comparison::GreaterOrEqual => "GreaterOrEqual",
        };
        let truth = w.broadcast(operator, &[&a, &b], y, bool);
        if self.relation != Comparison::NotEqual {
            return Ok(truth);
        }
        let name = w.as_is(&truth);
        Ok(w.node("Not", vec![name], vec![], y, bool).ordered_as(&truth))
    }

    fn cases() -> Vec<Case> {
        use Comparison::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual, NotEqual};
        [Equal, NotEqual, Less, LessOrEqual, Greater, GreaterOrEqual]
            .into_iter()
            .map(|relation| {
                Case::new(Compare { relation }, [Shape::batched(&[7]), [7].into()])
                    .index(0, 3)
                    .index(1, 3)
                    .first_order()
            })
            .collect()
    }
}
