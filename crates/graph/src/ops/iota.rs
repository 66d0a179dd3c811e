//! Coordinates: every element is its own index along an axis.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grads, Kernel, Kind, OpDef, ShapeError};
use gradus_kernels::{Expr, Inst};
use gradus_tensor::{Shape, Tensor};

/// Every element is its index along `axis`.
#[derive(Clone, Debug)]
pub struct Iota {
    /// The axis that is counted.
    pub axis: usize,
    /// The shape.
    pub shape: Shape,
}

impl OpDef for Iota {
    const NAME: &'static str = "iota";

    fn shape(&self, _x: &[&Shape]) -> Result<Shape, ShapeError> {
        if self.axis < self.shape.rank() {
            return Ok(self.shape.clone());
        }
        let received = format!("axis {} of {}", self.axis, self.shape);
        Err(ShapeError::new(format!("an axis below {}", self.shape.rank()), received, "choose an existing axis"))
    }

    fn kind(&self) -> Kind {
        Kind::Index
    }

    fn grad(&self, _x: &[Node], _y: &Node, _dy: &Node) -> Grads {
        vec![]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        let mut expr = Expr::new();
        expr.push(Inst::Index(self.axis as u8));
        Kernel::Map(expr)
    }

    fn onnx(&self, w: &mut Writer, _x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let Some(size) = self.shape.dims()[self.axis].fixed() else {
            return Err("it counts along the batch".into());
        };
        let mut sizes = vec![1; y.rank()];
        sizes[self.axis] = size;
        let numbers: Vec<f32> = (0..size).map(|i| i as f32).collect();
        let counted = Tensor::new(sizes, numbers).expect("as many numbers as places");
        let counted = w.stored("places", counted);
        Ok(w.expand(&counted, y))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Iota { axis: 0, shape: [3, 4].into() }, []),
            Case::new(Iota { axis: 1, shape: Shape::batched(&[4, 2]) }, []),
        ]
    }
}
