//! Tile: a value repeated along its axes.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{Node, ShapeError};
use gradus_tensor::Dim;

pub(super) const ONNX: &[OnnxOp] = &[OnnxOp { name: "Tile", read }];

fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (x, kind) = (n.x(0)?, n.kind(0)?);
    let repeats = n.known_ints(1)?;
    let again = "write the file again";
    if repeats.len() != x.shape().rank() || repeats.iter().any(|&r| !(1..1 << 31).contains(&r)) {
        let received = format!("{repeats:?} for {}", x.shape());
        return Err(ShapeError::new("a number of repeats of at least 1 for each axis", received, again));
    }
    let mut y = x;
    for (axis, &times) in repeats.iter().enumerate().filter(|(_, times)| **times > 1) {
        y = repeated(&y, axis, times as usize)?;
    }
    Ok(vec![Value::traced(y, kind)])
}

/// The whole axis, so many times one after the other.
fn repeated(x: &Node, axis: usize, times: usize) -> Result<Node, ShapeError> {
    let shape = x.shape();
    let overflow =
        || ShapeError::new("a size that a computer can hold", format!("{times} times {shape}"), "repeat less");
    let grown = shape.dims()[axis].times(Dim::Fixed(times)).ok_or_else(overflow)?;
    let mut apart = shape.dims().to_vec();
    apart.insert(axis, Dim::Fixed(times));
    let mut joined = shape.dims().to_vec();
    joined[axis] = grown;
    Ok(x.unsqueeze(axis).expand(apart).reshape(joined))
}
