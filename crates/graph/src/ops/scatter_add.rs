//! Slices added up along an axis at places given by index: the gradient of a lookup.

use crate::Node;
use crate::onnx::{Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// Slices of input 0 added up along a new axis at the places that input 1 names: `[B, T, D], [B, T] -> [V, D]` for axis 0.
/// Places that no index names are 0; an index outside the axis is left out.
#[derive(Clone, Debug)]
pub struct ScatterAdd {
    /// The axis.
    pub axis: usize,
    /// Its size in the result.
    pub size: usize,
}

impl OpDef for ScatterAdd {
    const NAME: &'static str = "scatter_add";

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let (values, index) = (x[0].dims(), x[1].dims());
        if values.get(self.axis..self.axis + index.len()) != Some(index) {
            let expected = format!("values whose axes from {} on are those of the index, {}", self.axis, x[1]);
            return Err(ShapeError::new(expected, x[0].to_string(), "one slice is needed for each index"));
        }
        let mut dims = values[..self.axis].to_vec();
        dims.push(Dim::Fixed(self.size));
        dims.extend(&values[self.axis + index.len()..]);
        Ok(Shape::new(dims))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let gather = super::Gather { axis: self.axis };
        vec![
            Grad::Flow(dy.graph().apply(gather, &[dy, &x[1]])),
            Grad::Stop("an index is a whole number"),
        ]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::ScatterAdd { axis: self.axis }
    }

    fn onnx(&self, _w: &mut Writer, _x: &[Written], _y: &Shape) -> Result<Written, Refusal> {
        Err("sums at places named by data have no operator in all versions".into())
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(ScatterAdd { axis: 0, size: 5 }, [Shape::batched(&[2, 3]), Shape::batched(&[2])])
                .index(1, 5)
                .first_order(),
            Case::new(ScatterAdd { axis: 1, size: 3 }, [[2, 4, 3].into(), [4].into()]).index(1, 3).first_order(),
        ]
    }
}
