//! Slices added up along an axis at places given by index: the gradient of a lookup.

use crate::Node;
use crate::onnx::{Attribute, Refusal, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Kind as Number, Shape};

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
        vec![Grad::Flow(dy.graph().apply(gather, &[dy, &x[1]])), Grad::Stop("an index is a whole number")]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::ScatterAdd { axis: self.axis }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let (axis, behind) = (self.axis, self.axis + x[1].shape.rank());
        let order = (axis..behind).chain(0..axis).chain(behind..x[0].shape.rank()).collect::<Vec<_>>();
        let values = w.real(&x[0]);
        let updates = w.ordered(&values, &order);
        let index = self.written_index(w, &x[1]);
        let dims = x[0].shape.dims();
        let rows = |size: usize| Shape::new([&[Dim::Fixed(size)], &dims[..axis], &dims[behind..]].concat());
        let zero = w.number(0.0);
        let zeros = w.expand(&zero, &rows(self.size + 1));
        let inputs = vec![w.plain(&zeros), index, updates];
        let add = vec![("reduction", Attribute::Text("add".into()))];
        let sums = w.node("ScatterND", inputs, add, &rows(self.size + 1), Number::F32);
        let inside = super::Slice { axis: 0, start: 0, stop: self.size, step: 1 };
        Ok(inside.onnx(w, &[sums], y)?.in_order([axis].into_iter().chain(0..axis).chain(axis + 1..y.rank()).collect()))
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

impl ScatterAdd {
    /// The index with an axis of one coordinate; what lies outside goes to a place behind the others.
    fn written_index(&self, w: &mut Writer, index: &Written) -> String {
        let (shape, size) = (index.shape.clone(), self.size as f64);
        let index = w.real(index);
        let (middle, half, outside) = (w.number((size - 1.0) / 2.0), w.number(size / 2.0), w.number(size));
        let from_middle = w.binary("Sub", &[index.clone(), middle], &shape);
        let distance = w.unary("Abs", &from_middle, vec![]);
        let inside = w.broadcast("Less", &[&distance, &half], &shape, Number::Bool);
        let place = w.broadcast("Where", &[&inside, &index, &outside], &shape, Number::F32);
        let place = w.cast(&place, Number::I64);
        let inputs = vec![w.plain(&place), w.whole(&[shape.rank() as i64])];
        let row = Shape::new([shape.dims(), &[Dim::Fixed(1)]].concat());
        let row = w.node("Unsqueeze", inputs, vec![], &row, Number::I64);
        w.plain(&row)
    }
}
