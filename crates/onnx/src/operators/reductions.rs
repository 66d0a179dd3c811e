//! Reductions that are formulas around sums, and the product.

use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_graph::{Node, ShapeError};
use gradus_tensor::Dim;

pub(super) const ONNX: &[OnnxOp] = &[
    OnnxOp { name: "ReduceL1", read: |n| n.reduced(0.0, |x, axes| x.abs().sum(axes)) },
    OnnxOp { name: "ReduceL2", read: |n| n.reduced(0.0, |x, axes| x.square().sum(axes).sqrt()) },
    OnnxOp { name: "ReduceSumSquare", read: |n| n.reduced(0.0, |x, axes| x.square().sum(axes)) },
    OnnxOp { name: "ReduceLogSum", read: |n| n.reduced(f64::NEG_INFINITY, |x, axes| x.sum(axes).log()) },
    OnnxOp { name: "ReduceLogSumExp", read: |n| n.reduced(f64::NEG_INFINITY, log_sum_exp) },
    OnnxOp { name: "ReduceProd", read: product },
];

/// Without overflow: `m + ln Σ e^(x-m)` with m the largest.
fn log_sum_exp(x: &Node, axes: &[isize]) -> Node {
    if axes.is_empty() {
        return x.clone();
    }
    let most = x.max(axes);
    let shift = most.abs().eq(f64::INFINITY).select(0.0, &most);
    (x - &shift).exp().sum(axes).log() + shift
}

/// ReduceProd: halves multiplied until one element is left, so that zeros and signs need no care.
fn product(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    n.reduced(1.0, |x, axes| axes.iter().fold(x.clone(), |x, &axis| product_along(&x, axis)))
}

fn product_along(x: &Node, axis: isize) -> Node {
    let Dim::Fixed(mut size) = x.shape().dims()[axis as usize] else {
        let received = x.shape().to_string();
        let error = ShapeError::new("an axis of fixed size", received, "give the input a fixed batch size");
        return x.graph().refuse("product", error);
    };
    let mut y = x.clone();
    while size > 1 {
        let half = size / 2;
        let paired = y.slice(axis, 0..half) * y.slice(axis, half..2 * half);
        y = if size % 2 == 1 { Node::concat(&[&paired, &y.slice(axis, size - 1..size)], axis) } else { paired };
        size = size.div_ceil(2);
    }
    y
}
