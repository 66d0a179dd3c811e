//! A border of a constant around a value.

use crate::Node;
use crate::onnx::{OnnxNode, OnnxOp, Refusal, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// A border of a constant before and after a value along an axis of fixed size.
#[derive(Clone, Debug)]
pub struct Pad {
    /// The axis.
    pub axis: usize,
    /// How many elements come before.
    pub before: usize,
    /// How many elements come after.
    pub after: usize,
    /// The border's value.
    pub value: f64,
}

impl OpDef for Pad {
    const NAME: &'static str = "pad";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Pad", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let Some(Dim::Fixed(size)) = x[0].dims().get(self.axis).copied() else {
            let received = format!("axis {} of {}", self.axis, x[0]);
            return Err(ShapeError::new("an axis of fixed size", received, "pad along another axis"));
        };
        let mut dims = x[0].dims().to_vec();
        dims[self.axis] = Dim::Fixed(self.before.saturating_add(size).saturating_add(self.after));
        Ok(Shape::new(dims))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let Dim::Fixed(size) = x[0].shape().dims()[self.axis] else { unreachable!("checked by the shape rule") };
        vec![Grad::Flow(dy.slice(self.axis as isize, self.before..self.before + size))]
    }

    fn kernel(&self, x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        let mut before = vec![0; x[0].len()];
        before[self.axis] = self.before;
        Kernel::Pad { before, value: self.value }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let x = w.real(&x[0]);
        let mut widths = vec![0; 2 * y.rank()];
        let place = x.place(self.axis) as usize;
        widths[place] = self.before as i64;
        widths[place + y.rank()] = self.after as i64;
        let value = w.number(self.value);
        let inputs = vec![w.as_is(&x), w.whole(&widths), w.plain(&value)];
        Ok(w.node("Pad", inputs, vec![], y, gradus_tensor::Kind::F32).ordered_as(&x))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Pad { axis: 1, before: 1, after: 2, value: 0.0 }, [Shape::batched(&[3])]).first_order(),
            Case::new(Pad { axis: 0, before: 0, after: 1, value: -1.5 }, [[2, 3].into()]).first_order(),
        ]
    }
}

/// Pad: a constant, or what lies inside: mirrored, repeated at the edge, or from the other side. Negative widths cut off.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (mut x, kind) = (n.x(0)?, n.kind(0)?);
    let rank = x.shape().rank();
    let attributes = n.version < 11;
    let widths = if attributes { n.ints("pads")?.unwrap_or_default() } else { n.known_ints(1)? };
    let value = match (attributes, n.optional(2)) {
        (true, _) => n.float("value")?.unwrap_or(0.0),
        (false, Some(_)) => n.known(2)?.to_f64().first().copied().unwrap_or(0.0),
        (false, None) => 0.0,
    };
    let axes = match n.optional(3) {
        Some(_) => n.known_ints(3)?.into_iter().map(|axis| n.axis(axis, rank)).collect::<Result<_, _>>()?,
        None => (0..rank).collect::<Vec<_>>(),
    };
    if widths.len() != 2 * axes.len() {
        let received = format!("{} for {} axes", widths.len(), axes.len());
        return Err(ShapeError::new("two widths for each axis", received, "write the file again"));
    }
    let mode = n.text("mode")?.unwrap_or("constant");
    for (i, &axis) in axes.iter().enumerate() {
        let [before, after] = [widths[i], widths[i + axes.len()]];
        if [before, after] == [0, 0] {
            continue;
        }
        let Dim::Fixed(size) = x.shape().dims()[axis] else {
            let received = x.shape().to_string();
            return Err(ShapeError::new("an axis of fixed size", received, "give the input a fixed batch size"));
        };
        let (size, axis) = (size as i64, axis as isize);
        let widest = i64::from(i32::MAX);
        if before.max(after) > widest || size + before.min(0) + after.min(0) < 1 {
            let received = format!("{before} and {after} around {size}");
            return Err(ShapeError::new("widths that leave at least one element", received, "write the file again"));
        }
        let place = |at: i64| match mode {
            "edge" => Ok(at.clamp(0, size - 1)),
            "wrap" => Ok(at.rem_euclid(size)),
            "reflect" => {
                let period = (2 * (size - 1)).max(1);
                let at = at.rem_euclid(period);
                Ok(at.min(period - at))
            }
            other => {
                let expected = "mode constant, reflect, edge or wrap";
                Err(ShapeError::new(expected, format!("`{other}`"), "write the file again"))
            }
        };
        if mode == "constant" {
            let inside = x.slice(axis, (-before).max(0) as usize..(size + after.min(0)) as usize);
            x = inside.pad(axis, before.max(0) as usize, after.max(0) as usize, value);
        } else {
            let places = (-before..size + after).map(|at| Ok(place(at)? as usize));
            x = x.pick(axis, &places.collect::<Result<Vec<_>, ShapeError>>()?);
        }
    }
    Ok(vec![Value::traced(x, kind)])
}
