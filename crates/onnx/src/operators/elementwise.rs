//! Formulas over single elements that no op of the graph stands for.

use gradus_graph::Node;
use gradus_graph::ShapeError;
use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_tensor::Kind;

type Values = Result<Vec<Value>, ShapeError>;

const fn op(name: &'static str, read: fn(&OnnxNode) -> Values) -> OnnxOp {
    OnnxOp { name, read }
}

pub(super) const ONNX: &[OnnxOp] = &[
    op("Ceil", |n| n.unary(|x| -(-x).floor())),
    op("Round", |n| n.unary(round)),
    op("Tan", |n| n.unary(|x| x.sin() / x.cos())),
    op("Sinh", |n| n.unary(|x| (x.expm1() - (-x).expm1()) * 0.5)),
    op("Cosh", |n| n.unary(|x| (x.exp() + (-x).exp()) * 0.5)),
    op("Asinh", |n| n.unary(|x| x.sign() * asinh(&x.abs()))),
    op("Acosh", |n| n.unary(|x| (x + ((x - 1.0) * (x + 1.0)).sqrt()).log())),
    op("Atanh", |n| n.unary(|x| (x.log1p() - (-x).log1p()) * 0.5)),
    op("Selu", selu),
    op("Celu", celu),
    op("Gelu", gelu),
    op("Mish", |n| n.unary(|x| x * x.softplus().tanh())),
    op("Swish", |n| with(n, "alpha", 1.0, |x, alpha| x * (x * alpha).sigmoid())),
    op("Softsign", |n| n.unary(|x| x / (x.abs() + 1.0))),
    op("HardSigmoid", hard_sigmoid),
    op("HardSwish", |n| n.unary(|x| x * (x * (1.0 / 6.0) + 0.5).clamp(0.0, 1.0))),
    op("ThresholdedRelu", |n| with(n, "alpha", 1.0, |x, alpha| x.gt(alpha).select(x, 0.0))),
    op("Shrink", shrink),
    op("PRelu", |n| n.binary(|x, slope| x.lt(0.0).select(&(x * slope), x))),
    op("Sum", |n| n.folded(|a, b| a + b)),
    op("Mean", mean),
    op("Mod", modulo),
    op("Identity", |n| Ok(vec![n.value(0)?.clone()])),
    op("IsNaN", |n| truth(n, |x| x.ne(x))),
    op("IsInf", is_infinite),
    op("Not", |n| truth(n, |x| x.eq(0.0))),
    op("And", |n| n.compare(|a, b| a.ne(0.0) * b.ne(0.0))),
    op("Or", |n| n.compare(|a, b| a.ne(0.0).maximum(b.ne(0.0)))),
    op("Xor", |n| n.compare(|a, b| a.ne(0.0).ne(b.ne(0.0)))),
];

/// To the nearest whole number, from the middle to the even one.
fn round(x: &Node) -> Node {
    let below = x.floor();
    let (rest, half) = (x - &below, &below * 0.5);
    let odd = half.floor().ne(half);
    let up = rest.gt(0.5).maximum(rest.eq(0.5) * odd);
    below + up
}

/// For x ≥ 0, exact near 0: `ln(1 + x + x²/(1 + √(1 + x²)))`.
fn asinh(x: &Node) -> Node {
    let square = x.square();
    (x + &square / ((&square + 1.0).sqrt() + 1.0)).log1p()
}

fn with(n: &OnnxNode, name: &str, usual: f64, f: impl FnOnce(&Node, f64) -> Node) -> Values {
    let value = n.float(name)?.unwrap_or(usual);
    n.unary(|x| f(x, value))
}

fn truth(n: &OnnxNode, f: impl FnOnce(&Node) -> Node) -> Values {
    Ok(n.unary(f)?.into_iter().map(|value| value.of_kind(Kind::Bool)).collect())
}

fn selu(n: &OnnxNode) -> Values {
    let alpha = n.float("alpha")?.unwrap_or(1.673_263_2);
    let gamma = n.float("gamma")?.unwrap_or(1.050_701);
    n.unary(|x| x.elu(alpha) * gamma)
}

/// `max(0, x) + min(0, α(e^(x/α) - 1))`
fn celu(n: &OnnxNode) -> Values {
    with(n, "alpha", 1.0, |x, alpha| x.relu() + ((x * (1.0 / alpha)).expm1() * alpha).minimum(0.0))
}

fn gelu(n: &OnnxNode) -> Values {
    match n.text("approximate")?.unwrap_or("none") {
        "none" => n.unary(|x| x * ((x * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5),
        "tanh" => {
            let scale = (2.0 / std::f64::consts::PI).sqrt();
            n.unary(|x| x * (((x + x.square() * x * 0.044715) * scale).tanh() + 1.0) * 0.5)
        }
        other => Err(ShapeError::new("approximate none or tanh", format!("`{other}`"), "write the file again")),
    }
}

fn hard_sigmoid(n: &OnnxNode) -> Values {
    let (alpha, beta) = (n.float("alpha")?.unwrap_or(0.2), n.float("beta")?.unwrap_or(0.5));
    n.unary(|x| (x * alpha + beta).clamp(0.0, 1.0))
}

/// Towards 0 by `bias` beyond `lambd`, 0 between.
fn shrink(n: &OnnxNode) -> Values {
    let (bias, lambd) = (n.float("bias")?.unwrap_or(0.0), n.float("lambd")?.unwrap_or(0.5));
    n.unary(|x| x.lt(-lambd).select(x + bias, x.gt(lambd).select(x - bias, 0.0)))
}

fn mean(n: &OnnxNode) -> Values {
    let (nodes, _) = n.aligned()?;
    let sum = n.folded(|a, b| a + b)?;
    let share = 1.0 / nodes.len() as f64;
    Ok(sum.into_iter().map(|value| scaled(value, share)).collect())
}

fn scaled(value: Value, factor: f64) -> Value {
    match value {
        Value::Traced(mut traced) => {
            traced.node = traced.node * factor;
            Value::Traced(traced)
        }
        other => other,
    }
}

/// What is left of a division: of the divisor's sign, or with `fmod` of the dividend's.
fn modulo(n: &OnnxNode) -> Values {
    let as_dividend = n.int("fmod")?.unwrap_or(0) != 0;
    n.binary(|a, b| {
        let quotient = a / b;
        let whole = if as_dividend { quotient.sign() * quotient.abs().floor() } else { quotient.floor() };
        a - whole * b
    })
}

fn is_infinite(n: &OnnxNode) -> Values {
    let [above, below] = [n.int("detect_positive")?.unwrap_or(1), n.int("detect_negative")?.unwrap_or(1)];
    truth(n, |x| match (above != 0, below != 0) {
        (true, true) => x.abs().eq(f64::INFINITY),
        (true, false) => x.eq(f64::INFINITY),
        (false, true) => x.eq(f64::NEG_INFINITY),
        (false, false) => x.abs().lt(0.0),
    })
}
