//! Split: a value cut into pieces along an axis, of sizes that are stated or as equal as can be.

use gradus_graph::ShapeError;
use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_tensor::Dim;

pub(super) const ONNX: &[OnnxOp] = &[OnnxOp { name: "Split", read }];

fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (x, kind) = (n.x(0)?, n.kind(0)?);
    let shape = x.shape();
    let axis = n.axis(n.int("axis")?.unwrap_or(0), shape.rank())?;
    let Dim::Fixed(size) = shape.dims()[axis] else {
        let help = "give the input a fixed batch size";
        return Err(ShapeError::new("an axis of fixed size", shape.to_string(), help));
    };
    let stated = match (n.ints("split")?, n.optional(1)) {
        (Some(sizes), _) => Some(sizes),
        (None, Some(_)) => Some(n.known_ints(1)?),
        (None, None) => None,
    };
    let count = n.int("num_outputs")?.unwrap_or(n.outputs.len() as i64).max(1) as usize;
    let sizes = match stated {
        Some(sizes) => sizes,
        None => {
            let piece = size.div_ceil(count);
            (0..count).map(|i| (size.min((i + 1) * piece) - size.min(i * piece)) as i64).collect()
        }
    };
    let total = sizes.iter().try_fold(0i64, |total, &s| total.checked_add(s).filter(|_| s >= 0));
    if total != Some(size as i64) {
        let received = format!("{sizes:?} along axis {axis} of {shape}");
        return Err(ShapeError::new("pieces that make up the whole", received, "write the file again"));
    }
    let mut start = 0;
    let piece = |piece: i64| {
        let range = start..start + piece as usize;
        start = range.end;
        if range.is_empty() {
            let mut sizes = shape.at(1);
            sizes[axis] = 0;
            return Value::empty(sizes, kind);
        }
        if range.len() == size {
            Value::traced(x.clone(), kind)
        } else {
            Value::traced(x.slice(axis as isize, range), kind)
        }
    };
    Ok(sizes.into_iter().map(piece).collect())
}
