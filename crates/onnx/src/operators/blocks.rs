//! Elements moved between channels and space.

use gradus_graph::ShapeError;
use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_tensor::Dim;

pub(super) const ONNX: &[OnnxOp] =
    &[OnnxOp { name: "DepthToSpace", read: to_space }, OnnxOp { name: "SpaceToDepth", read: to_depth }];

/// The batch, the sizes of channels, height and width, and the block.
fn image(n: &OnnxNode, divided: &[usize]) -> Result<(Dim, [usize; 3], usize), ShapeError> {
    let shape = n.shape(0)?;
    let block = n.int("blocksize")?.unwrap_or(0);
    let error = || {
        let expected = "[B, C, H, W] with sizes that the `blocksize` divides";
        ShapeError::new(expected, format!("{shape} and {block}"), "write the file again")
    };
    let block = usize::try_from(block).ok().filter(|b| (1..=1 << 15).contains(b)).ok_or_else(error)?;
    match (shape.dims(), shape.rank()) {
        ([batch, rest @ ..], 4) => {
            let rest: Vec<usize> = rest.iter().map(|d| d.fixed()).collect::<Option<_>>().ok_or_else(error)?;
            let by = if divided == [0] { block * block } else { block };
            if divided.iter().any(|&i| !rest[i].is_multiple_of(by)) {
                return Err(error());
            }
            Ok((*batch, [rest[0], rest[1], rest[2]], block))
        }
        _ => Err(error()),
    }
}

fn to_space(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (batch, [channels, height, width], b) = image(n, &[0])?;
    let rest = channels / (b * b);
    let f = Dim::Fixed;
    let (apart, order) = match n.text("mode")?.unwrap_or("DCR") {
        "DCR" => (vec![batch, f(b), f(b), f(rest), f(height), f(width)], [0, 3, 4, 1, 5, 2]),
        "CRD" => (vec![batch, f(rest), f(b), f(b), f(height), f(width)], [0, 1, 4, 2, 5, 3]),
        other => return Err(ShapeError::new("mode DCR or CRD", format!("`{other}`"), "write the file again")),
    };
    let y = n.x(0)?.reshape(apart).permute(order).reshape(vec![batch, f(rest), f(height * b), f(width * b)]);
    Ok(vec![Value::traced(y, n.kind(0)?)])
}

fn to_depth(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (batch, [channels, height, width], b) = image(n, &[1, 2])?;
    let f = Dim::Fixed;
    let apart = n.x(0)?.reshape(vec![batch, f(channels), f(height / b), f(b), f(width / b), f(b)]);
    let y = apart.permute([0, 3, 5, 1, 2, 4]).reshape(vec![batch, f(channels * b * b), f(height / b), f(width / b)]);
    Ok(vec![Value::traced(y, n.kind(0)?)])
}
