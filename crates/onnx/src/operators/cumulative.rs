//! Running sums and products along an axis.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{Node, ShapeError};
use gradus_tensor::Dim;

pub(super) const ONNX: &[OnnxOp] = &[
    OnnxOp { name: "CumSum", read: |n| running(n, 0.0, |a, b| a + b) },
    OnnxOp { name: "CumProd", read: |n| running(n, 1.0, |a, b| a * b) },
];

/// Each element combined with those before it, in ⌈log₂ n⌉ rounds of doubling distance (Hillis & Steele 1986).
fn running(n: &OnnxNode, neutral: f64, combine: fn(Node, Node) -> Node) -> Result<Vec<Value>, ShapeError> {
    let x = n.x(0)?;
    let axis = n.axis(n.known_ints(1)?.first().copied().unwrap_or(0), x.shape().rank())?;
    let Dim::Fixed(size) = x.shape().dims()[axis] else {
        let received = x.shape().to_string();
        return Err(ShapeError::new("an axis of fixed size", received, "give the input a fixed batch size"));
    };
    let backwards = n.int("reverse")?.unwrap_or(0) != 0;
    let axis = axis as isize;
    // What lies so far before each element.
    let before = |x: &Node, distance: usize| match backwards {
        _ if distance >= size => x.graph().fill(neutral, x.shape()),
        true => x.slice(axis, distance..size).pad(axis, 0, distance, neutral),
        false => x.slice(axis, 0..size - distance).pad(axis, distance, 0, neutral),
    };
    let mut y = if n.int("exclusive")?.unwrap_or(0) != 0 { before(&x, 1) } else { x };
    let mut distance = 1;
    while distance < size {
        y = combine(y.clone(), before(&y, distance));
        distance *= 2;
    }
    Ok(vec![Value::traced(y, n.kind(0)?)])
}
