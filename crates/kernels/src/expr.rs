//! Scalar expressions in static single assignment form: what a fused map computes for every element.
//!
//! An [`Expr`] is a list of instructions; instruction `i` defines value `i` and may use only earlier values. Ops describe
//! themselves with the [`Term`] builder, whose operators read like the formula:
//!
//! ```
//! use gradus_kernels::{Expr, Term};
//! // Leaky rectifier with slope 0.1.
//! let leaky = Expr::build(1, |x: &[Term]| x[0].max(&(&x[0] * 0.1)));
//! assert_eq!(leaky.insts().len(), 4); // input, constant, product, maximum
//! ```

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::ops::{Add, Div, Mul, Neg, Sub};
use std::rc::Rc;

/// The index of the instruction that defines a value.
pub type ValueId = u16;

/// A function of one number. NaN in gives NaN out, everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unary {
    /// -x
    Neg,
    /// |x|
    Abs,
    /// -1, 0 or 1; the sign of a zero is 0.
    Sign,
    /// eˣ
    Exp,
    /// eˣ - 1, exact near 0.
    Expm1,
    /// Natural logarithm; -∞ at 0, NaN below.
    Log,
    /// ln(1 + x), exact near 0.
    Log1p,
    /// √x
    Sqrt,
    /// 1/√x
    Rsqrt,
    /// 1/x
    Recip,
    /// x²
    Square,
    /// Hyperbolic tangent.
    Tanh,
    /// 1/(1 + e⁻ˣ)
    Sigmoid,
    /// The error function.
    Erf,
    /// ln(1 + eˣ), without overflow.
    Softplus,
    /// Sine of an angle in radians; NaN at ±∞.
    Sin,
    /// Cosine of an angle in radians; NaN at ±∞.
    Cos,
    /// The largest whole number not above x.
    Floor,
}

/// A function of two numbers. Comparisons give 1 or 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Binary {
    /// a + b
    Add,
    /// a - b
    Sub,
    /// a · b
    Mul,
    /// a / b
    Div,
    /// a to the power b.
    Pow,
    /// The larger one; NaN if either is NaN.
    Max,
    /// The smaller one; NaN if either is NaN.
    Min,
    /// a = b
    Eq,
    /// a ≠ b
    Ne,
    /// a < b
    Lt,
    /// a ≤ b
    Le,
    /// a > b
    Gt,
    /// a ≥ b
    Ge,
}

/// A distribution to draw elements from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Random {
    /// Uniform in [0, 1).
    Uniform,
    /// Standard normal.
    Normal,
    /// 1 with this probability, else 0.
    Bernoulli(f64),
}

/// One instruction; its position in the list is the value it defines.
#[derive(Clone, Copy, Debug)]
pub enum Inst {
    /// The element of operand `i`.
    Input(u16),
    /// A constant.
    Const(f64),
    /// The number of steps done so far, as a number.
    Step,
    /// The element's coordinate along a dimension of the domain.
    Index(u8),
    /// A random number made from (seed, stream, step, linear index of the element in the domain).
    Random(Random, u32),
    /// A function of one value.
    Unary(Unary, ValueId),
    /// A function of two values.
    Binary(Binary, ValueId, ValueId),
    /// `Select(c, a, b)` is a where c is not 0, else b. The branch not taken may be NaN without harm.
    Select(ValueId, ValueId, ValueId),
}

impl Inst {
    /// The values it uses.
    pub fn uses(&self) -> impl Iterator<Item = ValueId> + use<> {
        let (n, v) = match *self {
            Inst::Unary(_, a) => (1, [a, 0, 0]),
            Inst::Binary(_, a, b) => (2, [a, b, 0]),
            Inst::Select(c, a, b) => (3, [c, a, b]),
            _ => (0, [0; 3]),
        };
        v.into_iter().take(n)
    }

    /// The same instruction over renamed values.
    pub fn renamed(self, name: impl Fn(ValueId) -> ValueId) -> Inst {
        match self {
            Inst::Unary(f, a) => Inst::Unary(f, name(a)),
            Inst::Binary(f, a, b) => Inst::Binary(f, name(a), name(b)),
            Inst::Select(c, a, b) => Inst::Select(name(c), name(a), name(b)),
            leaf => leaf,
        }
    }

    fn key(&self) -> (u8, u64, u64, u64, u64) {
        match *self {
            Inst::Input(i) => (0, u64::from(i), 0, 0, 0),
            Inst::Const(c) => (1, c.to_bits(), 0, 0, 0),
            Inst::Step => (2, 0, 0, 0, 0),
            Inst::Index(d) => (3, u64::from(d), 0, 0, 0),
            Inst::Random(Random::Uniform, s) => (4, u64::from(s), 0, 0, 0),
            Inst::Random(Random::Normal, s) => (4, u64::from(s), 1, 0, 0),
            Inst::Random(Random::Bernoulli(p), s) => (4, u64::from(s), 2, p.to_bits(), 0),
            Inst::Unary(f, a) => (5, f as u64, u64::from(a), 0, 0),
            Inst::Binary(f, a, b) => (6, f as u64, u64::from(a), u64::from(b), 0),
            Inst::Select(c, a, b) => (7, u64::from(c), u64::from(a), u64::from(b), 0),
        }
    }
}

impl PartialEq for Inst {
    fn eq(&self, other: &Inst) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Inst {}

impl Hash for Inst {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

/// A scalar expression: instructions over a number of inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Expr {
    insts: Vec<Inst>,
}

impl Expr {
    /// An expression without instructions.
    pub fn new() -> Expr {
        Expr::default()
    }

    /// The expression that gives back input 0.
    pub fn identity() -> Expr {
        Expr { insts: vec![Inst::Input(0)] }
    }

    /// Builds an expression over `inputs` operands from a formula; its result is the last value.
    pub fn build(inputs: usize, formula: impl FnOnce(&[Term]) -> Term) -> Expr {
        let shared = Rc::new(RefCell::new(Expr::new()));
        let terms: Vec<Term> = (0..inputs).map(|i| Term::new(&shared, Inst::Input(i as u16))).collect();
        let result = formula(&terms).id;
        drop(terms);
        let mut expr = shared.take();
        if usize::from(result) + 1 != expr.insts.len() {
            // The result was defined earlier: close with a copy that later folding removes.
            expr.insts.push(expr.insts[usize::from(result)]);
        }
        expr
    }

    /// The instructions in order.
    pub fn insts(&self) -> &[Inst] {
        &self.insts
    }

    /// Adds an instruction, or finds the same one if it is there, and names its value.
    pub fn push(&mut self, inst: Inst) -> ValueId {
        if let Some(i) = self.insts.iter().position(|&x| x == inst) {
            return i as ValueId;
        }
        self.insts.push(inst);
        (self.insts.len() - 1) as ValueId
    }

    /// The same with another instruction for value `v`.
    pub(crate) fn with(&self, v: usize, inst: Inst) -> Expr {
        let mut insts = self.insts.clone();
        insts[v] = inst;
        Expr { insts }
    }

    /// The last value: the result of a one-output expression.
    pub fn result(&self) -> ValueId {
        (self.insts.len() - 1) as ValueId
    }

    /// Evaluates every instruction for one element in `f64`: the reference that every kernel is tested against.
    ///
    /// `index` are the element's coordinates and `random` the draw for a random instruction.
    pub fn eval(&self, inputs: &[f64], step: f64, index: &[usize], random: impl Fn(Random, u32) -> f64) -> Vec<f64> {
        let mut values: Vec<f64> = Vec::with_capacity(self.insts.len());
        for inst in &self.insts {
            let v = |i: ValueId| values[usize::from(i)];
            values.push(match *inst {
                Inst::Input(i) => inputs[usize::from(i)],
                Inst::Const(c) => c,
                Inst::Step => step,
                Inst::Index(d) => index[usize::from(d)] as f64,
                Inst::Random(kind, stream) => random(kind, stream),
                Inst::Unary(f, a) => f.eval(v(a)),
                Inst::Binary(f, a, b) => f.eval(v(a), v(b)),
                Inst::Select(c, a, b) => v(if v(c) != 0.0 { a } else { b }),
            });
        }
        values
    }
}

/// A value of an expression under construction, with the operators of a formula.
#[derive(Clone, Debug)]
pub struct Term {
    expr: Rc<RefCell<Expr>>,
    id: ValueId,
}

impl Term {
    fn new(expr: &Rc<RefCell<Expr>>, inst: Inst) -> Term {
        let id = expr.borrow_mut().push(inst);
        Term { expr: expr.clone(), id }
    }

    /// A constant in the same expression.
    pub fn constant(&self, value: f64) -> Term {
        Term::new(&self.expr, Inst::Const(value))
    }

    /// A leaf instruction (step, index, random) in the same expression.
    pub fn leaf(&self, inst: Inst) -> Term {
        Term::new(&self.expr, inst)
    }

    /// Applies a function of one number.
    pub fn unary(&self, f: Unary) -> Term {
        Term::new(&self.expr, Inst::Unary(f, self.id))
    }

    /// Applies a function of two numbers.
    pub fn binary(&self, f: Binary, other: &Term) -> Term {
        Term::new(&self.expr, Inst::Binary(f, self.id, other.id))
    }

    /// The larger of two.
    pub fn max(&self, other: &Term) -> Term {
        self.binary(Binary::Max, other)
    }

    /// The smaller of two.
    pub fn min(&self, other: &Term) -> Term {
        self.binary(Binary::Min, other)
    }

    /// 1 where this is greater than a constant, else 0.
    pub fn gt(&self, bound: f64) -> Term {
        self.binary(Binary::Gt, &self.constant(bound))
    }

    /// `a` where this is not 0, else `b`.
    pub fn select(&self, a: &Term, b: &Term) -> Term {
        Term::new(&self.expr, Inst::Select(self.id, a.id, b.id))
    }

    /// eˣ
    pub fn exp(&self) -> Term {
        self.unary(Unary::Exp)
    }

    /// x²
    pub fn square(&self) -> Term {
        self.unary(Unary::Square)
    }
}

macro_rules! operators {
    ($($Trait:ident $method:ident),*) => { $(
        impl $Trait<&Term> for &Term {
            type Output = Term;
            fn $method(self, other: &Term) -> Term { self.binary(Binary::$Trait, other) }
        }
        impl $Trait<Term> for &Term {
            type Output = Term;
            fn $method(self, other: Term) -> Term { self.binary(Binary::$Trait, &other) }
        }
        impl $Trait<&Term> for Term {
            type Output = Term;
            fn $method(self, other: &Term) -> Term { self.binary(Binary::$Trait, other) }
        }
        impl $Trait<Term> for Term {
            type Output = Term;
            fn $method(self, other: Term) -> Term { self.binary(Binary::$Trait, &other) }
        }
        impl $Trait<f64> for &Term {
            type Output = Term;
            fn $method(self, other: f64) -> Term { self.binary(Binary::$Trait, &self.constant(other)) }
        }
        impl $Trait<f64> for Term {
            type Output = Term;
            fn $method(self, other: f64) -> Term { self.binary(Binary::$Trait, &self.constant(other)) }
        }
        impl $Trait<&Term> for f64 {
            type Output = Term;
            fn $method(self, other: &Term) -> Term { other.constant(self).binary(Binary::$Trait, other) }
        }
        impl $Trait<Term> for f64 {
            type Output = Term;
            fn $method(self, other: Term) -> Term { other.constant(self).binary(Binary::$Trait, &other) }
        }
    )* };
}
operators!(Add add, Sub sub, Mul mul, Div div);

impl Neg for &Term {
    type Output = Term;
    fn neg(self) -> Term {
        self.unary(Unary::Neg)
    }
}

impl Neg for Term {
    type Output = Term;
    fn neg(self) -> Term {
        self.unary(Unary::Neg)
    }
}
