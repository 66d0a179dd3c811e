//! Gemm: `y = alpha·A'·B' + beta·C`, with A and B transposed if wished. C is broadcast.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{Role, ShapeError};

pub(super) const ONNX: &[OnnxOp] = &[OnnxOp { name: "Gemm", read }];

fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let order = |name: &str| Ok(if n.int(name)?.unwrap_or(0) == 0 { [0, 1] } else { [1, 0] });
    let a = n.weight(0, &order("transA")?, Role::Weight)?;
    let b = n.weight(1, &order("transB")?, Role::Weight)?;
    let (alpha, beta) = (n.float("alpha")?.unwrap_or(1.0), n.float("beta")?.unwrap_or(1.0));
    let scaled = |x: gradus_graph::Node, factor: f64| if factor == 1.0 { x } else { x * factor };
    let mut y = scaled(a.matmul(&b), alpha);
    if let Some(c) = n.optional(2).filter(|_| beta != 0.0) {
        let rank = c.shape().map_or(0, |s| s.rank());
        y = y + scaled(n.weight(2, &(0..rank).collect::<Vec<_>>(), Role::Bias)?, beta);
    }
    Ok(vec![Value::traced(y, n.kind(0)?)])
}
