//! Sizes of values, and values made from sizes.

use gradus_graph::onnx::{Attribute, Extent, OnnxNode, OnnxOp, Value};
use gradus_graph::ops::{Count, Iota};
use gradus_graph::{Node, ShapeError};
use gradus_tensor::{Dim, Kind, Shape, Tensor};

pub(super) const ONNX: &[OnnxOp] = &[
    OnnxOp { name: "Shape", read: shape },
    OnnxOp { name: "Size", read: size },
    OnnxOp { name: "ConstantOfShape", read: filled },
    OnnxOp { name: "Range", read: range },
    OnnxOp { name: "EyeLike", read: eye },
];

/// Shape: the sizes from `start` to `end`.
fn shape(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let shape = n.shape(0)?;
    let rank = shape.rank() as i64;
    let place = |at: i64| (if at < 0 { at + rank } else { at }).clamp(0, rank) as usize;
    let (start, end) = (place(n.int("start")?.unwrap_or(0)), place(n.int("end")?.unwrap_or(rank)));
    let dims = &shape.dims()[start..end.max(start)];
    if let Some(sizes) = dims.iter().map(|d| d.fixed().map(|size| size as i64)).collect::<Option<Vec<i64>>>() {
        return Ok(vec![Value::known(Tensor::vector(sizes))]);
    }
    let graph = n.reader.graph();
    let sizes: Vec<Node> =
        dims.iter().map(|&dim| graph.apply(Count { of: Shape::new(vec![dim]) }, &[]).reshape([1])).collect();
    let joined = if let [one] = &sizes[..] { one.clone() } else { Node::concat(&sizes.iter().collect::<Vec<_>>(), 0) };
    Ok(vec![Value::traced(joined, Kind::I64)])
}

fn size(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let of = n.shape(0)?;
    if let Some(len) = of.dims().iter().map(|d| d.fixed()).product::<Option<usize>>() {
        return Ok(vec![Value::known(Tensor::new([], vec![len as i64]).expect("one number"))]);
    }
    Ok(vec![Value::traced(n.reader.graph().apply(Count { of }, &[]), Kind::I64)])
}

fn filled(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let value = match n.attributes.get("value") {
        Some(Attribute::Tensor(tensor)) if tensor.len() == 1 => tensor.clone(),
        None => Tensor::vector(vec![0f32]),
        Some(other) => return Err(ShapeError::new("a tensor of one number", other.describe(), "write the file again")),
    };
    let dims = n.dims(0)?;
    if dims.contains(&Dim::Fixed(0)) {
        return Ok(vec![Value::empty(Shape::new(dims).at(1), value.kind())]);
    }
    Ok(vec![Value::traced(n.reader.graph().fill(value.to_f64()[0], dims), value.kind())])
}

/// Range: from a start, which must be known as the rest must, by steps up to a limit that is not reached.
fn range(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let kind = n.kind(0)?;
    if let Some(batch) = counted_batch(n)? {
        let counted = Iota { axis: 0, shape: Shape::new(vec![batch]) };
        return Ok(vec![Value::traced(n.reader.graph().apply(counted, &[]), kind)]);
    }
    let number = |i: usize| {
        let tensor = n.known(i)?;
        tensor.to_f64().first().copied().ok_or_else(|| ShapeError::new("a number", "none", "write the file again"))
    };
    let (start, limit, step) = (number(0)?, number(1)?, number(2)?);
    let count = ((limit - start) / step).ceil().max(0.0);
    if step == 0.0 || count.is_nan() || count >= 1e9 {
        let received = format!("from {start} by {step} to {limit}");
        return Err(ShapeError::new("a range of fewer than 10⁹ numbers", received, "write the file again"));
    }
    if count == 0.0 {
        return Ok(vec![Value::empty(vec![0], kind)]);
    }
    let graph = n.reader.graph();
    Ok(vec![Value::traced(graph.places(&[count as usize], &[1]) * step + start, kind)])
}

/// The limit of a range that counts as many as grow with the batch, from 0 by 1.
fn counted_batch(n: &OnnxNode) -> Result<Option<Dim>, ShapeError> {
    if !n.kind(1)?.is_float()
        && let Value::Traced(_) = n.value(1)?
        && let [Extent { fixed: 0, batches: 1.. }] = n.extents(1)?[..]
        && n.known_ints(0)? == [0]
        && n.known_ints(2)? == [1]
    {
        return Ok(n.extents(1)?[0].dim());
    }
    Ok(None)
}

/// EyeLike: ones along a diagonal.
fn eye(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let shape = n.shape(0)?;
    let kind = match n.int("dtype")? {
        None => n.kind(0)?,
        Some(number) => crate::tensor::kind_of(number as i32).ok_or_else(|| {
            ShapeError::new(
                "numbers of 8 to 64 bits",
                crate::tensor::type_name(number as i32),
                "choose another `dtype`",
            )
        })?,
    };
    let sizes: Option<Vec<usize>> = shape.dims().iter().map(|d| d.fixed()).collect();
    let Some([rows, columns]) = sizes.as_deref() else {
        return Err(ShapeError::new("a matrix of fixed size", shape.to_string(), "write the file again"));
    };
    let graph = n.reader.graph();
    let offset = n.int("k")?.unwrap_or(0) as f64;
    let sizes = [*rows, *columns];
    let diagonal = (graph.places(&sizes, &[1, 0]) + offset).eq(graph.places(&sizes, &[0, 1]));
    Ok(vec![Value::traced(diagonal, kind)])
}
