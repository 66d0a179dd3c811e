//! Losses of classes: the negative logarithm of the target's probability.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{Node, Role, ShapeError};
use gradus_tensor::Kind;

pub(super) const ONNX: &[OnnxOp] = &[
    OnnxOp { name: "NegativeLogLikelihoodLoss", read: |n| loss(n, |x| x.clone()) },
    OnnxOp { name: "SoftmaxCrossEntropyLoss", read: |n| loss(n, Node::log_softmax) },
];

/// `x: [N, C, ..]`, targets `[N, ..]`; targets of `ignore_index` do not count.
fn loss(n: &OnnxNode, logarithms: fn(&Node) -> Node) -> Result<Vec<Value>, ShapeError> {
    let (x, kind) = (n.image(0)?, n.kind(0)?);
    let log_probability = logarithms(&x);
    let target = n.x(1)?;
    let ignored = n.int("ignore_index")?.map(|ignored| target.ne(ignored as f64));
    let chosen = target.one_hot(x.units());
    let last = chosen.shape().rank() as isize - 1;
    let picked = chosen.select(&-&log_probability, 0.0).sum(last).squeeze(last);
    let weight = match n.optional(2) {
        Some(_) => Some((&chosen * n.weight(2, &[0], Role::Frozen)?).sum(last).squeeze(last)),
        None => None,
    };
    let weight = match (weight, ignored) {
        (Some(a), Some(b)) => Some(a * b),
        (a, b) => a.or(b),
    };
    let losses = weight.as_ref().map_or_else(|| picked.clone(), |w| &picked * w);
    let result = match n.text("reduction")?.unwrap_or("mean") {
        "none" => losses,
        "sum" => losses.sum_all(),
        "mean" => match weight {
            Some(weight) => losses.sum_all() / weight.sum_all(),
            None => losses.mean_all(),
        },
        other => {
            return Err(ShapeError::new("reduction none, sum or mean", format!("`{other}`"), "write the file again"));
        }
    };
    let image = gradus_graph::onnx::Traced { node: log_probability, kind, last: true };
    Ok(vec![Value::traced(result, Kind::F32).of_kind(kind), Value::Traced(image)])
}
