//! A value repeated along axes of size 1, by NumPy's broadcasting rules. No work: it is read with stride 0.

use crate::Node;
use crate::onnx::{OnnxNode, OnnxOp, Refusal, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError, broadcast};
use gradus_tensor::Shape;

/// A value broadcast to a shape.
#[derive(Clone, Debug)]
pub struct Expand {
    /// The shape.
    pub shape: Shape,
}

impl OpDef for Expand {
    const NAME: &'static str = "expand";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Expand", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        match broadcast(x[0], &self.shape) {
            Ok(shape) if shape == self.shape => Ok(shape),
            _ => {
                let expected = format!("a shape that {} can be broadcast to", x[0]);
                Err(ShapeError::new(expected, self.shape.to_string(), "only axes of size 1 can grow"))
            }
        }
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy.sum_to(&x[0].shape()))]
    }

    fn kernel(&self, x: &[Vec<usize>], y: &[usize]) -> Kernel {
        let missing = y.len() - x[0].len();
        let axis = |i: usize| i.checked_sub(missing).filter(|&j| x[0][j] == y[i]).map(|j| (j, 1));
        Kernel::View { axes: (0..y.len()).map(axis).collect(), start: vec![0; x[0].len()] }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        Ok(w.expand(&x[0], y))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Expand { shape: Shape::batched(&[3, 2]) }, [[3, 1].into()]).first_order(),
            Case::new(Expand { shape: [4, 3].into() }, [Shape::scalar()]).first_order(),
        ]
    }
}

/// Expand: both shapes may grow.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (x, kind) = (n.x(0)?, n.kind(0)?);
    let shape = Shape::new(n.dims(1)?);
    Ok(vec![Value::traced(x.expand(broadcast(&x.shape(), &shape)?), kind)])
}
