//! Single elements and slices taken from places that a tensor names, or put there.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{Node, ShapeError};
use gradus_tensor::{Dim, Shape, Tensor};

pub(super) const ONNX: &[OnnxOp] = &[
    OnnxOp { name: "GatherElements", read: gather_elements },
    OnnxOp { name: "GatherND", read: gather_nd },
    OnnxOp { name: "ScatterElements", read: scatter_elements },
    OnnxOp { name: "Scatter", read: scatter_elements },
    OnnxOp { name: "ScatterND", read: scatter_nd },
];

type Result<T> = std::result::Result<T, ShapeError>;

/// The sizes of operand `i`, all fixed.
fn sizes(n: &OnnxNode, i: usize) -> Result<Vec<usize>> {
    let shape = n.shape(i)?;
    let fixed: Option<Vec<usize>> = shape.dims().iter().map(|d| d.fixed()).collect();
    let help = "give the model's inputs a fixed batch size";
    fixed.ok_or_else(|| ShapeError::new("fixed sizes", shape.to_string(), help))
}

fn strides(sizes: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; sizes.len()];
    for i in (1..sizes.len()).rev() {
        strides[i - 1] = strides[i] * sizes[i];
    }
    strides
}

fn again<T>(expected: &str, received: String) -> Result<T> {
    Err(ShapeError::new(expected, received, "write the file again"))
}

/// Where the elements that indices name along an axis lie in the flat data.
fn flat_elements(n: &OnnxNode, axis: usize, data: &[usize]) -> Result<Node> {
    let places = sizes(n, 1)?;
    if places.len() != data.len() || (0..data.len()).any(|i| i != axis && places[i] > data[i]) {
        return again("indices that lie within the data", format!("{places:?} for {data:?}"));
    }
    let index = n.index(1, gradus_tensor::Dim::Fixed(data[axis]))?;
    let mut others = strides(data);
    let stride = std::mem::take(&mut others[axis]);
    Ok(n.reader.graph().places(&places, &others) + index * stride as f64)
}

/// GatherElements: an element for each index, at the index along one axis and at its own place along the others.
fn gather_elements(n: &OnnxNode) -> Result<Vec<Value>> {
    let data = sizes(n, 0)?;
    let axis = n.axis(n.int("axis")?.unwrap_or(0), data.len())?;
    let places = flat_elements(n, axis, &data)?;
    let y = n.x(0)?.reshape([data.iter().product::<usize>()]).gather(0, &places);
    Ok(vec![Value::traced(y, n.kind(0)?)])
}

/// Numbers of slices from rows of coordinates, the last axis of operand 1 from `batch` on; and the slices' number.
fn flat_slices(n: &OnnxNode, data: &[usize], batch: usize) -> Result<(Node, usize)> {
    let places = n.shape(1)?;
    let Some((&Dim::Fixed(depth), rows)) = places.dims().split_last() else {
        return again("indices with an axis of fixed size", places.to_string());
    };
    let leading: Option<Vec<usize>> = rows.iter().take(batch).map(|d| d.fixed()).collect();
    if depth + batch > data.len() || leading.as_deref() != Some(&data[..batch]) {
        return again("indices of at most the data's axes", format!("{places} for {data:?}"));
    }
    let counted = &data[..batch + depth];
    let steps = strides(counted);
    let index = n.x(1)?;
    let last = rows.len() as isize;
    let mut flat = match batch {
        0 => n.reader.graph().fill(0.0, rows.to_vec()),
        _ => {
            let rows = &sizes(n, 1)?[..rows.len()];
            n.reader.graph().places(rows, &[&steps[..batch], &vec![0; rows.len() - batch]].concat())
        }
    };
    for (i, &size) in counted[batch..].iter().enumerate() {
        let one = index.slice(last, i..i + 1).squeeze(last);
        flat = flat + one.lt(0.0).select(&one + size as f64, &one) * steps[batch + i] as f64;
    }
    Ok((flat, counted.iter().product()))
}

/// GatherND: a slice for each row of coordinates.
fn gather_nd(n: &OnnxNode) -> Result<Vec<Value>> {
    let data = sizes(n, 0)?;
    let batch = n.int("batch_dims")?.unwrap_or(0).max(0) as usize;
    let (places, count) = flat_slices(n, &data, batch)?;
    let depth = sizes(n, 1)?.last().copied().unwrap_or(0);
    let rest = data[batch + depth..].to_vec();
    let y = n.x(0)?.reshape(Shape::fixed(&[&[count][..], &rest].concat())).gather(0, &places);
    Ok(vec![Value::traced(y, n.kind(0)?)])
}

/// ScatterElements: updates put where GatherElements would take from.
fn scatter_elements(n: &OnnxNode) -> Result<Vec<Value>> {
    let data = sizes(n, 0)?;
    let axis = n.axis(n.int("axis")?.unwrap_or(0), data.len())?;
    let places = flat_elements(n, axis, &data)?;
    let (len, count) = (data.iter().product(), places.shape().len_at(1));
    let y = scattered(n, &n.x(0)?.reshape([len, 1]), &places.reshape([count]), &n.x(2)?.reshape([count, 1]))?;
    Ok(vec![Value::traced(y.reshape(Shape::fixed(&data)), n.kind(0)?)])
}

/// ScatterND: slices put where GatherND would take from.
fn scatter_nd(n: &OnnxNode) -> Result<Vec<Value>> {
    let data = sizes(n, 0)?;
    let (places, count) = flat_slices(n, &data, 0)?;
    let width = data.iter().product::<usize>() / count.max(1);
    let rows = places.shape().dims().iter().try_fold(Dim::Fixed(1), |product, &size| product.times(size));
    let Some(rows) = rows else { return again("indices with one axis that grows", places.shape().to_string()) };
    let updates = n.x(2)?.reshape(vec![rows, Dim::Fixed(width)]);
    let y = scattered(n, &n.x(0)?.reshape([count, width]), &places.reshape(vec![rows]), &updates)?;
    Ok(vec![Value::traced(y.reshape(Shape::fixed(&data)), n.kind(0)?)])
}

/// `data: [n, w]` with `updates: [k, w]` at `places: [k]`. Sums may name a place several times; for all else the places must be known
/// while the graph is read, so that updates of one place come one after the other.
fn scattered(n: &OnnxNode, data: &Node, places: &Node, updates: &Node) -> Result<Node> {
    let combine: fn(&Node, &Node) -> Node = match n.text("reduction")?.unwrap_or("none") {
        "none" => |_, new| new.clone(),
        "add" => |old, new| old + new,
        "mul" => |old, new| old * new,
        "max" => |old, new| old.maximum(new),
        "min" => |old, new| old.minimum(new),
        other => return again("reduction none, add, mul, max or min", format!("`{other}`")),
    };
    let size = data.shape().at(1)[0];
    let known = n.reader.numbers(&Value::traced(places.clone(), gradus_tensor::Kind::I64));
    let known = match known {
        Ok(tensor) => tensor.values().to_i64(),
        Err(_) if n.text("reduction")? == Some("add") => return Ok(data + updates.scatter_add(0, places, size)),
        Err(error) => return Err(error),
    };
    if let Some(outside) = known.iter().find(|&&place| !(0..size as i64).contains(&place)) {
        return again(&format!("places below {size}"), outside.to_string());
    }
    let mut turns: Vec<Vec<usize>> = vec![];
    let mut seen = vec![0; size];
    for (i, &place) in known.iter().enumerate() {
        let turn = seen[place as usize];
        seen[place as usize] += 1;
        if turns.len() == turn {
            turns.push(vec![]);
        }
        turns[turn].push(i);
    }
    let mut y = data.clone();
    for turn in turns {
        let at: Vec<i64> = turn.iter().map(|&i| known[i]).collect();
        let mut touched = vec![0f32; size];
        at.iter().for_each(|&place| touched[place as usize] = 1.0);
        let constant = |tensor: Tensor| n.reader.node(&Value::known(tensor));
        let mask = constant(Tensor::new([size, 1], touched).expect("as many as places"))?;
        let new = updates.pick(0, &turn).scatter_add(0, &constant(Tensor::vector(at))?, size);
        y = mask.select(combine(&y, &new), &y);
    }
    Ok(y)
}
