//! Choice by a condition, `y = a where c ≠ 0, else b`, with broadcasting. Neither branch's NaN leaks through the other.

use crate::Node;
use crate::onnx::{OnnxNode, OnnxOp, Refusal, Traced, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError, broadcast};
use gradus_kernels::Expr;
use gradus_tensor::Shape;

/// Choice by a condition: inputs are the condition, the value where it is not 0, and the value where it is.
#[derive(Clone, Debug)]
pub struct Select;

impl OpDef for Select {
    const NAME: &'static str = "select";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Where", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        broadcast(&broadcast(x[0], x[1])?, x[2])
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![
            Grad::Stop("a choice is piecewise constant in its condition"),
            Grad::Flow(x[0].select(dy, 0.0).sum_to(&x[1].shape())),
            Grad::Flow(x[0].select(0.0, dy).sum_to(&x[2].shape())),
        ]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Map(Expr::build(3, |x| x[0].select(&x[1], &x[2])))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let (condition, yes, no) = (w.cast(&x[0], gradus_tensor::Kind::Bool), w.real(&x[1]), w.real(&x[2]));
        Ok(w.broadcast("Where", &[&condition, &yes, &no], y, gradus_tensor::Kind::F32))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Select, [[2, 3].into(), [2, 3].into(), [2, 3].into()]).index(0, 2).first_order(),
            Case::new(Select, [Shape::batched(&[1]), Shape::batched(&[5]), [5].into()]).index(0, 2).first_order(),
        ]
    }
}

/// Where: the kind of number is that of the choices.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let kind = n.kind(1)?;
    let (x, last) = n.aligned()?;
    let [condition, yes, no] = &x[..] else {
        return Err(ShapeError::new("three inputs", format!("{}", x.len()), "write the file again"));
    };
    Ok(vec![Value::Traced(Traced { node: condition.select(yes, no), kind, last })])
}
