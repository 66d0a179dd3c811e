//! Expressions compiled to tile programs.
//!
//! Every value of the expression gets a slot. Values of one number for the whole domain are computed once, a vector of equal
//! lanes; all others tile by tile, each by one loop over a register of a tile's size, an operand read in place, or straight to
//! where it is stored. Products that feed a sum, comparisons that feed a choice and other frequent pairs become one loop.

use super::ops::{OPERANDS, OpKind, RESULTS, TileOp, loop_of};
use crate::{Binary, Expr, Inst, Isa, Random, Real, Unary, ValueId};

/// How the program reads an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// In place: a tile of it is contiguous.
    Direct,
    /// One number for the whole domain.
    Splat,
    /// One number for each tile.
    TileSplat,
    /// From a register that is filled before the program runs.
    Buffer,
}

/// How the program delivers a value.
#[derive(Clone, Debug)]
pub enum Sink {
    /// To memory of a tile's size; the inputs that lie at the same place.
    Write(Vec<usize>),
    /// Leaves it in its slot.
    Fold,
}

/// What a slot points to before the first tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Start {
    /// A vector of this constant.
    Constant(f64),
    /// A vector of the thread's own.
    Splat(usize),
    /// A tile of the thread's own.
    Register(usize),
    /// Set for every tile.
    Moving,
}

/// A value that is made for every tile, but not from other values.
#[derive(Clone, Copy, Debug)]
pub enum Leaf {
    /// Random numbers of a stream.
    Random(Random, u32),
    /// Coordinates along a dimension.
    Index(u8),
}

/// A compiled expression.
pub struct Program<T> {
    /// Run once, over one vector.
    pub prologue: Vec<TileOp<T>>,
    /// Values to fill in for every tile, by slot.
    pub leaves: Vec<(u16, Leaf)>,
    /// Run for every tile.
    pub body: Vec<TileOp<T>>,
    /// Run for every tile, after folds have read their slots.
    pub tail: Vec<TileOp<T>>,
    /// All slots.
    pub slots: Vec<Start>,
    /// The slot of every input that is used.
    pub inputs: Vec<Option<u16>>,
    /// The slot of the step counter.
    pub step: Option<u16>,
    /// The slot of every sink: to set for a `Write`, to read for a `Fold`.
    pub sinks: Vec<u16>,
    /// Tiles of scratch memory.
    pub registers: usize,
    /// Vectors of scratch memory.
    pub splats: usize,
}

/// What one loop computes.
#[derive(Clone, Debug)]
struct Loop {
    kind: OpKind,
    args: Vec<ValueId>,
    results: Vec<ValueId>,
}

struct Compiler<'a, T> {
    isa: Isa,
    sources: &'a [Source],
    loops: Vec<Option<Loop>>,
    slot_of: Vec<Option<u16>>,
    free: Vec<u16>,
    program: Program<T>,
}

impl<T: Real> Program<T> {
    pub fn compile(expr: &Expr, sources: &[Source], sinks: &[(ValueId, Sink)], isa: Isa) -> Program<T> {
        let insts = expr.insts();
        let scalar = scalars(insts, sources);
        let (loops, live) = select_loops(insts, &scalar, sinks);
        let program = Program {
            prologue: Vec::new(),
            leaves: Vec::new(),
            body: Vec::new(),
            tail: Vec::new(),
            slots: Vec::new(),
            inputs: vec![None; sources.len()],
            step: None,
            sinks: Vec::new(),
            registers: 0,
            splats: 0,
        };
        let mut c = Compiler { isa, sources, loops, slot_of: vec![None; insts.len()], free: Vec::new(), program };

        // Leaves and values of one number.
        for v in (0..insts.len()).filter(|&v| live[v]) {
            match insts[v] {
                Inst::Input(i) => c.input(v, usize::from(i)),
                Inst::Const(x) => c.slot_of[v] = Some(c.slot(Start::Constant(x))),
                Inst::Step => {
                    let slot = c.splat();
                    c.program.step = Some(slot);
                    c.slot_of[v] = Some(slot);
                }
                Inst::Random(kind, stream) => c.leaf(v, Leaf::Random(kind, stream)),
                Inst::Index(d) => c.leaf(v, Leaf::Index(d)),
                _ if scalar[v] => {
                    c.slot_of[v] = Some(c.splat());
                    let op = c.op(v);
                    c.program.prologue.push(op);
                }
                _ => {}
            }
        }

        // Which values are computed tile by tile, by which loop, and where they go first.
        let order: Vec<usize> = (0..insts.len()).filter(|&v| c.loops[v].is_some() && c.slot_of[v].is_none()).collect();
        let mut last_use = vec![0; insts.len()];
        let mut made_at: Vec<Option<usize>> = vec![None; insts.len()];
        for (at, &v) in order.iter().enumerate() {
            let made = c.loops[v].as_ref().expect("a computed value");
            made.args.iter().for_each(|&x| last_use[usize::from(x)] = at);
            made.results.iter().for_each(|&y| made_at[usize::from(y)] = Some(at));
        }
        let mut sink_slots: Vec<Option<u16>> = vec![None; sinks.len()];
        let mut direct: Vec<Option<usize>> = vec![None; insts.len()];
        for (s, (value, sink)) in sinks.iter().enumerate() {
            let v = usize::from(*value);
            let Sink::Write(same_place) = sink else {
                last_use[v] = usize::MAX;
                continue;
            };
            let Some(at) = made_at[v] else { continue };
            let reads =
                |x: ValueId| matches!(insts[usize::from(x)], Inst::Input(i) if same_place.contains(&usize::from(i)));
            let read_later =
                order[at + 1..].iter().any(|&w| c.loops[w].as_ref().is_some_and(|l| l.args.iter().any(|&x| reads(x))))
                    || sinks.iter().any(|(x, sink)| matches!(sink, Sink::Fold) && reads(*x));
            if direct[v].is_none() && !read_later {
                direct[v] = Some(s);
            } else {
                last_use[v] = usize::MAX;
            }
        }

        // Stores of an operand as it is come first: nothing has been overwritten yet.
        for (s, (value, sink)) in sinks.iter().enumerate() {
            let v = usize::from(*value);
            if let (Inst::Input(i), Sink::Write(same_place)) = (insts[v], sink) {
                let from = c.slot_of[v].expect("an input has a slot");
                let slot = c.slot(Start::Moving);
                sink_slots[s] = Some(slot);
                if same_place.iter().all(|&x| x == usize::from(i)) {
                    let op = c.copy(slot, from);
                    c.program.body.push(op);
                } else {
                    let register = c.register();
                    let (keep, give) = (c.copy(register, from), c.copy(slot, register));
                    c.program.body.push(keep);
                    c.program.tail.push(give);
                }
            }
        }

        for (at, &v) in order.iter().enumerate() {
            let Loop { args, results, .. } = c.loops[v].clone().expect("a computed value");
            let mut dying: Vec<usize> = args.into_iter().map(usize::from).collect();
            dying.retain(|&x| last_use[x] == at && made_at[x].is_some() && direct[x].is_none());
            dying.sort_unstable();
            dying.dedup();
            for x in dying {
                c.free.push(c.slot_of[x].expect("computed before"));
            }
            for y in results.into_iter().map(usize::from) {
                c.slot_of[y] = Some(match direct[y] {
                    Some(s) => {
                        let slot = c.slot(Start::Moving);
                        sink_slots[s] = Some(slot);
                        slot
                    }
                    None => c.register(),
                });
            }
            let op = c.op(v);
            c.program.body.push(op);
        }

        for (s, (value, sink)) in sinks.iter().enumerate() {
            let from = c.slot_of[usize::from(*value)].expect("every value has a slot");
            match sink {
                Sink::Fold => {
                    let tiled = matches!(c.program.slots[usize::from(from)], Start::Register(_))
                        || made_at[usize::from(*value)].is_some()
                        || matches!(insts[usize::from(*value)], Inst::Input(i) if sources[usize::from(i)] == Source::Direct);
                    let slot = if tiled {
                        from
                    } else {
                        let slot = c.register();
                        let op = c.copy(slot, from);
                        c.program.body.push(op);
                        slot
                    };
                    sink_slots[s] = Some(slot);
                }
                Sink::Write(_) if sink_slots[s].is_none() => {
                    let slot = c.slot(Start::Moving);
                    let op = c.copy(slot, from);
                    c.program.tail.push(op);
                    sink_slots[s] = Some(slot);
                }
                Sink::Write(_) => {}
            }
        }
        c.program.sinks = sink_slots.into_iter().map(|s| s.expect("every sink has a slot")).collect();
        c.program
    }
}

impl<T: Real> Compiler<'_, T> {
    fn slot(&mut self, start: Start) -> u16 {
        self.program.slots.push(start);
        u16::try_from(self.program.slots.len() - 1).expect("fewer than 65536 slots")
    }

    fn splat(&mut self) -> u16 {
        self.program.splats += 1;
        self.slot(Start::Splat(self.program.splats - 1))
    }

    fn new_register(&mut self) -> u16 {
        self.program.registers += 1;
        self.slot(Start::Register(self.program.registers - 1))
    }

    fn register(&mut self) -> u16 {
        self.free.pop().unwrap_or_else(|| self.new_register())
    }

    fn input(&mut self, v: usize, i: usize) {
        if self.program.inputs[i].is_none() {
            let slot = match self.sources[i] {
                Source::Direct => self.slot(Start::Moving),
                Source::Splat | Source::TileSplat => self.splat(),
                Source::Buffer => self.new_register(),
            };
            self.program.inputs[i] = Some(slot);
        }
        self.slot_of[v] = self.program.inputs[i];
    }

    fn leaf(&mut self, v: usize, leaf: Leaf) {
        let slot = self.new_register();
        self.program.leaves.push((slot, leaf));
        self.slot_of[v] = Some(slot);
    }

    fn copy(&self, dst: u16, src: u16) -> TileOp<T> {
        TileOp { run: loop_of(OpKind::Copy, self.isa), dst: [dst; RESULTS], src: [src; OPERANDS] }
    }

    /// The loop of value `v`, whose operands and results have their slots.
    fn op(&self, v: usize) -> TileOp<T> {
        let Loop { kind, args, results } = self.loops[v].as_ref().expect("a computed value");
        let slot = |x: &ValueId| self.slot_of[usize::from(*x)].expect("computed before");
        let (mut src, mut dst) = ([0; OPERANDS], [0; RESULTS]);
        src.iter_mut().zip(args).for_each(|(to, x)| *to = slot(x));
        dst.iter_mut().zip(results).for_each(|(to, y)| *to = slot(y));
        TileOp { run: loop_of(*kind, self.isa), dst, src }
    }
}

/// Which values are one number for the whole domain.
fn scalars(insts: &[Inst], sources: &[Source]) -> Vec<bool> {
    let mut scalar: Vec<bool> = Vec::with_capacity(insts.len());
    for inst in insts {
        scalar.push(match *inst {
            Inst::Const(_) | Inst::Step => true,
            Inst::Input(i) => sources[usize::from(i)] == Source::Splat,
            Inst::Random(..) | Inst::Index(_) => false,
            _ => inst.uses().all(|v| scalar[usize::from(v)]),
        });
    }
    scalar
}

/// Chooses a loop for every value and merges frequent groups; also tells which values are needed still.
fn select_loops(insts: &[Inst], scalar: &[bool], sinks: &[(ValueId, Sink)]) -> (Vec<Option<Loop>>, Vec<bool>) {
    let mut uses = vec![0usize; insts.len()];
    sinks.iter().for_each(|(v, _)| uses[usize::from(*v)] += 1);
    for v in (0..insts.len()).rev().filter(|&v| insts[v].uses().next().is_some()) {
        if uses[v] > 0 {
            insts[v].uses().for_each(|x| uses[usize::from(x)] += 1);
        }
    }
    let mut nodes: Vec<Option<(OpKind, Vec<ValueId>)>> = vec![None; insts.len()];
    for v in 0..insts.len() {
        if uses[v] == 0 {
            continue;
        }
        // A value that only this one uses and that can be merged into it.
        let merges = |x: ValueId| uses[usize::from(x)] == 1 && (!scalar[usize::from(x)] || scalar[v]);
        let node = |x: ValueId| if merges(x) { nodes[usize::from(x)].clone() } else { None };
        let constant = |x: ValueId| matches!(insts[usize::from(x)], Inst::Const(c) if !c.is_nan());
        let one = |x: ValueId| matches!(insts[usize::from(x)], Inst::Const(c) if c == 1.0);
        // A product: its two factors.
        let product = |x: ValueId| match node(x) {
            Some((OpKind::Binary(Binary::Mul), f)) => Some([f[0], f[1]]),
            Some((OpKind::Unary(Unary::Square), f)) => Some([f[0], f[0]]),
            _ => None,
        };
        // A product that is a square.
        let square = |x: ValueId| product(x).filter(|f| f[0] == f[1]).map(|f| f[0]);
        let quotient = |x: ValueId| match node(x) {
            Some((OpKind::Binary(Binary::Div), f)) => Some([f[0], f[1]]),
            _ => None,
        };
        let root = |x: ValueId| match node(x) {
            Some((OpKind::Unary(Unary::Sqrt), f)) => Some(f[0]),
            _ => None,
        };
        let (kind, args, absorbed): (OpKind, Vec<ValueId>, Vec<ValueId>) = match insts[v] {
            Inst::Binary(Binary::Add, a, b) => match (product(a), product(b)) {
                (Some(f), Some(g)) if a != b => match (square(f[0]), square(g[0]), square(f[1]), square(g[1])) {
                    (_, Some(x), ..) => (OpKind::ProductAndSquare, vec![f[0], f[1], x, g[1]], vec![a, b, g[0]]),
                    (.., Some(x)) => (OpKind::ProductAndSquare, vec![f[0], f[1], x, g[0]], vec![a, b, g[1]]),
                    (Some(x), ..) => (OpKind::ProductAndSquare, vec![g[0], g[1], x, f[1]], vec![a, b, f[0]]),
                    (_, _, Some(x), _) => (OpKind::ProductAndSquare, vec![g[0], g[1], x, f[0]], vec![a, b, f[1]]),
                    _ => (OpKind::TwoProducts, vec![f[0], f[1], g[0], g[1]], vec![a, b]),
                },
                (_, Some(f)) => (OpKind::MulAdd, vec![f[0], f[1], a], vec![b]),
                (Some(f), _) => (OpKind::MulAdd, vec![f[0], f[1], b], vec![a]),
                _ => match (root(a).map(|x| (a, x, b))).or(root(b).map(|x| (b, x, a))) {
                    Some((r, x, rest)) => match product(x) {
                        Some(f) => (OpKind::RootMulAdd, vec![f[0], f[1], rest], vec![r, x]),
                        None => (OpKind::RootAdd, vec![x, rest], vec![r]),
                    },
                    None => (OpKind::Binary(Binary::Add), vec![a, b], vec![]),
                },
            },
            Inst::Binary(Binary::Sub, a, b) => match (product(b), product(a), quotient(b)) {
                (Some(f), ..) => match (quotient(f[0]), quotient(f[1])) {
                    (Some(q), _) => (OpKind::SubMulDiv, vec![q[0], q[1], f[1], a], vec![b, f[0]]),
                    (_, Some(q)) => (OpKind::SubMulDiv, vec![q[0], q[1], f[0], a], vec![b, f[1]]),
                    _ => (OpKind::SubMul, vec![f[0], f[1], a], vec![b]),
                },
                (_, _, Some(q)) => match product(q[0]) {
                    Some(f) => (OpKind::SubDivMul, vec![f[0], f[1], q[1], a], vec![b, q[0]]),
                    None => (OpKind::Binary(Binary::Sub), vec![a, b], vec![]),
                },
                (_, Some(f), _) => (OpKind::MulSub, vec![f[0], f[1], b], vec![a]),
                _ => (OpKind::Binary(Binary::Sub), vec![a, b], vec![]),
            },
            Inst::Binary(Binary::Max, a, b) if constant(a) => (OpKind::MaxConst, vec![a, b], vec![]),
            Inst::Binary(Binary::Max, a, b) if constant(b) => (OpKind::MaxConst, vec![b, a], vec![]),
            Inst::Binary(Binary::Min, a, b) if constant(a) => (OpKind::MinConst, vec![a, b], vec![]),
            Inst::Binary(Binary::Min, a, b) if constant(b) => (OpKind::MinConst, vec![b, a], vec![]),
            Inst::Binary(Binary::Mul, a, b) => {
                let slope = |x: ValueId| match node(x) {
                    Some((OpKind::SubMul, f)) if f[0] == f[1] && one(f[2]) => Some(f[0]),
                    _ => None,
                };
                match (slope(a), slope(b)) {
                    (Some(y), _) => (OpKind::TanhGrad, vec![y, b], vec![a]),
                    (_, Some(y)) => (OpKind::TanhGrad, vec![y, a], vec![b]),
                    _ => (OpKind::Binary(Binary::Mul), vec![a, b], vec![]),
                }
            }
            Inst::Select(c, a, b) => match node(c) {
                Some((OpKind::Binary(Binary::Lt), f)) => (OpKind::SelectLt, vec![f[0], f[1], a, b], vec![c]),
                Some((OpKind::Binary(Binary::Gt), f)) => (OpKind::SelectLt, vec![f[1], f[0], a, b], vec![c]),
                Some((OpKind::Binary(Binary::Le), f)) => (OpKind::SelectLe, vec![f[0], f[1], a, b], vec![c]),
                Some((OpKind::Binary(Binary::Ge), f)) => (OpKind::SelectLe, vec![f[1], f[0], a, b], vec![c]),
                _ => (OpKind::Select, vec![c, a, b], vec![]),
            },
            Inst::Unary(f, a) => (OpKind::Unary(f), vec![a], vec![]),
            Inst::Binary(f, a, b) => (OpKind::Binary(f), vec![a, b], vec![]),
            _ => continue,
        };
        nodes[v] = Some((kind, args));
        for x in absorbed {
            uses[usize::from(x)] = 0;
            nodes[usize::from(x)] = None;
        }
    }
    let live = uses.iter().map(|&n| n > 0).collect();
    let mut loops: Vec<Option<Loop>> = nodes
        .into_iter()
        .enumerate()
        .map(|(v, node)| node.map(|(kind, args)| Loop { kind, args, results: vec![v as ValueId] }))
        .collect();
    for v in 0..loops.len() {
        if let Some((merged, absorbed)) = moments(&loops, v, scalar, &uses) {
            absorbed.into_iter().for_each(|x| loops[usize::from(x)] = None);
            loops[v] = Some(merged);
        }
    }
    (loops, live)
}

/// The whole step of Adam as one loop, if `v` is its last value: the loop, and the values whose loops it takes over.
fn moments(loops: &[Option<Loop>], v: usize, scalar: &[bool], uses: &[usize]) -> Option<(Loop, Vec<ValueId>)> {
    let get = |x: ValueId| loops[usize::from(x)].as_ref();
    let is_scalar = |x: ValueId| scalar[usize::from(x)];
    // One number and a tile, in either order.
    let pair = |a: ValueId, b: ValueId| match (is_scalar(a), is_scalar(b)) {
        (true, false) => Some((a, b)),
        (false, true) => Some((b, a)),
        _ => None,
    };
    let Loop { kind: OpKind::SubDivMul, args, .. } = loops[v].as_ref()? else { return None };
    let ((rate, mean), below) = (pair(args[0], args[1])?, args[2]);
    let only = |x: ValueId| get(x).filter(|_| uses[usize::from(x)] == 1);
    let (scale, root, square, eps) = match only(below)? {
        Loop { kind: OpKind::RootAdd, args, .. } => (None, None, args[0], args[1]),
        Loop { kind: OpKind::MulAdd, args, .. } => {
            let (scale, root) = pair(args[0], args[1])?;
            let Loop { kind: OpKind::Unary(Unary::Sqrt), args: of, .. } = only(root)? else { return None };
            (Some(scale), Some(root), of[0], args[2])
        }
        _ => return None,
    };
    let (shrink, w, shrunk) = match only(args[3]) {
        Some(Loop { kind: OpKind::Binary(Binary::Mul), args: f, .. }) => {
            let (shrink, w) = pair(f[0], f[1])?;
            (Some(shrink), w, Some(args[3]))
        }
        _ => (None, args[3], None),
    };
    let Loop { kind: OpKind::TwoProducts, args: m, .. } = get(mean)? else { return None };
    let Loop { kind: OpKind::ProductAndSquare, args: s, .. } = get(square)? else { return None };
    let (first, second, (keep_square, old_square)) = (pair(m[0], m[1])?, pair(m[2], m[3])?, pair(s[0], s[1])?);
    let (g, add_square) = (s[2], s[3]);
    let ((keep_mean, old_mean), (add_mean, _)) = match (first.1 == g, second.1 == g) {
        (_, true) => (first, second),
        (true, _) => (second, first),
        _ => return None,
    };
    // Nothing else may need the moments before they are there.
    let early = |x: &ValueId| *x == mean || *x == square;
    let taken = (usize::from(mean.min(square))..v)
        .filter(|&u| u != usize::from(below) && root.map(usize::from) != Some(u))
        .any(|u| loops[u].as_ref().is_some_and(|l| l.args.iter().any(early)));
    if taken || mean == square || is_scalar(w) || ![eps, add_square].into_iter().all(is_scalar) {
        return None;
    }
    let kind = OpKind::Moments { scaled: scale.is_some(), shrunk: shrink.is_some() };
    // Operands that are not there are not read: any value does.
    let (scale, shrink) = (scale.unwrap_or(rate), shrink.unwrap_or(rate));
    let args = vec![old_mean, old_square, g, w, keep_mean, add_mean, keep_square, add_square, scale, eps, rate, shrink];
    let absorbed = [mean, square, below].into_iter().chain(root).chain(shrunk).collect();
    Some((Loop { kind, args, results: vec![mean, square, v as ValueId] }, absorbed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adam_is_one_loop() {
        let expr = Expr::build(4, |x| {
            let m = &x[0] * 0.9 + &x[3] * 0.1;
            let v = &x[1] * 0.99 + x[3].square() * 0.01;
            &x[2] - (m * 0.1) / (v.unary(Unary::Sqrt) * 1.5 + 1e-3)
        });
        let sums = (0..expr.insts().len() as ValueId)
            .filter(|&v| matches!(expr.insts()[usize::from(v)], Inst::Binary(Binary::Add, ..)));
        let mut sinks: Vec<(ValueId, Sink)> =
            sums.take(2).enumerate().map(|(i, v)| (v, Sink::Write(vec![i]))).collect();
        sinks.push((expr.result(), Sink::Write(vec![2])));
        let program = Program::<f32>::compile(&expr, &[Source::Direct; 4], &sinks, Isa::Portable);
        assert_eq!((program.body.len(), program.registers), (1, 0));
        assert_eq!(program.body[0].dst[..], program.sinks[..]);

        // The rate of each element its own: no loop knows that.
        let sources = [Source::Direct, Source::Direct, Source::Direct, Source::Direct, Source::Direct];
        let own = Expr::build(5, |x| {
            let m = &x[0] * 0.9 + &x[3] * 0.1;
            let v = &x[1] * 0.99 + x[3].square() * 0.01;
            &x[2] - (m * &x[4]) / (v.unary(Unary::Sqrt) * 1.5 + 1e-3)
        });
        let program = Program::<f32>::compile(&own, &sources, &[(own.result(), Sink::Write(vec![]))], Isa::Portable);
        assert!(program.body.len() > 1);
    }
}
