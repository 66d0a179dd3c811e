//! How far the vector functions of `f32` are from the truth, in units in the last place.

use gradus_kernels::instr::*;
use gradus_kernels::{Bindings, Code, Expr, Isa, Pool, Sizes, Term, Unary};

/// One unit in the last place of the `f32` nearest to `x`.
fn ulp(x: f64) -> f64 {
    let x = (x.abs() as f32).clamp(f32::MIN_POSITIVE, f32::MAX);
    f64::from(f32::from_bits(x.to_bits() + 1)) - f64::from(x)
}

/// Every 9973rd `f32` of both signs, and -20 to 20 in steps of 1/8192.
fn sweep() -> Vec<f32> {
    let bits = (0..0x7f80_0000u32).step_by(9973).flat_map(|b| [f32::from_bits(b), -f32::from_bits(b)]);
    bits.chain((-160_000..160_000).map(|i| i as f32 / 8192.0)).collect()
}

fn run(f: Unary, isa: Isa, x: &[f32]) -> Vec<f32> {
    let map = Map {
        dims: vec![x.len()],
        expr: Expr::build(1, |x: &[Term]| x[0].unary(f)),
        inputs: vec![Operand { loc: Loc { space: Space::Input(0), offset: 0 }, strides: vec![1] }],
        stores: vec![Store { value: 1, loc: Loc { space: Space::Arena, offset: 0 }, reduce: None }],
    };
    let sizes = Sizes { arena: x.len(), inputs: vec![x.len()], ..Sizes::default() };
    let mut y = vec![0.0; x.len()];
    let mut code = Code::new(vec![Instr::Map(map)], sizes, vec![], isa, 1).expect("valid");
    let memory = Bindings { arena: &mut y, consts: &[], state: &mut [], inputs: &[x] };
    code.run(memory, 0, 0, 1, &mut [], &Pool::new(1)).expect("no guard");
    y
}

#[test]
fn functions_are_accurate() {
    let x = sweep();
    for isa in Isa::available() {
        for (f, most) in [
            (Unary::Exp, 1.2),
            (Unary::Expm1, 2.0),
            (Unary::Log, 1.2),
            (Unary::Log1p, 2.0),
            (Unary::Tanh, 3.0),
            (Unary::Sigmoid, 2.5),
            (Unary::Erf, 2.0),
            (Unary::Softplus, 2.5),
            (Unary::Sin, 0.7),
            (Unary::Cos, 0.7),
            (Unary::Sqrt, 0.51),
            (Unary::Rsqrt, 1.6),
            (Unary::Recip, 0.51),
        ] {
            let y = run(f, isa, &x);
            let (mut worst, mut at, mut sum) = (0.0, 0.0, 0.0);
            for (&x, &y) in x.iter().zip(&y) {
                let want = f.eval(f64::from(x));
                if want.is_nan() || f64::from(want as f32).is_infinite() {
                    assert!(
                        y.is_nan() == want.is_nan() && (want.is_nan() || y == want as f32),
                        "{f:?}({x}): {y} for {want}"
                    );
                    continue;
                }
                let error = (f64::from(y) - want).abs() / ulp(want);
                sum += error;
                if error > worst || error.is_nan() {
                    (worst, at) = (error, x);
                }
            }
            println!("{isa} {f:?}: at most {worst:.2} ulp (at {at:e}), mean {:.2}", sum / x.len() as f64);
            assert!(worst <= most, "{isa} {f:?}: {worst} ulp at {at:e}");
        }
    }
}
