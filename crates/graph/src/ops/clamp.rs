//! Limits to an interval, `y = min(max(x, low), high)`; the derivative at a bound is 0.

use crate::Node;
use crate::onnx::{OnnxNode, OnnxOp, Refusal, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError};
use gradus_tensor::Shape;

/// Limits to an interval.
#[derive(Clone, Debug)]
pub struct Clamp {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

impl OpDef for Clamp {
    const NAME: &'static str = "clamp";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "Clip", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        if self.low <= self.high {
            Ok(x[0].clone())
        } else {
            let bounds = format!("low {} and high {}", self.low, self.high);
            Err(ShapeError::new("low ≤ high", bounds, "swap the bounds"))
        }
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * x[0].gt(self.low) * x[0].lt(self.high))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x.max(&x.constant(self.low)).min(&x.constant(self.high)))
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let x = w.real(&x[0]);
        let names = [self.low, self.high].map(|bound| {
            let bound = w.number(bound);
            w.plain(&bound)
        });
        let [low, high] = names;
        let inputs = vec![w.as_is(&x), low, high];
        Ok(w.node("Clip", inputs, vec![], y, gradus_tensor::Kind::F32).ordered_as(&x))
    }

    fn cases() -> Vec<Case> {
        let clamp = Clamp { low: -1.0, high: 0.5 };
        vec![Case::new(clamp, [Shape::batched(&[5])]).avoiding(-1.0).avoiding(0.5).first_order()]
    }
}

/// Clip: the bounds are attributes before version 11, and optional inputs since. The upper one wins.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let attributes = n.version < 11;
    let bound = |i: usize, name: &str| match (attributes, n.optional(i)) {
        (true, _) => Ok(n.float(name)?.map(|bound| (Some(bound), None))),
        (false, Some(Value::Known(known))) if known.tensor.len() == 1 => {
            n.reader.note(known);
            Ok(Some((Some(known.tensor.to_f64()[0]), None)))
        }
        (false, Some(_)) => Ok(Some((None, Some(n.x(i)?)))),
        (false, None) => Ok(None),
    };
    let (low, high) = (bound(1, "min")?, bound(2, "max")?);
    n.unary(|x| match (&low, &high) {
        (Some((Some(low), _)), Some((Some(high), _))) if low <= high => x.clamp(*low, *high),
        _ => {
            let raised = match low {
                Some((Some(low), _)) => x.maximum(low),
                Some((_, Some(low))) => x.maximum(low),
                _ => x.clone(),
            };
            match high {
                Some((Some(high), _)) => raised.minimum(high),
                Some((_, Some(high))) => raised.minimum(high),
                _ => raised,
            }
        }
    })
}
