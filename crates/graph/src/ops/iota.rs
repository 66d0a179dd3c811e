//! Coordinates: every element is its own index along an axis.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grads, Kernel, Kind, OpDef, ShapeError};
use gradus_kernels::{Expr, Inst};
use gradus_tensor::{Dim, Shape, Tensor};

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
            return Ok(self.along_the_batch(w));
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
            Case::new(Iota { axis: 0, shape: Shape::batched(&[2]) }, []),
        ]
    }
}

impl Iota {
    /// A range as long as the batch, found when the model runs.
    fn along_the_batch(&self, w: &mut Writer) -> Written {
        let whole = gradus_tensor::Kind::I64;
        let along = Shape::new(vec![self.shape.dims()[self.axis]]);
        let size = w.sizes(&along);
        let limit = w.node("Squeeze", vec![size], vec![], &Shape::scalar(), whole);
        let inputs = vec![w.whole_number(0), w.plain(&limit), w.whole_number(1)];
        let counted = w.node("Range", inputs, vec![], &along, whole);
        if self.shape.rank() == 1 {
            return counted;
        }
        let mut dims = vec![Dim::Fixed(1); self.shape.rank()];
        dims[self.axis] = self.shape.dims()[self.axis];
        let counted = w.reshape(&counted, &Shape::new(dims));
        w.expand(&counted, &self.shape)
    }
}
