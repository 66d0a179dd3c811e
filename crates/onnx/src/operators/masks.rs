//! Values chosen by their place: triangles, one-hot rows, the largest of a row.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{ShapeError, ops};
use gradus_tensor::Dim;

pub(super) const ONNX: &[OnnxOp] = &[
    OnnxOp { name: "Trilu", read: triangle },
    OnnxOp { name: "OneHot", read: one_hot },
    OnnxOp { name: "Hardmax", read: hardmax },
];

/// Trilu: the part of matrices on and above a diagonal, or on and below it; the rest is 0.
fn triangle(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (kind, shape) = (n.kind(0)?, n.shape(0)?);
    if shape.at(1).contains(&0) {
        return Ok(vec![n.value(0)?.clone()]);
    }
    let Some([Dim::Fixed(rows), Dim::Fixed(columns)]) = shape.dims().last_chunk() else {
        return Err(ShapeError::new("matrices of fixed size", shape.to_string(), "write the file again"));
    };
    let offset = match n.optional(1) {
        Some(_) => n.known_ints(1)?.first().copied().unwrap_or(0),
        None => 0,
    } as f64;
    let graph = n.reader.graph();
    let (row, column) = (graph.places(&[*rows, *columns], &[1, 0]), graph.places(&[*rows, *columns], &[0, 1]));
    let kept = if n.int("upper")?.unwrap_or(1) != 0 { column.ge(row + offset) } else { column.le(row + offset) };
    Ok(vec![Value::traced(kept.select(&n.x(0)?, 0.0), kind)])
}

/// OneHot: rows with one value at the index and another elsewhere; an index outside has the other one only.
fn one_hot(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let depth = n.known_ints(1)?.first().copied().unwrap_or(0);
    let depth = usize::try_from(depth)
        .ok()
        .filter(|depth| (1..=1 << 31).contains(depth))
        .ok_or_else(|| ShapeError::new("a depth of at least 1", depth.to_string(), "write the file again"))?;
    let index = n.x(0)?;
    let index = index.lt(0.0).select(&index + depth as f64, &index);
    let rank = index.shape().rank() + 1;
    let axis = n.axis(n.int("axis")?.unwrap_or(-1), rank)?;
    let values = n.x(2)?;
    let [off, on] = [0, 1].map(|i| values.slice(0, i..i + 1).reshape(gradus_tensor::Shape::scalar()));
    let chosen = index.one_hot(depth).select(&on, &off);
    let mut order: Vec<usize> = (0..rank - 1).collect();
    order.insert(axis, rank - 1);
    Ok(vec![Value::traced(chosen.permute(order), n.kind(2)?)])
}

/// Hardmax: 1 at the first largest element along an axis, 0 elsewhere; over all axes from one on before version 13.
fn hardmax(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    ops::over_rows(n, |x| {
        let last = x.shape().rank() as isize - 1;
        x.argmax(last).squeeze(last).one_hot(x.units())
    })
}
