//! Which epilogues a kernel can apply to its registers: `gate · relu(scale·acc + add)`, with any of these left out.

use crate::context::Place;
use crate::instr::{MatMul, Operand};
use crate::{Binary, Inst, Unary, ValueId};

/// An epilogue that needs no program.
#[derive(Clone, Debug, PartialEq)]
pub struct Simple {
    /// A factor, and a number in memory that it is multiplied with.
    pub scale: (f64, Option<Place>),
    pub add: Option<Matrix>,
    pub relu: bool,
    pub gate: Option<Gate>,
    pub y: Place,
}

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
    let mut simple = Simple { scale: (1.0, None), add: None, relu: false, gate: None, y: store.loc.into() };
    let mut value = store.value;
    if let Some((gate, rest)) = reader.gate(value) {
        simple.gate = Some(gate);
        value = rest;
    }
    if let Some(rest) = reader.relu(value) {
        simple.relu = true;
        value = rest;
    }
    (simple.scale, simple.add) = reader.linear(value)?;
    Some(simple)
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
    fn scalar(&self, v: ValueId) -> Option<(f64, Option<Place>)> {
        if let Some(c) = self.constant(v) {
            return Some((c, None));
        }
        let x = self.operand(v)?;
        let dims = [self.product.batch, self.product.m, self.product.n];
        let single = x.strides.iter().zip(dims).all(|(&s, d)| s == 0 || d == 1);
        single.then(|| (1.0, Some(x.loc.into())))
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

    #[allow(clippy::type_complexity)]
    fn linear(&self, v: ValueId) -> Option<((f64, Option<Place>), Option<Matrix>)> {
        if let Some(scale) = self.scaled(v) {
            return Some((scale, None));
        }
        match self.inst(v) {
            Inst::Binary(Binary::Add, a, b) => match (self.scaled(a), self.scaled(b)) {
                (Some(scale), _) => Some((scale, Some(self.matrix(b)?))),
                (_, Some(scale)) => Some((scale, Some(self.matrix(a)?))),
                _ => None,
            },
            Inst::Binary(Binary::Sub, a, b) => {
                let (c, place) = self.scaled(b)?;
                Some(((-c, place), Some(self.matrix(a)?)))
            }
            _ => None,
        }
    }

    /// `scale · acc`
    fn scaled(&self, v: ValueId) -> Option<(f64, Option<Place>)> {
        match self.inst(v) {
            Inst::Input(0) => Some((1.0, None)),
            Inst::Unary(Unary::Neg, a) => self.scaled(a).map(|(c, place)| (-c, place)),
            Inst::Binary(Binary::Mul, a, b) => {
                let (scale, other) = match self.scaled(a) {
                    Some(scale) => (scale, self.scalar(b)?),
                    None => (self.scaled(b)?, self.scalar(a)?),
                };
                if scale.1.is_some() && other.1.is_some() {
                    return None;
                }
                Some((scale.0 * other.0, scale.1.or(other.1)))
            }
            _ => None,
        }
    }
}
