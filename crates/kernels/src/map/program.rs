//! Expressions compiled to tile programs.
//!
//! Every value of the expression gets a slot. Values of one number for the whole domain are computed once, a vector of equal
//! lanes; all others tile by tile, each by one loop over a register of a tile's size, an operand read in place, or straight to
//! where it is stored. Products that feed a sum, comparisons that feed a choice and other frequent pairs become one loop.

use super::chain::{Chains, Item, Step};
use super::loops::{Loop, scalars, select_loops};
use super::ops::TileOp;
use crate::simd::Vectors;
use crate::{Expr, Inst, Isa, Random, Real, ValueId};

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
    /// Leaves it in its slot. If its sum goes to a row of so many columns, and chains know how, adds it there.
    Fold(Option<usize>),
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
    /// The slot of every sink: to set for a `Write` and for a `Fold` of columns, to read for another `Fold`.
    pub sinks: Vec<u16>,
    /// Loops in all, before some became chains.
    pub loops: usize,
    /// Tiles of scratch memory.
    pub registers: usize,
    /// Vectors of scratch memory.
    pub splats: usize,
}

struct Compiler<'a, T> {
    sources: &'a [Source],
    loops: Vec<Option<Loop>>,
    slot_of: Vec<Option<u16>>,
    free: Vec<u16>,
    items: Vec<Item>,
    program: Program<T>,
}

impl<T: Real> Program<T> {
    /// `periods` says for every input after how many vectors it repeats itself, 0 if never; `vectors` are those of chains, where they pay.
    pub fn compile(
        expr: &Expr,
        sources: &[Source],
        periods: &[u8],
        sinks: &[(ValueId, Sink)],
        vectors: Option<Vectors>,
        isa: Isa,
    ) -> Program<T> {
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
            loops: 0,
            registers: 0,
            splats: 0,
        };
        let mut c =
            Compiler { sources, loops, slot_of: vec![None; insts.len()], free: Vec::new(), items: Vec::new(), program };

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
                    let op = c.step(v).alone(isa);
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
                if matches!(sink, Sink::Fold(None)) {
                    last_use[v] = usize::MAX;
                }
                continue;
            };
            let Some(at) = made_at[v] else { continue };
            let reads =
                |x: ValueId| matches!(insts[usize::from(x)], Inst::Input(i) if same_place.contains(&usize::from(i)));
            let read_later =
                order[at + 1..].iter().any(|&w| c.loops[w].as_ref().is_some_and(|l| l.args.iter().any(|&x| reads(x))))
                    || sinks.iter().any(|(x, sink)| matches!(sink, Sink::Fold(_)) && reads(*x));
            if direct[v].is_none() && !read_later {
                direct[v] = Some(s);
            } else {
                last_use[v] = usize::MAX;
            }
        }

        let mut tail = vec![];

        // Stores of an operand as it is come first: nothing has been overwritten yet.
        for (s, (value, sink)) in sinks.iter().enumerate() {
            let v = usize::from(*value);
            if let (Inst::Input(i), Sink::Write(same_place)) = (insts[v], sink) {
                let from = c.slot_of[v].expect("an input has a slot");
                let slot = c.slot(Start::Moving);
                sink_slots[s] = Some(slot);
                if same_place.iter().all(|&x| x == usize::from(i)) {
                    c.items.push(Item::Loop(Step::copy(slot, from)));
                } else {
                    let register = c.register();
                    c.items.push(Item::Loop(Step::copy(register, from)));
                    tail.push(Step::copy(slot, register));
                }
            }
        }

        for (at, &v) in order.iter().enumerate() {
            let Loop { args, results, .. } = c.loops[v].clone().expect("a computed value");
            let mut dying: Vec<usize> = args.iter().copied().map(usize::from).collect();
            dying.retain(|&x| last_use[x] == at && made_at[x].is_some() && direct[x].is_none());
            dying.sort_unstable();
            dying.dedup();
            for x in dying {
                c.free.push(c.slot_of[x].expect("computed before"));
            }
            for y in results.iter().copied().map(usize::from) {
                c.slot_of[y] = Some(match direct[y] {
                    Some(s) => {
                        let slot = c.slot(Start::Moving);
                        sink_slots[s] = Some(slot);
                        slot
                    }
                    None => c.register(),
                });
            }
            let step = c.step(v);
            let given: Vec<ValueId> = args.into_iter().filter(|&x| made_at[usize::from(x)].is_none()).collect();
            c.add_up(&mut sink_slots, sinks, &given);
            c.items.push(Item::Loop(step));
            c.add_up(&mut sink_slots, sinks, &results);
        }

        for (s, (value, sink)) in sinks.iter().enumerate() {
            let from = c.slot_of[usize::from(*value)].expect("every value has a slot");
            match sink {
                _ if sink_slots[s].is_some() => {}
                Sink::Fold(columns) => {
                    let tiled = matches!(c.program.slots[usize::from(from)], Start::Register(_))
                        || made_at[usize::from(*value)].is_some()
                        || matches!(insts[usize::from(*value)], Inst::Input(i) if sources[usize::from(i)] == Source::Direct);
                    sink_slots[s] = Some(match columns {
                        Some(columns) => c.sum(from, *columns),
                        None if tiled => from,
                        None => {
                            let slot = c.register();
                            c.items.push(Item::Loop(Step::copy(slot, from)));
                            slot
                        }
                    });
                }
                Sink::Write(_) => {
                    let slot = c.slot(Start::Moving);
                    tail.push(Step::copy(slot, from));
                    sink_slots[s] = Some(slot);
                }
            }
        }
        c.program.sinks = sink_slots.into_iter().map(|s| s.expect("every sink has a slot")).collect();
        c.program.loops = c.items.len() + tail.len();
        let is_one = |start: &Start| matches!(start, Start::Constant(_) | Start::Splat(_));
        let mut repeats: Vec<u8> = c.program.slots.iter().map(|start| u8::from(is_one(start))).collect();
        for (slot, &period) in c.program.inputs.iter().zip(periods) {
            if let Some(slot) = slot.filter(|_| period > 0) {
                repeats[usize::from(slot)] = period;
            }
        }
        let scratch: Vec<bool> = c.program.slots.iter().map(|start| matches!(start, Start::Register(_))).collect();
        let sinks = sinks.iter().zip(&c.program.sinks).filter(|((_, sink), _)| matches!(sink, Sink::Fold(None)));
        let read_last: Vec<u16> = tail.iter().map(|step| step.src[0]).chain(sinks.map(|(_, &slot)| slot)).collect();
        let chains = Chains { vectors, periods: &repeats, scratch: &scratch, read_last: &read_last };
        c.program.body = chains.assemble(&c.items, isa);
        c.program.tail = tail.iter().map(|step| step.alone(isa)).collect();
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

    /// Sums of columns of these values, which are in their slots now, where they are still missing.
    fn add_up(&mut self, sink_slots: &mut [Option<u16>], sinks: &[(ValueId, Sink)], values: &[ValueId]) {
        for (to, (value, sink)) in sink_slots.iter_mut().zip(sinks) {
            if let (None, Sink::Fold(Some(columns))) = (&to, sink)
                && values.contains(value)
            {
                let from = self.slot_of[usize::from(*value)].expect("a value in its slot");
                *to = Some(self.sum(from, *columns));
            }
        }
    }

    fn sum(&mut self, from: u16, columns: usize) -> u16 {
        let to = self.slot(Start::Moving);
        self.items.push(Item::SumColumns { from, to, columns });
        to
    }

    /// The loop of value `v`, whose operands and results have their slots.
    fn step(&self, v: usize) -> Step {
        let Loop { kind, args, results } = self.loops[v].as_ref().expect("a computed value");
        let slot = |x: &ValueId| self.slot_of[usize::from(*x)].expect("computed before");
        Step { kind: *kind, src: args.iter().map(slot).collect(), dst: results.iter().map(slot).collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Binary, Unary};

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
        let program = Program::<f32>::compile(&expr, &[Source::Direct; 4], &[0; 4], &sinks, None, Isa::Portable);
        assert_eq!((program.body.len(), program.registers), (1, 0));
        assert_eq!(program.body[0].dst[..], program.sinks[..]);

        // The rate of each element its own: no loop knows that.
        let sources = [Source::Direct, Source::Direct, Source::Direct, Source::Direct, Source::Direct];
        let own = Expr::build(5, |x| {
            let m = &x[0] * 0.9 + &x[3] * 0.1;
            let v = &x[1] * 0.99 + x[3].square() * 0.01;
            &x[2] - (m * &x[4]) / (v.unary(Unary::Sqrt) * 1.5 + 1e-3)
        });
        let program = Program::<f32>::compile(
            &own,
            &sources,
            &[0; 5],
            &[(own.result(), Sink::Write(vec![]))],
            None,
            Isa::Portable,
        );
        assert!(program.body.len() > 1);
    }
}
