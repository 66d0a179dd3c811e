//! Chains of cheap loops run as one: some vectors at a time go through all of them and stay in the processor's registers.
//!
//! A chain is a list of [`Stage`]s over a few vectors side by side, the running value. What a stage is, is looked up once for all of
//! these vectors; operands come from slots as they do for single loops.

use super::ops::TileOp;
use crate::Real;
use crate::context::Slot;
use crate::simd::{Kernel, Simd};
use std::marker::PhantomData;

/// The most operands of a stage besides the running value.
pub const OPERANDS: usize = 3;

/// What a stage does with the running value `x` and its operands `a`, `b`, `c`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// `x = a`
    Load,
    /// Writes `x` to `a`.
    Store,
    /// Adds `x` to the row of so many columns at `a`.
    SumColumns,
    Neg,
    Abs,
    Square,
    Sqrt,
    Rsqrt,
    Recip,
    /// `x + a`
    Add,
    /// `x - a`
    Sub,
    /// `a - x`
    SubFrom,
    /// `x·a`
    Mul,
    /// `x / a`
    Div,
    /// `a / x`
    DivInto,
    Max,
    Min,
    /// The larger one where `a` is never NaN.
    MaxConst,
    /// The smaller one where `a` is never NaN.
    MinConst,
    /// 1 where `x = a`, else 0.
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    /// `x·a + b`
    MulAdd,
    /// `a·b + x`
    AddProduct,
    /// `x·a - b`
    MulSub,
    /// `a·b - x`
    ProductSub,
    /// `b - x·a`
    SubMul,
    /// `x - a·b`
    SubProduct,
    /// `a` where `x ≠ 0`, else `b`.
    Select,
    /// `b` where `x < a`, else `c`.
    IfLt,
    /// `b` where `x ≤ a`, else `c`.
    IfLe,
    /// `b` where `x > a`, else `c`.
    IfGt,
    /// `b` where `x ≥ a`, else `c`.
    IfGe,
    /// `x` where `a < b`, else `c`.
    KeepLt,
    /// `x` where `a ≤ b`, else `c`.
    KeepLe,
    /// `c` where `a < b`, else `x`.
    ElseLt,
    /// `c` where `a ≤ b`, else `x`.
    ElseLe,
    /// `x·a + b·c`
    TwoProducts,
    /// `(1 - x²)·a`
    Slope,
    /// `(1 - a²)·x`
    TimesSlope,
}

/// A step of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    pub code: Code,
    /// For every operand: after how many vectors it repeats itself, 0 if never.
    pub periods: [u8; OPERANDS],
    /// Slots of the operands.
    pub slots: [u16; OPERANDS],
    /// Columns of a sum.
    pub columns: usize,
}

/// How many vectors are side by side: with an operand they take half the registers.
pub const fn width(registers: usize) -> usize {
    if registers >= 32 { 8 } else { 4 }
}

/// Runs the stages of a [`TileOp`] over a tile.
pub struct Chain<T>(PhantomData<T>);

impl<T: Real> Kernel<T> for Chain<T> {
    type A = Slot<T>;
    type B = TileOp<T>;

    #[inline(always)]
    unsafe fn run<S: Simd<T = T>>(slots: *const Slot<T>, op: *const TileOp<T>, n: usize) {
        // SAFETY: the program's slots hold `n` elements, or one vector where the operand is one.
        unsafe {
            if !S::NATIVE {
                return;
            }
            let stages = (&*op).stages.as_slice();
            let i = if width(S::REGISTERS) == 8 {
                whole::<S, 8>(slots, stages, n)
            } else {
                whole::<S, 4>(slots, stages, n)
            };
            rest::<S>(slots, stages, i, n);
        }
    }
}

/// All blocks of `U` whole vectors; gives back where they end.
#[inline(always)]
unsafe fn whole<S: Simd, const U: usize>(slots: *const Slot<S::T>, stages: &[Stage], n: usize) -> usize {
    // SAFETY: the caller's.
    unsafe {
        let mut i = 0;
        while i + U * S::LANES <= n {
            block::<S, U, false>(slots, stages, i, S::first(S::LANES));
            i += U * S::LANES;
        }
        i
    }
}

/// What is left, vector by vector, the last one perhaps in part.
#[inline(always)]
unsafe fn rest<S: Simd>(slots: *const Slot<S::T>, stages: &[Stage], mut i: usize, n: usize) {
    // SAFETY: the caller's.
    unsafe {
        while i < n {
            block::<S, 1, true>(slots, stages, i, S::first(n - i));
            i += S::LANES;
        }
    }
}

/// Takes `U` vectors from element `i` on through all stages; of single ones, some lanes.
#[inline(always)]
unsafe fn block<S: Simd, const U: usize, const PART: bool>(
    slots: *const Slot<S::T>,
    stages: &[Stage],
    i: usize,
    some: S::M,
) {
    // SAFETY: the caller's.
    unsafe {
        let mut x = [S::zero(); U];
        for stage in stages {
            // Macros, for closures would not share this function's instruction set.
            macro_rules! operand {
                ($k:expr) => {{
                    let slot = &*slots.add(usize::from(stage.slots[$k]));
                    let mut v = [S::zero(); U];
                    if stage.periods[$k] == 1 {
                        v = [S::load(slot.at); U];
                    } else if U > 2 && stage.periods[$k] == 2 {
                        repeat::<S, U, 2>(&mut v, slot.at);
                    } else if U > 4 && stage.periods[$k] == 4 {
                        repeat::<S, U, 4>(&mut v, slot.at);
                    } else if PART && slot.exact {
                        v[0] = S::load_some(slot.at.add(i), some);
                    } else {
                        let at = slot.at.add(i);
                        let mut u = 0;
                        while u < U {
                            v[u] = S::load(at.add(u * S::LANES));
                            u += 1;
                        }
                    }
                    v
                }};
            }
            macro_rules! each {
                (|$x:ident| $e:expr) => { each!(|$x, ;| $e) };
                (|$x:ident, $a:ident| $e:expr) => { each!(|$x, $a 0;| $e) };
                (|$x:ident, $a:ident, $b:ident| $e:expr) => { each!(|$x, $a 0, $b 1;| $e) };
                (|$x:ident, $a:ident, $b:ident, $c:ident| $e:expr) => { each!(|$x, $a 0, $b 1, $c 2;| $e) };
                (|$x:ident, $($a:ident $k:literal),*;| $e:expr) => {{
                    $( let $a = operand!($k); )*
                    let mut u = 0;
                    while u < U {
                        let $x = x[u];
                        $( let $a = $a[u]; )*
                        x[u] = $e;
                        u += 1;
                    }
                }};
            }
            let (one, zero) = (S::number(1.0), S::zero());
            match stage.code {
                Code::Load => x = operand!(0),
                Code::Store => {
                    let slot = &*slots.add(usize::from(stage.slots[0]));
                    let at = slot.at.add(i);
                    if PART && slot.exact {
                        S::store_some(at, x[0], some);
                    } else {
                        let mut u = 0;
                        while u < U {
                            S::store(at.add(u * S::LANES), x[u]);
                            u += 1;
                        }
                    }
                }
                Code::SumColumns => {
                    let y = (*slots.add(usize::from(stage.slots[0]))).at;
                    add_rows::<S, U>(y, &x, stage.columns, i);
                }
                Code::Neg => each!(|x| S::mul(x, S::number(-1.0))),
                Code::Abs => each!(|x| S::abs(x)),
                Code::Square => each!(|x| S::mul(x, x)),
                Code::Sqrt => each!(|x| S::sqrt(x)),
                Code::Rsqrt => each!(|x| S::div(one, S::sqrt(x))),
                Code::Recip => each!(|x| S::div(one, x)),
                Code::Add => each!(|x, a| S::add(x, a)),
                Code::Sub => each!(|x, a| S::sub(x, a)),
                Code::SubFrom => each!(|x, a| S::sub(a, x)),
                Code::Mul => each!(|x, a| S::mul(x, a)),
                Code::Div => each!(|x, a| S::div(x, a)),
                Code::DivInto => each!(|x, a| S::div(a, x)),
                Code::Max => each!(|x, a| S::max(x, a)),
                Code::Min => each!(|x, a| S::min(x, a)),
                Code::MaxConst => each!(|x, a| S::max_or_b(a, x)),
                Code::MinConst => each!(|x, a| S::min_or_b(a, x)),
                Code::Eq => each!(|x, a| S::select(S::eq(x, a), one, zero)),
                Code::Ne => each!(|x, a| S::select(S::eq(x, a), zero, one)),
                Code::Lt => each!(|x, a| S::select(S::lt(x, a), one, zero)),
                Code::Le => each!(|x, a| S::select(S::le(x, a), one, zero)),
                Code::Gt => each!(|x, a| S::select(S::lt(a, x), one, zero)),
                Code::Ge => each!(|x, a| S::select(S::le(a, x), one, zero)),
                Code::MulAdd => each!(|x, a, b| S::fma(x, a, b)),
                Code::AddProduct => each!(|x, a, b| S::fma(a, b, x)),
                Code::MulSub => each!(|x, a, b| S::fma(x, a, S::sub(zero, b))),
                Code::ProductSub => each!(|x, a, b| S::fma(a, b, S::sub(zero, x))),
                Code::SubMul => each!(|x, a, b| S::fnma(x, a, b)),
                Code::SubProduct => each!(|x, a, b| S::fnma(a, b, x)),
                Code::Select => each!(|x, a, b| S::select(S::eq(x, zero), b, a)),
                Code::IfLt => each!(|x, a, b, c| S::select(S::lt(x, a), b, c)),
                Code::IfLe => each!(|x, a, b, c| S::select(S::le(x, a), b, c)),
                Code::IfGt => each!(|x, a, b, c| S::select(S::lt(a, x), b, c)),
                Code::IfGe => each!(|x, a, b, c| S::select(S::le(a, x), b, c)),
                Code::KeepLt => each!(|x, a, b, c| S::select(S::lt(a, b), x, c)),
                Code::KeepLe => each!(|x, a, b, c| S::select(S::le(a, b), x, c)),
                Code::ElseLt => each!(|x, a, b, c| S::select(S::lt(a, b), c, x)),
                Code::ElseLe => each!(|x, a, b, c| S::select(S::le(a, b), c, x)),
                Code::TwoProducts => each!(|x, a, b, c| S::fma(x, a, S::mul(b, c))),
                Code::Slope => each!(|x, a| S::mul(S::fnma(x, x, one), a)),
                Code::TimesSlope => each!(|x, a| S::mul(S::fnma(a, a, one), x)),
            }
        }
    }
}

/// Vectors that repeat themselves after `P`.
#[inline(always)]
unsafe fn repeat<S: Simd, const U: usize, const P: usize>(v: &mut [S::V; U], at: *const S::T) {
    let mut u = 0;
    while u < U {
        // SAFETY: the caller's.
        v[u] = if u < P { unsafe { S::load(at.add(u * S::LANES)) } } else { v[u - P] };
        u += 1;
    }
}

/// Adds vectors, which are rows of `columns` elements from element `i` on, to the row at `y`: those of the same columns to each other
/// first, halves first.
#[inline(always)]
unsafe fn add_rows<S: Simd, const U: usize>(y: *mut S::T, x: &[S::V; U], columns: usize, i: usize) {
    // SAFETY: the caller's.
    unsafe {
        // Indices are known when this is compiled: vectors stay in registers.
        macro_rules! add {
            ($count:expr, $y:expr, $x:expr) => {{
                let mut u = 0;
                while u < $count {
                    let at = $y.add(u * S::LANES);
                    S::store(at, S::add(S::load(at), $x[u]));
                    u += 1;
                }
            }};
        }
        if U == 1 || columns >= U * S::LANES {
            add!(U, y.add(i % columns), x);
            return;
        }
        let mut sums = *x;
        macro_rules! halve {
            ($half:literal) => {
                if U > $half {
                    let mut u = 0;
                    while u < $half {
                        sums[u] = S::add(sums[u], sums[(u + $half) % U]);
                        u += 1;
                    }
                    if columns == $half * S::LANES {
                        add!($half, y, sums);
                        return;
                    }
                }
            };
        }
        halve!(4);
        halve!(2);
        halve!(1);
    }
}
