//! Dropout: while the graph is trained, elements are dropped and the others enlarged; when it predicts, nothing happens.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{Random, ShapeError};
use gradus_tensor::Kind;

pub(super) const ONNX: &[OnnxOp] = &[OnnxOp { name: "Dropout", read }];

fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (x, kind) = (n.x(0)?, n.kind(0)?);
    let rate = match (n.float("ratio")?, n.optional(1)) {
        (Some(rate), _) => rate,
        (None, Some(_)) => n.known(1)?.to_f64().first().copied().unwrap_or(0.5),
        (None, None) => 0.5,
    };
    if !(0.0..1.0).contains(&rate) {
        return Err(ShapeError::new("a ratio from 0 to below 1", rate.to_string(), "write the file again"));
    }
    // A node that trains by itself drops always; all others when the whole graph is trained.
    let always = match n.optional(2) {
        Some(_) => n.known(2)?.to_f64().first().is_some_and(|&training| training != 0.0),
        None => false,
    };
    let all = n.reader.graph().fill(1.0, x.shape());
    if rate == 0.0 {
        return Ok(vec![Value::traced(x, kind), Value::traced(all, Kind::Bool)]);
    }
    let kept = x.random(Random::Bernoulli(1.0 - rate));
    let dropped = &x * &kept * (1.0 / (1.0 - rate));
    let (y, mask) = if always { (dropped, kept) } else { (dropped.when_training(&x), kept.when_training(&all)) };
    Ok(vec![Value::traced(y, kind), Value::traced(mask, Kind::Bool)])
}
