//! Which loops of a program run together, as the stages of a chain.

use super::ops::{OPERANDS, OpKind, RESULTS, TileOp, loop_of};
use super::stages::{self, Chain, Code, Stage};
use crate::simd::{Vectors, entry};
use crate::{Binary, Isa, Real, Unary};

/// What a program does with a tile, one thing after the other.
#[derive(Clone, Debug)]
pub enum Item {
    Loop(Step),
    /// Adds the rows of the value in slot `from` to the row that slot `to` points to.
    SumColumns {
        from: u16,
        to: u16,
        columns: usize,
    },
}

/// A loop over slots.
#[derive(Clone, Debug)]
pub struct Step {
    pub kind: OpKind,
    pub src: Vec<u16>,
    pub dst: Vec<u16>,
}

impl Step {
    pub fn copy(dst: u16, src: u16) -> Step {
        Step { kind: OpKind::Copy, src: vec![src], dst: vec![dst] }
    }

    /// As a loop of its own.
    pub fn alone<T: Real>(&self, isa: Isa) -> TileOp<T> {
        let (mut src, mut dst) = ([0; OPERANDS], [0; RESULTS]);
        src[..self.src.len()].copy_from_slice(&self.src);
        dst[..self.dst.len()].copy_from_slice(&self.dst);
        // Loops may look at operands that they do not have.
        src[self.src.len()..].fill(self.src[0]);
        dst[self.dst.len()..].fill(self.dst[0]);
        TileOp { run: loop_of(self.kind, isa), dst, src, stages: vec![] }
    }
}

/// Where chains can be, and what they need to know.
pub struct Chains<'a> {
    /// The vectors, if chains pay for tiles of this size.
    pub vectors: Option<Vectors>,
    /// For every slot: after how many vectors it repeats itself, 0 if never.
    pub periods: &'a [u8],
    /// For every slot: only what later items read must be written to it.
    pub scratch: &'a [bool],
    /// Slots that are read after all items.
    pub read_last: &'a [u16],
}

/// Whether a chain can add up rows of so many columns.
pub fn sums_columns(vectors: Option<Vectors>, columns: usize) -> bool {
    vectors.is_some_and(|v| {
        let (width, groups) = (stages::width(v.registers), columns / v.lanes);
        columns.is_multiple_of(v.lanes) && groups > 0 && (width.is_multiple_of(groups) || groups.is_multiple_of(width))
    })
}

impl Chains<'_> {
    /// The loops and chains that do what the items say.
    pub fn assemble<T: Real>(&self, items: &[Item], isa: Isa) -> Vec<TileOp<T>> {
        let mut ops = vec![];
        let mut open: Vec<Stage> = vec![];
        // The first item of the open chain, and the slot whose value is the running one.
        let (mut first, mut running) = (0, None);
        for (k, item) in items.iter().enumerate() {
            if open.is_empty() {
                first = k;
            }
            let step = match item {
                Item::SumColumns { from, to, columns } => {
                    self.load(&mut open, running, *from);
                    running = Some(*from);
                    let slots = [*to; stages::OPERANDS];
                    open.push(Stage {
                        code: Code::SumColumns,
                        periods: [0; stages::OPERANDS],
                        slots,
                        columns: *columns,
                    });
                    continue;
                }
                Item::Loop(step) => step,
            };
            let Some(start) = self.start(step) else {
                close(&mut open, &items[first..k], &mut ops, isa);
                running = None;
                ops.push(step.alone(isa));
                continue;
            };
            let taken = running.and_then(|slot| position(step, slot));
            let at = taken.unwrap_or(start);
            self.load(&mut open, running.filter(|_| taken.is_some()), step.src[at]);
            if let Some((code, operands)) = form(step.kind, at) {
                open.extend(code.map(|code| self.stage(code, operands.iter().map(|&p| step.src[p]))));
            }
            running = Some(step.dst[0]);
            if self.is_needed(step.dst[0], &items[k + 1..]) {
                open.push(self.stage(Code::Store, step.dst.iter().copied()));
            }
        }
        close(&mut open, &items[first.min(items.len())..], &mut ops, isa);
        ops
    }

    fn load(&self, open: &mut Vec<Stage>, running: Option<u16>, slot: u16) {
        if open.is_empty() || running != Some(slot) {
            open.push(self.stage(Code::Load, [slot].into_iter()));
        }
    }

    fn stage(&self, code: Code, operands: impl Iterator<Item = u16>) -> Stage {
        let mut stage = Stage { code, periods: [0; stages::OPERANDS], slots: [0; stages::OPERANDS], columns: 0 };
        for (k, slot) in operands.enumerate() {
            stage.slots[k] = slot;
            stage.periods[k] = self.periods[usize::from(slot)];
        }
        stage
    }

    /// The operand that a chain of this step starts with, if chains know it.
    fn start(&self, step: &Step) -> Option<usize> {
        self.vectors?;
        let mut known = (0..step.src.len()).filter(|&p| form(step.kind, p).is_some());
        let first = known.next()?;
        let repeats = |p: usize| self.periods[usize::from(step.src[p])] > 0;
        Some(if repeats(first) { known.find(|&p| !repeats(p)).unwrap_or(first) } else { first })
    }

    /// Whether the value that was just put into a slot must be written there: something reads it that does not find it as the
    /// running value.
    fn is_needed(&self, slot: u16, later: &[Item]) -> bool {
        if !self.scratch[usize::from(slot)] {
            return true;
        }
        let mut running = Some(slot);
        for item in later {
            match item {
                Item::SumColumns { from, .. } if Some(*from) == running => {}
                Item::SumColumns { from, .. } => {
                    if *from == slot {
                        return true;
                    }
                    running = Some(*from);
                }
                Item::Loop(step) => {
                    let reads = step.src.iter().filter(|&&s| s == slot).count();
                    let free = running == Some(slot) && self.start(step).is_some() && position(step, slot).is_some();
                    if reads > usize::from(free) {
                        return true;
                    }
                    if step.dst.contains(&slot) {
                        return false;
                    }
                    running = self.start(step).map(|_| step.dst[0]);
                }
            }
        }
        self.read_last.contains(&slot)
    }
}

/// Ends a chain. One loop alone is faster by itself.
fn close<T: Real>(open: &mut Vec<Stage>, items: &[Item], ops: &mut Vec<TileOp<T>>, isa: Isa) {
    match items {
        _ if open.is_empty() => {}
        [Item::Loop(step)] => ops.push(step.alone(isa)),
        _ => ops.push(TileOp {
            run: entry::<T, Chain<T>>(isa),
            dst: [0; RESULTS],
            src: [0; OPERANDS],
            stages: std::mem::take(open),
        }),
    }
    open.clear();
}

/// Where a step has a slot that can be the running value.
fn position(step: &Step, slot: u16) -> Option<usize> {
    (0..step.src.len()).find(|&p| step.src[p] == slot && form(step.kind, p).is_some())
}

/// The stage of a loop whose operand `p` is the running value, and the operands that it takes from slots. A copy needs no stage.
fn form(kind: OpKind, p: usize) -> Option<(Option<Code>, &'static [usize])> {
    use {Binary as B, OpKind as K, Unary as U};
    let (code, operands): (Code, &[usize]) = match (kind, p) {
        (K::Copy, 0) => return Some((None, &[])),
        (K::Unary(U::Neg), 0) => (Code::Neg, &[]),
        (K::Unary(U::Abs), 0) => (Code::Abs, &[]),
        (K::Unary(U::Square), 0) => (Code::Square, &[]),
        (K::Unary(U::Sqrt), 0) => (Code::Sqrt, &[]),
        (K::Unary(U::Rsqrt), 0) => (Code::Rsqrt, &[]),
        (K::Unary(U::Recip), 0) => (Code::Recip, &[]),
        (K::Binary(B::Add), 0) => (Code::Add, &[1]),
        (K::Binary(B::Add), 1) => (Code::Add, &[0]),
        (K::Binary(B::Sub), 0) => (Code::Sub, &[1]),
        (K::Binary(B::Sub), 1) => (Code::SubFrom, &[0]),
        (K::Binary(B::Mul), 0) => (Code::Mul, &[1]),
        (K::Binary(B::Mul), 1) => (Code::Mul, &[0]),
        (K::Binary(B::Div), 0) => (Code::Div, &[1]),
        (K::Binary(B::Div), 1) => (Code::DivInto, &[0]),
        (K::Binary(B::Max), 0) => (Code::Max, &[1]),
        (K::Binary(B::Max), 1) => (Code::Max, &[0]),
        (K::Binary(B::Min), 0) => (Code::Min, &[1]),
        (K::Binary(B::Min), 1) => (Code::Min, &[0]),
        (K::MaxConst, 1) => (Code::MaxConst, &[0]),
        (K::MinConst, 1) => (Code::MinConst, &[0]),
        (K::Binary(B::Eq), 0) => (Code::Eq, &[1]),
        (K::Binary(B::Eq), 1) => (Code::Eq, &[0]),
        (K::Binary(B::Ne), 0) => (Code::Ne, &[1]),
        (K::Binary(B::Ne), 1) => (Code::Ne, &[0]),
        (K::Binary(B::Lt), 0) => (Code::Lt, &[1]),
        (K::Binary(B::Lt), 1) => (Code::Gt, &[0]),
        (K::Binary(B::Le), 0) => (Code::Le, &[1]),
        (K::Binary(B::Le), 1) => (Code::Ge, &[0]),
        (K::Binary(B::Gt), 0) => (Code::Gt, &[1]),
        (K::Binary(B::Gt), 1) => (Code::Lt, &[0]),
        (K::Binary(B::Ge), 0) => (Code::Ge, &[1]),
        (K::Binary(B::Ge), 1) => (Code::Le, &[0]),
        (K::MulAdd, 0) => (Code::MulAdd, &[1, 2]),
        (K::MulAdd, 1) => (Code::MulAdd, &[0, 2]),
        (K::MulAdd, 2) => (Code::AddProduct, &[0, 1]),
        (K::MulSub, 0) => (Code::MulSub, &[1, 2]),
        (K::MulSub, 1) => (Code::MulSub, &[0, 2]),
        (K::MulSub, 2) => (Code::ProductSub, &[0, 1]),
        (K::SubMul, 0) => (Code::SubMul, &[1, 2]),
        (K::SubMul, 1) => (Code::SubMul, &[0, 2]),
        (K::SubMul, 2) => (Code::SubProduct, &[0, 1]),
        (K::Select, 0) => (Code::Select, &[1, 2]),
        (K::SelectLt, 0) => (Code::IfLt, &[1, 2, 3]),
        (K::SelectLt, 1) => (Code::IfGt, &[0, 2, 3]),
        (K::SelectLt, 2) => (Code::KeepLt, &[0, 1, 3]),
        (K::SelectLt, 3) => (Code::ElseLt, &[0, 1, 2]),
        (K::SelectLe, 0) => (Code::IfLe, &[1, 2, 3]),
        (K::SelectLe, 1) => (Code::IfGe, &[0, 2, 3]),
        (K::SelectLe, 2) => (Code::KeepLe, &[0, 1, 3]),
        (K::SelectLe, 3) => (Code::ElseLe, &[0, 1, 2]),
        (K::TwoProducts, 0) => (Code::TwoProducts, &[1, 2, 3]),
        (K::TwoProducts, 1) => (Code::TwoProducts, &[0, 2, 3]),
        (K::TwoProducts, 2) => (Code::TwoProducts, &[3, 0, 1]),
        (K::TwoProducts, 3) => (Code::TwoProducts, &[2, 0, 1]),
        (K::TanhGrad, 0) => (Code::Slope, &[1]),
        (K::TanhGrad, 1) => (Code::TimesSlope, &[0]),
        _ => return None,
    };
    Some((Some(code), operands))
}
