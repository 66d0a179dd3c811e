//! The instructions of a tile program: one loop over a tile each.

use super::stages::Stage;
use crate::context::Slot;
use crate::simd::{Entry, Kernel, Simd, entry};
use crate::{Binary, Isa, Real, Unary};
use std::marker::PhantomData;

/// The most results of a loop.
pub const RESULTS: usize = 3;
/// The most operands of a loop.
pub const OPERANDS: usize = 12;

/// One loop: `dst… = f(src…)` over the elements of a tile.
pub struct TileOp<T> {
    pub run: Entry<Slot<T>, TileOp<T>>,
    pub dst: [u16; RESULTS],
    pub src: [u16; OPERANDS],
    /// What a chain does.
    pub stages: Vec<Stage>,
}

/// What a loop computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum OpKind {
    Unary(Unary),
    Binary(Binary),
    /// `a`
    Copy,
    /// `a·b + c`
    MulAdd,
    /// `c - a·b`
    SubMul,
    /// `a·b - c`
    MulSub,
    /// The larger one where `a` is never NaN.
    MaxConst,
    /// The smaller one where `a` is never NaN.
    MinConst,
    /// `c` where `a ≠ 0`, else `b`: the operands are (a, c, b).
    Select,
    /// `c` where `a < b`, else `d`.
    SelectLt,
    /// `c` where `a ≤ b`, else `d`.
    SelectLe,
    /// `(1 - a²)·b`: the slope of the hyperbolic tangent times what flows back.
    TanhGrad,
    /// `a·b + c·d`
    TwoProducts,
    /// `a·b + c²·d`
    ProductAndSquare,
    /// `√a + b`
    RootAdd,
    /// `√(a·b) + c`
    RootMulAdd,
    /// `d - c·(a/b)`
    SubMulDiv,
    /// `d - (a·b)/c`
    SubDivMul,
    /// The step of Adam: both moments and the parameter.
    Moments {
        /// The root has a factor.
        scaled: bool,
        /// The parameter has a factor.
        shrunk: bool,
    },
}

trait Formula<T: Real> {
    const ARITY: usize;
    /// # Safety
    /// As [`Simd`].
    unsafe fn apply<S: Simd<T = T>>(x: [S::V; 4]) -> S::V;
}

struct Each<F>(PhantomData<F>);

impl<T: Real, F: Formula<T>> Kernel<T> for Each<F> {
    type A = Slot<T>;
    type B = TileOp<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(slots: *const Slot<T>, op: *const TileOp<T>, n: usize) {
        // SAFETY: the program's slots hold `n` elements, or one vector where the step is 0.
        unsafe {
            let op = &*op;
            let exact = (*slots.add(usize::from(op.dst[0]))).exact;
            let dst = (*slots.add(usize::from(op.dst[0]))).at;
            let mut x = [*slots.add(usize::from(op.src[0])); 4];
            let mut i = 1;
            while i < F::ARITY {
                x[i] = *slots.add(usize::from(op.src[i]));
                i += 1;
            }
            let mut rest = n;
            let mut dst = dst;
            while rest >= S::LANES {
                let mut v = [S::load(x[0].at); 4];
                x[0].at = x[0].at.add(x[0].step as usize * S::LANES);
                let mut i = 1;
                while i < F::ARITY {
                    v[i] = S::load(x[i].at);
                    x[i].at = x[i].at.add(x[i].step as usize * S::LANES);
                    i += 1;
                }
                S::store(dst, F::apply::<S>(v));
                dst = dst.add(S::LANES);
                rest -= S::LANES;
            }
            if rest > 0 {
                let some = S::first(rest);
                let first = if x[0].exact { S::load_some(x[0].at, some) } else { S::load(x[0].at) };
                let mut v = [first; 4];
                let mut i = 1;
                while i < F::ARITY {
                    v[i] = if x[i].exact { S::load_some(x[i].at, some) } else { S::load(x[i].at) };
                    i += 1;
                }
                let y = F::apply::<S>(v);
                if exact { S::store_some(dst, y, some) } else { S::store(dst, y) }
            }
        }
    }
}

/// `m = a·m + b·g; v = c·v + d·g²; w = shrink·w - rate·m/(scale·√v + ε)`, with the factors that the kind has.
///
/// Operands: the four tiles m, v, g, w; then, all of them one number, a, b, c, d, scale, ε, rate, shrink.
struct Moments<const SCALED: bool, const SHRUNK: bool>;

impl<const SCALED: bool, const SHRUNK: bool> Moments<SCALED, SHRUNK> {
    /// # Safety
    /// As [`Simd`].
    #[inline(always)]
    unsafe fn apply<S: Simd>([m, v, g, w]: [S::V; 4], k: &[S::V; 8]) -> [S::V; RESULTS] {
        // SAFETY: the caller's.
        unsafe {
            let m = S::fma(k[0], m, S::mul(k[1], g));
            let v = S::fma(k[2], v, S::mul(S::mul(g, g), k[3]));
            let root = S::sqrt(v);
            let below = if SCALED { S::fma(k[4], root, k[5]) } else { S::add(root, k[5]) };
            let change = S::div(S::mul(k[6], m), below);
            let w = if SHRUNK { S::fma(k[7], w, S::sub(S::zero(), change)) } else { S::sub(w, change) };
            [m, v, w]
        }
    }
}

impl<T: Real, const SCALED: bool, const SHRUNK: bool> Kernel<T> for Moments<SCALED, SHRUNK> {
    type A = Slot<T>;
    type B = TileOp<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(slots: *const Slot<T>, op: *const TileOp<T>, n: usize) {
        // SAFETY: the program's slots hold `n` elements, or one vector where the operand is one number.
        unsafe {
            let op = &*op;
            let slot = |i: u16| &*slots.add(usize::from(i));
            let x = [slot(op.src[0]), slot(op.src[1]), slot(op.src[2]), slot(op.src[3])];
            let y = [slot(op.dst[0]), slot(op.dst[1]), slot(op.dst[2])];
            let steps = x.map(|x| x.step as usize);
            let mut k = [S::zero(); 8];
            for i in 0..8 {
                k[i] = S::load(slot(op.src[4 + i]).at);
            }
            let mut i = 0;
            while i + S::LANES <= n {
                let load = |j: usize| S::load(x[j].at.add(i * steps[j]));
                let [m, v, w] = Self::apply::<S>([load(0), load(1), load(2), load(3)], &k);
                S::store(y[0].at.add(i), m);
                S::store(y[1].at.add(i), v);
                S::store(y[2].at.add(i), w);
                i += S::LANES;
            }
            if i < n {
                let some = S::first(n - i);
                let load = |j: usize| S::load_some(x[j].at.add(i * steps[j]), some);
                let [m, v, w] = Self::apply::<S>([load(0), load(1), load(2), load(3)], &k);
                S::store_some(y[0].at.add(i), m, some);
                S::store_some(y[1].at.add(i), v, some);
                S::store_some(y[2].at.add(i), w, some);
            }
        }
    }
}

macro_rules! formulas {
    ($($Name:ident $arity:literal $x:ident => $e:expr;)*) => { $(
        struct $Name;
        impl<T: Real> Formula<T> for $Name {
            const ARITY: usize = $arity;
            #[inline(always)]
            #[allow(unused_unsafe)] // one formula does nothing
            unsafe fn apply<S: Simd<T = T>>($x: [S::V; 4]) -> S::V {
                // SAFETY: the caller's.
                unsafe { $e }
            }
        }
    )* };
}

formulas! {
    Copy 1 x => x[0];
    Neg 1 x => S::mul(x[0], S::number(-1.0));
    Abs 1 x => S::abs(x[0]);
    Sign 1 x => {
        let zero = S::fma(x[0], S::zero(), S::zero());
        let below = S::select(S::lt(x[0], S::zero()), S::number(-1.0), zero);
        S::select(S::lt(S::zero(), x[0]), S::number(1.0), below)
    };
    Exp 1 x => T::exp::<S>(x[0]);
    Expm1 1 x => T::expm1::<S>(x[0]);
    Log 1 x => T::log::<S>(x[0]);
    Log1p 1 x => T::log1p::<S>(x[0]);
    Sqrt 1 x => S::sqrt(x[0]);
    Rsqrt 1 x => S::div(S::number(1.0), S::sqrt(x[0]));
    Recip 1 x => S::div(S::number(1.0), x[0]);
    Square 1 x => S::mul(x[0], x[0]);
    Tanh 1 x => T::tanh::<S>(x[0]);
    Sigmoid 1 x => T::sigmoid::<S>(x[0]);
    Erf 1 x => T::erf::<S>(x[0]);
    Softplus 1 x => T::softplus::<S>(x[0]);
    Sin 1 x => T::sin::<S>(x[0]);
    Cos 1 x => T::cos::<S>(x[0]);
    Floor 1 x => S::floor(x[0]);
    Add 2 x => S::add(x[0], x[1]);
    Sub 2 x => S::sub(x[0], x[1]);
    Mul 2 x => S::mul(x[0], x[1]);
    Div 2 x => S::div(x[0], x[1]);
    Pow 2 x => T::pow::<S>(x[0], x[1]);
    Max 2 x => S::max(x[0], x[1]);
    Min 2 x => S::min(x[0], x[1]);
    Eq 2 x => S::select(S::eq(x[0], x[1]), S::number(1.0), S::zero());
    Ne 2 x => S::select(S::eq(x[0], x[1]), S::zero(), S::number(1.0));
    Lt 2 x => S::select(S::lt(x[0], x[1]), S::number(1.0), S::zero());
    Le 2 x => S::select(S::le(x[0], x[1]), S::number(1.0), S::zero());
    Gt 2 x => S::select(S::lt(x[1], x[0]), S::number(1.0), S::zero());
    Ge 2 x => S::select(S::le(x[1], x[0]), S::number(1.0), S::zero());
    MulAdd 3 x => S::fma(x[0], x[1], x[2]);
    SubMul 3 x => S::fnma(x[0], x[1], x[2]);
    MulSub 3 x => S::fma(x[0], x[1], S::sub(S::zero(), x[2]));
    MaxConst 2 x => S::max_or_b(x[0], x[1]);
    MinConst 2 x => S::min_or_b(x[0], x[1]);
    Select 3 x => S::select(S::eq(x[0], S::zero()), x[2], x[1]);
    SelectLt 4 x => S::select(S::lt(x[0], x[1]), x[2], x[3]);
    SelectLe 4 x => S::select(S::le(x[0], x[1]), x[2], x[3]);
    TwoProducts 4 x => S::fma(x[0], x[1], S::mul(x[2], x[3]));
    ProductAndSquare 4 x => S::fma(x[0], x[1], S::mul(S::mul(x[2], x[2]), x[3]));
    RootAdd 2 x => S::add(S::sqrt(x[0]), x[1]);
    RootMulAdd 3 x => S::add(S::sqrt(S::mul(x[0], x[1])), x[2]);
    SubMulDiv 4 x => S::fnma(x[2], S::div(x[0], x[1]), x[3]);
    SubDivMul 4 x => S::sub(x[3], S::div(S::mul(x[0], x[1]), x[2]));
    TanhGrad 2 x => S::mul(S::fnma(x[0], x[0], S::number(1.0)), x[1]);
}

/// The loop for an instruction set.
pub fn loop_of<T: Real>(kind: OpKind, isa: Isa) -> Entry<Slot<T>, TileOp<T>> {
    macro_rules! pick {
        ($($pattern:pat => $Name:ident),* $(,)?) => {
            match kind {
                $( $pattern => entry::<T, Each<$Name>>(isa), )*
                OpKind::Moments { scaled: false, shrunk: false } => entry::<T, Moments<false, false>>(isa),
                OpKind::Moments { scaled: false, shrunk: true } => entry::<T, Moments<false, true>>(isa),
                OpKind::Moments { scaled: true, shrunk: false } => entry::<T, Moments<true, false>>(isa),
                OpKind::Moments { scaled: true, shrunk: true } => entry::<T, Moments<true, true>>(isa),
            }
        };
    }
    use OpKind::{Binary as B, Unary as U};
    pick! {
        OpKind::Copy => Copy,
        U(Unary::Neg) => Neg, U(Unary::Abs) => Abs, U(Unary::Sign) => Sign, U(Unary::Exp) => Exp,
        U(Unary::Expm1) => Expm1, U(Unary::Log) => Log, U(Unary::Log1p) => Log1p, U(Unary::Sqrt) => Sqrt,
        U(Unary::Rsqrt) => Rsqrt, U(Unary::Recip) => Recip, U(Unary::Square) => Square, U(Unary::Tanh) => Tanh,
        U(Unary::Sigmoid) => Sigmoid, U(Unary::Erf) => Erf, U(Unary::Softplus) => Softplus, U(Unary::Floor) => Floor,
        U(Unary::Sin) => Sin, U(Unary::Cos) => Cos,
        B(Binary::Add) => Add, B(Binary::Sub) => Sub, B(Binary::Mul) => Mul, B(Binary::Div) => Div,
        B(Binary::Pow) => Pow, B(Binary::Max) => Max, B(Binary::Min) => Min, B(Binary::Eq) => Eq,
        B(Binary::Ne) => Ne, B(Binary::Lt) => Lt, B(Binary::Le) => Le, B(Binary::Gt) => Gt, B(Binary::Ge) => Ge,
        OpKind::MulAdd => MulAdd, OpKind::SubMul => SubMul, OpKind::MulSub => MulSub,
        OpKind::MaxConst => MaxConst, OpKind::MinConst => MinConst, OpKind::Select => Select,
        OpKind::SelectLt => SelectLt, OpKind::SelectLe => SelectLe,
        OpKind::TanhGrad => TanhGrad, OpKind::TwoProducts => TwoProducts,
        OpKind::ProductAndSquare => ProductAndSquare, OpKind::RootAdd => RootAdd, OpKind::RootMulAdd => RootMulAdd,
        OpKind::SubMulDiv => SubMulDiv, OpKind::SubDivMul => SubDivMul,
    }
}
