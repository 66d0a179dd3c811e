//! Expressions compiled to tile programs.
//!
//! Every value of the expression gets a slot. Values of one number for the whole domain are computed once, a vector of equal
//! lanes; all others tile by tile, each by one loop over a register of a tile's size, an operand read in place, or straight to
//! where it is stored. Products that feed a sum, comparisons that feed a choice and other frequent pairs become one loop.

use super::ops::{OpKind, TileOp, loop_of};
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

struct Compiler<'a, T> {
    isa: Isa,
    sources: &'a [Source],
    nodes: Vec<Option<(OpKind, Vec<ValueId>)>>,
    slot_of: Vec<Option<u16>>,
    free: Vec<u16>,
    program: Program<T>,
}

impl<T: Real> Program<T> {
    pub fn compile(expr: &Expr, sources: &[Source], sinks: &[(ValueId, Sink)], isa: Isa) -> Program<T> {
        let insts = expr.insts();
        let (nodes, live) = select_ops(insts, sources, sinks);
        let scalar = scalars(insts, sources);
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
        let mut c = Compiler { isa, sources, nodes, slot_of: vec![None; insts.len()], free: Vec::new(), program };

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
                    let slot = c.splat();
                    let op = c.op(v, slot);
                    c.program.prologue.push(op);
                    c.slot_of[v] = Some(slot);
                }
                _ => {}
            }
        }

        // Which values are computed tile by tile, and where they go first.
        let order: Vec<usize> = (0..insts.len()).filter(|&v| live[v] && c.slot_of[v].is_none()).collect();
        let mut last_use = vec![0; insts.len()];
        for (at, &v) in order.iter().enumerate() {
            for &x in &c.nodes[v].as_ref().expect("a computed value").1 {
                last_use[usize::from(x)] = at;
            }
        }
        let mut sink_slots: Vec<Option<u16>> = vec![None; sinks.len()];
        let mut direct: Vec<Option<usize>> = vec![None; insts.len()];
        for (s, (value, sink)) in sinks.iter().enumerate() {
            let v = usize::from(*value);
            let Sink::Write(same_place) = sink else {
                last_use[v] = usize::MAX;
                continue;
            };
            let Some(at) = order.iter().position(|&x| x == v) else { continue };
            let reads =
                |x: ValueId| matches!(insts[usize::from(x)], Inst::Input(i) if same_place.contains(&usize::from(i)));
            let read_later =
                order[at + 1..].iter().any(|&w| c.nodes[w].as_ref().is_some_and(|n| n.1.iter().any(|&x| reads(x))))
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
            let mut dying: Vec<usize> =
                c.nodes[v].as_ref().expect("a computed value").1.iter().map(|&x| usize::from(x)).collect();
            dying.retain(|&x| last_use[x] == at && order.contains(&x) && direct[x].is_none());
            dying.sort_unstable();
            dying.dedup();
            for x in dying {
                c.free.push(c.slot_of[x].expect("computed before"));
            }
            let slot = match direct[v] {
                Some(s) => {
                    let slot = c.slot(Start::Moving);
                    sink_slots[s] = Some(slot);
                    slot
                }
                None => c.register(),
            };
            let op = c.op(v, slot);
            c.program.body.push(op);
            c.slot_of[v] = Some(slot);
            if last_use[v] == 0 && direct[v].is_none() {
                // Used by nothing: cannot be, but a register must not leak.
                c.free.push(slot);
            }
        }

        for (s, (value, sink)) in sinks.iter().enumerate() {
            let from = c.slot_of[usize::from(*value)].expect("every value has a slot");
            match sink {
                Sink::Fold => {
                    let tiled = matches!(c.program.slots[usize::from(from)], Start::Register(_))
                        || order.contains(&usize::from(*value))
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
        TileOp { run: loop_of(OpKind::Copy, self.isa), dst, src: [src; 4] }
    }

    fn op(&self, v: usize, dst: u16) -> TileOp<T> {
        let (kind, args) = self.nodes[v].as_ref().expect("a computed value");
        let mut src = [0; 4];
        for (slot, &x) in src.iter_mut().zip(args) {
            *slot = self.slot_of[usize::from(x)].expect("computed before");
        }
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

type Nodes = Vec<Option<(OpKind, Vec<ValueId>)>>;

/// Chooses a loop for every value and merges frequent pairs; also tells which values are needed still.
fn select_ops(insts: &[Inst], sources: &[Source], sinks: &[(ValueId, Sink)]) -> (Nodes, Vec<bool>) {
    let scalar = scalars(insts, sources);
    let mut uses = vec![0usize; insts.len()];
    sinks.iter().for_each(|(v, _)| uses[usize::from(*v)] += 1);
    for v in (0..insts.len()).rev().filter(|&v| insts[v].uses().next().is_some()) {
        if uses[v] > 0 {
            insts[v].uses().for_each(|x| uses[usize::from(x)] += 1);
        }
    }
    let mut nodes: Nodes = vec![None; insts.len()];
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
    (nodes, live)
}
