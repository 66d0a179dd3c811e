//! A part of a value: along an axis every `step`-th element from `start` up to `stop`. No work: it is read with other strides.

use crate::Node;
use crate::onnx::{OnnxNode, OnnxOp, Refusal, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::{Dim, Shape};

/// Every `step`-th element from `start` up to, not including, `stop` along an axis of fixed size.
#[derive(Clone, Debug)]
pub struct Slice {
    /// The axis.
    pub axis: usize,
    /// The first element.
    pub start: usize,
    /// One past the last element.
    pub stop: usize,
    /// The distance between elements.
    pub step: usize,
}

impl OpDef for Slice {
    const NAME: &'static str = "slice";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Slice", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let Some(Dim::Fixed(size)) = x[0].dims().get(self.axis).copied() else {
            let received = format!("axis {} of {}", self.axis, x[0]);
            return Err(ShapeError::new("an axis of fixed size", received, "slice along another axis"));
        };
        if self.start >= self.stop || self.stop > size || self.step == 0 {
            let received = format!("{}..{} in steps of {}", self.start, self.stop, self.step);
            let expected = format!("a non-empty range within 0..{size} and a step of at least 1");
            return Err(ShapeError::new(expected, received, "correct the range"));
        }
        let mut dims = x[0].dims().to_vec();
        dims[self.axis] = Dim::Fixed((self.stop - self.start).div_ceil(self.step));
        Ok(Shape::new(dims))
    }

    fn grad(&self, x: &[Node], y: &Node, dy: &Node) -> Grads {
        let Dim::Fixed(size) = x[0].shape().dims()[self.axis] else { unreachable!("checked by the shape rule") };
        let Dim::Fixed(count) = y.shape().dims()[self.axis] else { unreachable!("checked by the shape rule") };
        let spread = dy.dilate(self.axis, self.step);
        let covered = (count - 1) * self.step + 1;
        vec![Grad::Flow(spread.pad(self.axis as isize, self.start, size - self.start - covered, 0.0))]
    }

    fn kernel(&self, x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        let mut start = vec![0; x[0].len()];
        start[self.axis] = self.start;
        let step = |axis: usize| if axis == self.axis { self.step } else { 1 };
        Kernel::View { axes: (0..x[0].len()).map(|a| Some((a, step(a)))).collect(), start }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let place = x[0].place(self.axis);
        let numbers = [self.start as i64, self.stop as i64, place, self.step as i64];
        let mut inputs = vec![w.as_is(&x[0])];
        inputs.extend(numbers.map(|number| w.whole(&[number])));
        Ok(w.node("Slice", inputs, vec![], y, x[0].kind).ordered_as(&x[0]))
    }

    fn cases() -> Vec<Case> {
        vec![
            Case::new(Slice { axis: 1, start: 1, stop: 4, step: 1 }, [Shape::batched(&[5])]).first_order(),
            Case::new(Slice { axis: 0, start: 0, stop: 7, step: 3 }, [[7, 2].into()]).first_order(),
            Case::new(Slice { axis: 2, start: 1, stop: 6, step: 2 }, [Shape::batched(&[2, 6])]).first_order(),
        ]
    }
}

/// Slice: ranges and steps along axes, negative ones counted from the end or going backwards.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (mut x, kind) = (n.x(0)?, n.kind(0)?);
    let list = |i: usize, name: &str| match (n.version < 10, n.optional(i)) {
        (true, _) => n.ints(name),
        (false, Some(_)) => n.known_ints(i).map(Some),
        (false, None) => Ok(None),
    };
    let starts = list(1, "starts")?.unwrap_or_default();
    let ends = list(2, "ends")?.unwrap_or_default();
    let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
    let steps = if n.version < 10 { None } else { list(4, "steps")? }.unwrap_or_else(|| vec![1; starts.len()]);
    if [ends.len(), axes.len(), steps.len()].iter().any(|&len| len != starts.len()) {
        let received = format!("{starts:?}, {ends:?}, axes {axes:?}, steps {steps:?}");
        return Err(ShapeError::new("as many ends, axes and steps as starts", received, "write the file again"));
    }
    for (((start, end), axis), step) in starts.into_iter().zip(ends).zip(axes).zip(steps) {
        let axis = n.axis(axis, x.shape().rank())?;
        match x.shape().dims()[axis] {
            Dim::Fixed(size) => {
                let picked = picked(start, end, step, size)?;
                if picked.is_empty() {
                    let mut sizes = x.shape().at(1);
                    sizes[axis] = 0;
                    return Ok(vec![Value::empty(sizes, kind)]);
                }
                x = x.pick(axis as isize, &picked);
            }
            // All of the batch, however many there are.
            Dim::Batch(_) if start == 0 && end >= i64::from(i32::MAX) && step == 1 => {}
            Dim::Batch(_) => {
                let received = format!("{start}..{end} of {}", x.shape());
                return Err(ShapeError::new("an axis of fixed size", received, "give the input a fixed batch size"));
            }
        }
    }
    Ok(vec![Value::traced(x, kind)])
}

/// The places that a range with a step picks of so many.
fn picked(start: i64, end: i64, step: i64, size: usize) -> Result<Vec<usize>, ShapeError> {
    let size = size as i64;
    if step == 0 {
        return Err(ShapeError::new("a step other than 0", "0", "write the file again"));
    }
    let (low, high) = if step > 0 { (0, size) } else { (-1, size - 1) };
    let place = |at: i64| if at < 0 { at.saturating_add(size) } else { at };
    let start = place(start).clamp(low.max(0), if step > 0 { size } else { size - 1 });
    let end = place(end).clamp(low, high + i64::from(step < 0));
    let mut places = vec![];
    let mut at = start;
    while if step > 0 { at < end } else { at > end } {
        places.push(at as usize);
        at = at.saturating_add(step);
    }
    Ok(places)
}
