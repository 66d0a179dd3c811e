//! Values one after the other along an axis.

use crate::Node;
use crate::onnx::{Attribute, OnnxNode, OnnxOp, Refusal, Traced, Value, Writer, Written, channels_last};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// All inputs one after the other along an axis of fixed size; the other axes agree.
#[derive(Clone, Debug)]
pub struct Concat {
    /// The axis.
    pub axis: usize,
}

impl OpDef for Concat {
    const NAME: &'static str = "concat";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Concat", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let received = || x.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let Some(first) = x.first().filter(|s| self.axis < s.rank()) else {
            return Err(ShapeError::new(
                format!("values with an axis {}", self.axis),
                received(),
                "choose an existing axis",
            ));
        };
        let mut total = 0;
        for shape in x {
            let others = |s: &Shape| {
                s.dims().iter().enumerate().filter(|(i, _)| *i != self.axis).map(|d| *d.1).collect::<Vec<_>>()
            };
            match shape.dims().get(self.axis) {
                Some(Dim::Fixed(n)) if others(shape) == others(first) => total += n,
                _ => {
                    let expected = format!("shapes that differ only along axis {}, of fixed size", self.axis);
                    return Err(ShapeError::new(expected, received(), "make the other axes agree"));
                }
            }
        }
        let mut dims = first.dims().to_vec();
        dims[self.axis] = Dim::Fixed(total);
        Ok(Shape::new(dims))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let mut start = 0;
        x.iter()
            .map(|x| {
                let Dim::Fixed(size) = x.shape().dims()[self.axis] else { unreachable!("checked by the shape rule") };
                start += size;
                Grad::Flow(dy.slice(self.axis as isize, start - size..start))
            })
            .collect()
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Concat { axis: self.axis }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let parts: Vec<Written> = x.iter().map(|x| w.real(x)).collect();
        let (names, order) = w.aligned(&parts.iter().collect::<Vec<_>>(), y.rank());
        let axis = order.iter().position(|&a| a == self.axis).expect("an order names each axis") as i64;
        let joined = w.node("Concat", names, vec![("axis", Attribute::Int(axis))], y, gradus_tensor::Kind::F32);
        Ok(joined.in_order(order))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Concat { axis: 1 }, [Shape::batched(&[3]), Shape::batched(&[1]), Shape::batched(&[4])])
                .first_order(),
            Case::new(Concat { axis: 0 }, [[2, 3].into(), [1, 3].into()]).first_order(),
        ]
    }
}

/// Concat: channels stay last where all operands have them there.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (kind, rank) = (n.kind(0)?, n.shape(0)?.rank());
    let axis = n.axis(n.int("axis")?.unwrap_or(if n.version < 4 { 1 } else { 0 }), rank)?;
    let (x, last) = n.aligned()?;
    let filled: Vec<&Node> = x.iter().filter(|x| !x.shape().at(1).contains(&0)).collect();
    let axis = if last { channels_last(rank).iter().position(|&a| a == axis).unwrap_or(axis) } else { axis };
    match &filled[..] {
        [] => Ok(vec![n.value(0)?.clone()]),
        [one] => Ok(vec![Value::Traced(Traced { node: (*one).clone(), kind, last })]),
        several => Ok(vec![Value::Traced(Traced { node: Node::concat(several, axis as isize), kind, last })]),
    }
}
