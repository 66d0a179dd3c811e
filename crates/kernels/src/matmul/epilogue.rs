//! Which epilogues a kernel can apply to its registers: `gate · relu(a·clamp(acc) + b·x + c·sign(x))`, with any of these left out.
//!
//! That covers biases and activations of the forward pass, and the steps of plain gradient descent with L1, L2 and clipped values.

use super::micro::Finish;
use crate::context::Place;
use crate::instr::{MatMul, Operand};
use crate::{Binary, Inst, Real, Unary, ValueId};

/// An epilogue that needs no program.
#[derive(Clone, Debug, PartialEq)]
pub struct Simple {
    pub linear: Linear,
    pub relu: bool,
    pub gate: Option<Gate>,
    pub y: Place,
}

/// `a·clamp(acc) + b·x + c·sign(x)`
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Linear {
    /// a, and the bounds of the clamp.
    acc: Option<(Coefficient, Option<(f64, f64)>)>,
    b: Coefficient,
    c: Coefficient,
    pub x: Option<Matrix>,
    /// The one number in memory that coefficients may depend on.
    pub s: Option<Place>,
}

/// `constant + factor·s`
#[derive(Clone, Copy, Debug, PartialEq)]
struct Coefficient {
    constant: f64,
    factor: f64,
}

const ZERO: Coefficient = Coefficient { constant: 0.0, factor: 0.0 };
const ONE: Coefficient = Coefficient { constant: 1.0, factor: 0.0 };

/// An operand whose columns are next to each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Matrix {
    pub place: Place,
    pub batch: usize,
    pub row: usize,
}

/// A factor that depends on whether an operand is above 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gate {
    pub on: Matrix,
    pub above: f64,
    pub below: f64,
    /// Set if a closed gate gives 0 even for what is not finite.
    pub select: bool,
}

struct Reader<'a> {
    insts: &'a [Inst],
    product: &'a MatMul,
}

/// Recognises a simple epilogue.
pub fn recognise(product: &MatMul) -> Option<Simple> {
    let [store] = &product.stores[..] else { return None };
    let reader = Reader { insts: product.epilogue.insts(), product };
    let mut value = store.value;
    let gate = reader.gate(value);
    if let Some((_, rest)) = gate {
        value = rest;
    }
    let relu = reader.relu(value);
    if let Some(rest) = relu {
        value = rest;
    }
    let linear = reader.linear(value)?;
    linear.acc?;
    Some(Simple { linear, relu: relu.is_some(), gate: gate.map(|g| g.0), y: store.loc.into() })
}

impl Simple {
    /// The epilogue's numbers, for a value of the number in memory.
    pub fn finish<T: Real>(&self, s: f64) -> Finish<T> {
        let Linear { acc, b, c, .. } = self.linear;
        let (a, clamp) = acc.unwrap_or((ONE, None));
        let (low, high) = clamp.unwrap_or((f64::NEG_INFINITY, f64::INFINITY));
        let number = T::from_f64;
        Finish {
            clamped: clamp.is_some(),
            low: number(low),
            high: number(high),
            scale: number(a.at(s)),
            scaled: a != ONE,
            keep: number(b.at(s)),
            sign: number(c.at(s)),
            shaped: b != ONE || c != ZERO,
            relu: self.relu,
            above: number(self.gate.map_or(1.0, |g| g.above)),
            below: number(self.gate.map_or(0.0, |g| g.below)),
            select: self.gate.is_some_and(|g| g.select),
        }
    }
}

impl Coefficient {
    fn at(self, s: f64) -> f64 {
        if self.factor == 0.0 { self.constant } else { self.constant + self.factor * s }
    }

    fn times(self, other: Coefficient) -> Option<Coefficient> {
        (self.factor == 0.0 || other.factor == 0.0).then_some(Coefficient {
            constant: self.constant * other.constant,
            factor: self.constant * other.factor + self.factor * other.constant,
        })
    }

    fn plus(self, other: Coefficient) -> Coefficient {
        Coefficient { constant: self.constant + other.constant, factor: self.factor + other.factor }
    }
}

impl Linear {
    const NOTHING: Linear = Linear { acc: None, b: ZERO, c: ZERO, x: None, s: None };

    fn times(self, k: Coefficient, s: Option<Place>) -> Option<Linear> {
        let acc = match self.acc {
            Some((a, clamp)) => Some((a.times(k)?, clamp)),
            None => None,
        };
        Some(Linear { acc, b: self.b.times(k)?, c: self.c.times(k)?, x: self.x, s: one_of(self.s, s)? })
    }

    fn plus(self, other: Linear) -> Option<Linear> {
        if self.acc.is_some() && other.acc.is_some() {
            return None;
        }
        Some(Linear {
            acc: self.acc.or(other.acc),
            b: self.b.plus(other.b),
            c: self.c.plus(other.c),
            x: one_of(self.x, other.x)?,
            s: one_of(self.s, other.s)?,
        })
    }
}

/// The one that is there, if they are not two different ones.
fn one_of<X: PartialEq>(a: Option<X>, b: Option<X>) -> Option<Option<X>> {
    match (a, b) {
        (Some(a), Some(b)) => (a == b).then_some(Some(a)),
        (a, b) => Some(a.or(b)),
    }
}

impl Reader<'_> {
    fn inst(&self, v: ValueId) -> Inst {
        self.insts[usize::from(v)]
    }

    fn constant(&self, v: ValueId) -> Option<f64> {
        if let Inst::Const(c) = self.inst(v) { Some(c) } else { None }
    }

    fn operand(&self, v: ValueId) -> Option<&Operand> {
        match self.inst(v) {
            Inst::Input(i) if i > 0 => Some(&self.product.inputs[usize::from(i) - 1]),
            _ => None,
        }
    }

    fn matrix(&self, v: ValueId) -> Option<Matrix> {
        let x = self.operand(v)?;
        let place = x.loc.into();
        (x.strides[2] == 1 || self.product.n == 1).then_some(Matrix { place, batch: x.strides[0], row: x.strides[1] })
    }

    /// A number for the whole result.
    fn scalar(&self, v: ValueId) -> Option<(Coefficient, Option<Place>)> {
        if let Some(constant) = self.constant(v) {
            return Some((Coefficient { constant, factor: 0.0 }, None));
        }
        let x = self.operand(v)?;
        let dims = [self.product.batch, self.product.m, self.product.n];
        let single = x.strides.iter().zip(dims).all(|(&s, d)| s == 0 || d == 1);
        single.then(|| (Coefficient { constant: 0.0, factor: 1.0 }, Some(x.loc.into())))
    }

    /// `f(operand > 0)` as a pair of factors.
    fn factors(&self, v: ValueId) -> Option<(Matrix, f64, f64)> {
        match self.inst(v) {
            Inst::Binary(Binary::Gt, x, zero) if self.constant(zero) == Some(0.0) => Some((self.matrix(x)?, 1.0, 0.0)),
            Inst::Binary(Binary::Lt, zero, x) if self.constant(zero) == Some(0.0) => Some((self.matrix(x)?, 1.0, 0.0)),
            Inst::Select(c, a, b) => {
                let (on, above, below) = self.factors(c)?;
                // A condition is 1 or 0.
                (above == 1.0 && below == 0.0).then_some((on, self.constant(a)?, self.constant(b)?))
            }
            _ => None,
        }
    }

    fn gate(&self, v: ValueId) -> Option<(Gate, ValueId)> {
        match self.inst(v) {
            Inst::Binary(Binary::Mul, a, b) => {
                let (factor, rest) = match (self.factors(b), self.factors(a)) {
                    (Some(f), _) => (f, a),
                    (_, Some(f)) => (f, b),
                    _ => return None,
                };
                Some((Gate { on: factor.0, above: factor.1, below: factor.2, select: false }, rest))
            }
            Inst::Select(c, a, zero) if self.constant(zero) == Some(0.0) => {
                let (on, above, below) = self.factors(c)?;
                (above == 1.0 && below == 0.0).then_some((Gate { on, above, below, select: true }, a))
            }
            _ => None,
        }
    }

    fn relu(&self, v: ValueId) -> Option<ValueId> {
        match self.inst(v) {
            Inst::Binary(Binary::Max, a, zero) if self.constant(zero) == Some(0.0) => Some(a),
            Inst::Binary(Binary::Max, zero, a) if self.constant(zero) == Some(0.0) => Some(a),
            _ => None,
        }
    }

    /// The bounds of a clamped product.
    fn clamped(&self, v: ValueId) -> Option<(f64, f64)> {
        let bound = |v: ValueId, f: Binary| match self.inst(v) {
            Inst::Binary(g, a, b) if g == f => match (self.constant(a), self.constant(b)) {
                (None, Some(c)) => Some((a, c)),
                (Some(c), None) => Some((b, c)),
                _ => None,
            },
            _ => None,
        };
        let (inside, high) = bound(v, Binary::Min)?;
        let (inside, low) = bound(inside, Binary::Max)?;
        (self.inst(inside) == Inst::Input(0) && low <= high).then_some((low, high))
    }

    fn linear(&self, v: ValueId) -> Option<Linear> {
        if let Some(bounds) = self.clamped(v) {
            return Some(Linear { acc: Some((ONE, Some(bounds))), ..Linear::NOTHING });
        }
        match self.inst(v) {
            Inst::Input(0) => Some(Linear { acc: Some((ONE, None)), ..Linear::NOTHING }),
            Inst::Input(_) => Some(Linear { x: Some(self.matrix(v)?), b: ONE, ..Linear::NOTHING }),
            Inst::Unary(Unary::Sign, x) => Some(Linear { x: Some(self.matrix(x)?), c: ONE, ..Linear::NOTHING }),
            Inst::Unary(Unary::Neg, x) => self.linear(x)?.times(Coefficient { constant: -1.0, factor: 0.0 }, None),
            Inst::Binary(Binary::Add, a, b) => self.linear(a)?.plus(self.linear(b)?),
            Inst::Binary(Binary::Sub, a, b) => {
                let minus = self.linear(b)?.times(Coefficient { constant: -1.0, factor: 0.0 }, None)?;
                self.linear(a)?.plus(minus)
            }
            Inst::Binary(Binary::Mul, a, b) => {
                let ((k, s), rest) = match self.scalar(a) {
                    Some(k) => (k, b),
                    None => (self.scalar(b)?, a),
                };
                self.linear(rest)?.times(k, s)
            }
            _ => None,
        }
    }
}
