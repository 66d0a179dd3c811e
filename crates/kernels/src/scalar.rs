//! The scalar meaning of every function of an expression, in `f64`: the reference for the vector kernels.

use crate::expr::{Binary, Unary};

impl Unary {
    /// The function's value.
    pub fn eval(self, x: f64) -> f64 {
        match self {
            Unary::Neg => -x,
            Unary::Abs => x.abs(),
            Unary::Sign if x == 0.0 => 0.0,
            Unary::Sign => x.signum(),
            Unary::Exp => x.exp(),
            Unary::Expm1 => x.exp_m1(),
            Unary::Log => x.ln(),
            Unary::Log1p => x.ln_1p(),
            Unary::Sqrt => x.sqrt(),
            Unary::Rsqrt => 1.0 / x.sqrt(),
            Unary::Recip => 1.0 / x,
            Unary::Square => x * x,
            Unary::Tanh => x.tanh(),
            Unary::Sigmoid if x >= 0.0 => 1.0 / (1.0 + (-x).exp()),
            Unary::Sigmoid => {
                let e = x.exp();
                e / (1.0 + e)
            }
            Unary::Erf => erf(x),
            Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p() + if x.is_nan() { x } else { 0.0 },
            Unary::Sin => x.sin(),
            Unary::Cos => x.cos(),
            Unary::Floor => x.floor(),
        }
    }
}

impl Binary {
    /// The function's value.
    pub fn eval(self, a: f64, b: f64) -> f64 {
        let flag = |c: bool| f64::from(u8::from(c));
        match self {
            Binary::Add => a + b,
            Binary::Sub => a - b,
            Binary::Mul => a * b,
            Binary::Div => a / b,
            Binary::Pow => a.powf(b),
            Binary::Max | Binary::Min if a.is_nan() || b.is_nan() => f64::NAN,
            Binary::Max => a.max(b),
            Binary::Min => a.min(b),
            Binary::Eq => flag(a == b),
            Binary::Ne => flag(a != b),
            Binary::Lt => flag(a < b),
            Binary::Le => flag(a <= b),
            Binary::Gt => flag(a > b),
            Binary::Ge => flag(a >= b),
        }
    }
}

/// `erf(x) = 2/√π · e^(-x²) · Σ 2ⁿ x^(2n+1) / (2n+1)!!` (Abramowitz & Stegun 7.1.6): all terms of one sign, so nothing cancels.
fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    while term.abs() > 1e-17 * sum.abs() {
        n += 1.0;
        term *= 2.0 * x * x / (2.0 * n + 1.0);
        sum += term;
    }
    std::f64::consts::FRAC_2_SQRT_PI * (-x * x).exp() * sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erf_values() {
        for (x, y) in [
            (0.5, 0.5204998778130465),
            (1.0, 0.8427007929497149),
            (3.0, 0.9999779095030014),
            (-0.1, -0.1124629160182849),
        ] {
            assert!((erf(x) - y).abs() < 1e-15, "{x}: {} {y}", erf(x));
        }
        assert!(erf(f64::NAN).is_nan());
    }
}
