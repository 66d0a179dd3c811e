//! Matrix product, `y = a·b`, over the last two axes; further axes are a batch and broadcast. Either factor may be taken
//! transposed without a copy.

use crate::Node;
use crate::onnx::{OnnxNode, OnnxOp, Refusal, Value, Writer, Written};
use crate::op::{Case, Grad, Grads, Kernel, OpDef, ShapeError, broadcast};
use gradus_tensor::Shape;

/// Matrix product `[.., m, k] × [.., k, n] -> [.., m, n]`, with either factor taken transposed on request.
#[derive(Clone, Debug)]
pub struct MatMul {
    /// Input 0 is `[.., k, m]`.
    pub transpose_a: bool,
    /// Input 1 is `[.., n, k]`.
    pub transpose_b: bool,
}

impl OpDef for MatMul {
    const NAME: &'static str = "matmul";
    const ONNX: &'static [OnnxOp] = &[OnnxOp { name: "MatMul", read }];

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        let received = || {
            let mark = |t: bool| if t { " transposed" } else { "" };
            format!("{}{} × {}{}", x[0], mark(self.transpose_a), x[1], mark(self.transpose_b))
        };
        let (Some((batch_a, a)), Some((batch_b, b))) = (x[0].dims().split_last_chunk(), x[1].dims().split_last_chunk())
        else {
            return Err(ShapeError::new("two matrices", received(), "flatten the input to [B, features] first"));
        };
        let [m, k] = if self.transpose_a { [a[1], a[0]] } else { *a };
        let [k2, n] = if self.transpose_b { [b[1], b[0]] } else { *b };
        if k != k2 {
            let expected = "[.., m, k] × [.., k, n] with one inner size";
            return Err(ShapeError::new(expected, received(), "make the inner sizes equal, or transpose a factor"));
        }
        let batch = broadcast(&Shape::new(batch_a), &Shape::new(batch_b))?;
        Ok(Shape::new([batch.dims(), &[m, n]].concat()))
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        let (a, b, ta, tb) = (&x[0], &x[1], self.transpose_a, self.transpose_b);
        let product = |a: &Node, ta: bool, b: &Node, tb: bool| {
            a.graph().apply(MatMul { transpose_a: ta, transpose_b: tb }, &[a, b])
        };
        let da = if ta { product(b, tb, dy, true) } else { product(dy, false, b, !tb) };
        let db = if tb { product(dy, true, a, ta) } else { product(a, !ta, dy, false) };
        vec![Grad::Flow(da.sum_to(&a.shape())), Grad::Flow(db.sum_to(&b.shape()))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::MatMul { transpose_a: self.transpose_a, transpose_b: self.transpose_b }
    }

    fn onnx(&self, w: &mut Writer, x: &[Written], y: &Shape) -> Result<Written, Refusal> {
        let turned = |w: &mut Writer, x: &Written, transposed: bool| {
            let x = w.real(x);
            let mut order: Vec<usize> = (0..x.shape.rank()).collect();
            if transposed && let [.., a, b] = &mut order[..] {
                std::mem::swap(a, b);
            }
            w.ordered(&x, &order)
        };
        let inputs = vec![turned(w, &x[0], self.transpose_a), turned(w, &x[1], self.transpose_b)];
        Ok(w.node("MatMul", inputs, vec![], y, gradus_tensor::Kind::F32))
    }

    fn cases() -> Vec<Case> {
        let mut cases = vec![];
        for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
            let op = MatMul { transpose_a: ta, transpose_b: tb };
            let a = if ta { [5, 3] } else { [3, 5] };
            let b = if tb { [4, 5] } else { [5, 4] };
            cases.push(Case::new(op.clone(), [a.into(), b.into()]));
            cases.push(Case::new(op, [Shape::batched(&a), [1, b[0], b[1]].into()]));
        }
        let op = MatMul { transpose_a: false, transpose_b: false };
        cases.push(Case::new(op.clone(), [Shape::batched(&[7]), [7, 1].into()]));
        cases.push(Case::new(op, [Shape::batched(&[2, 3, 4]), [2, 4, 3].into()]));
        cases
    }
}

/// MatMul: a vector is a row on the left and a column on the right.
fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let (a, b, kind) = (n.x(0)?, n.x(1)?, n.kind(0)?);
    let (row, column) = (a.shape().rank() == 1, b.shape().rank() == 1);
    let a = if row { a.unsqueeze(0) } else { a };
    let b = if column { b.unsqueeze(1) } else { b };
    let mut y = a.matmul(&b);
    if column {
        y = y.squeeze(-1);
    }
    if row {
        y = y.squeeze(if column { -1 } else { -2 });
    }
    Ok(vec![Value::traced(y, kind)])
}
