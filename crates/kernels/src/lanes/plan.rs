//! Which instructions run with the batch in the lanes, and which values they keep there.
//!
//! The plan is made twice: first to learn who reads what from memory and for how long each block is needed, then for good. A value that
//! nothing reads from memory is never written there.

use super::blocks::{self, Block};
use super::run::{MOST, kernel};
use super::{Frame, LanesPlan, Source, Start, Step, Task, Work};
use crate::context::Place;
use crate::instr::{Fold, Instr, Loc, Map, MatMul, Operand, Space, Store};
use crate::map::{self, Program, Sink};
use crate::tiles::lanes;
use crate::verify::{Access, is_contiguous};
use crate::{Binary, Expr, Inst, Isa, Real, ValueId};

/// The fewest and the most samples of a batch.
const ROWS: std::ops::RangeInclusive<usize> = 4..=32;
/// The most features of a value.
const FEATURES: usize = 64;
/// The most sums over the batch of one product.
const DOTS: usize = 64;
/// What fetching a square of features costs, in vectors of a product.
const SQUARE: usize = 64;
/// What fetching one feature costs.
const COLUMN: usize = 10;
/// What an instruction costs beyond its products where the lanes hold features.
const OVERHEAD: usize = 40;

/// The instructions that run with the batch in the lanes, by their number, and the room that they need.
pub struct Plans<T> {
    pub plans: Vec<Option<LanesPlan<T>>>,
    pub len: usize,
}

/// Chooses among `instrs`, which run in the order of `order`: whether each may be chosen is told there. `kept` is what must be in memory
/// in the end.
pub fn plan<T: Real>(
    instrs: &[Instr<T>],
    touched: &[Vec<Access>],
    order: &[(usize, bool)],
    kept: &[Access],
    isa: Isa,
) -> Plans<T> {
    let mut first = Planner::<T>::new(isa, vec![], None);
    first.all(instrs, touched, order);
    let (starts, len) = blocks::place(&first.blocks);
    let kept = first.reads.iter().chain(kept).cloned().collect();
    let plans = Planner::new(isa, starts, Some(kept)).all(instrs, touched, order);
    Plans { plans, len }
}

/// A value that lies in lanes: the feature of sample `r` at `space[offset + r·step + j]`, for `j` below `features`.
#[derive(Clone, Debug)]
struct Known {
    space: Space,
    offset: usize,
    step: usize,
    rows: usize,
    features: usize,
    block: usize,
}

impl Known {
    fn access(&self) -> Access {
        let end = self.offset + (self.rows - 1) * self.step + self.features;
        Access { space: self.space, range: self.offset..end, write: false }
    }
}

/// Features of all samples: how the samples lie, and how the features of one do.
#[derive(Clone, Copy)]
struct View<'a> {
    loc: Loc,
    step: usize,
    dims: &'a [usize],
    strides: &'a [usize],
}

/// An operand of an expression.
#[derive(Clone, Copy)]
enum Arg {
    Number(usize),
    Block(usize),
    Unused,
}

struct Planner<T> {
    isa: Isa,
    lanes: usize,
    /// Where blocks start, once that is known.
    starts: Vec<usize>,
    /// What must be in memory, once that is known.
    kept: Option<Vec<Access>>,
    known: Vec<Known>,
    blocks: Vec<Block>,
    reads: Vec<Access>,
    now: usize,
    rows: usize,
    row: usize,
    steps: Vec<Step<T>>,
    sources: Vec<Source>,
    /// Values of this instruction: blocks to come.
    made: Vec<Known>,
    /// Operands of this instruction that were in lanes already.
    met: usize,
}

impl<T: Real> Planner<T> {
    fn new(isa: Isa, starts: Vec<usize>, kept: Option<Vec<Access>>) -> Planner<T> {
        Planner {
            isa,
            lanes: lanes::<T>(isa),
            starts,
            kept,
            known: vec![],
            blocks: vec![],
            reads: vec![],
            now: 0,
            rows: 0,
            row: 0,
            steps: vec![],
            sources: vec![],
            made: vec![],
            met: 0,
        }
    }

    fn all(
        &mut self,
        instrs: &[Instr<T>],
        touched: &[Vec<Access>],
        order: &[(usize, bool)],
    ) -> Vec<Option<LanesPlan<T>>> {
        let mut plans: Vec<Option<LanesPlan<T>>> = instrs.iter().map(|_| None).collect();
        for (now, &(i, free)) in order.iter().enumerate() {
            self.now = now;
            plans[i] = if free { self.instr(&instrs[i]) } else { None };
            if plans[i].is_none() {
                self.reads.extend(touched[i].iter().filter(|a| !a.write).cloned());
            }
            let written = |k: &Known| touched[i].iter().any(|a| a.conflicts(&k.access()));
            self.known.retain(|k| !written(k));
            self.known.append(&mut self.made);
        }
        plans
    }

    /// Tries one instruction; leaves no trace if it is not for lanes.
    fn instr(&mut self, instr: &Instr<T>) -> Option<LanesPlan<T>> {
        let before = (self.known.len(), self.blocks.len(), self.reads.len());
        (self.met, self.steps, self.sources) = (0, vec![], vec![]);
        let done = match instr {
            Instr::Map(map) => self.map(map),
            Instr::MatMul(product) => self.product(product).or_else(|| self.sums(product)),
            _ => None,
        };
        if done.is_none() {
            self.known.truncate(before.0);
            self.blocks.truncate(before.1);
            self.reads.truncate(before.2);
            self.made.clear();
            return None;
        }
        Some(LanesPlan {
            steps: std::mem::take(&mut self.steps),
            sources: std::mem::take(&mut self.sources),
            frame: self.frame(),
            slots: vec![],
        })
    }

    fn frame(&self) -> Frame<T> {
        Frame { rows: self.rows, row: self.row, base: std::ptr::null_mut() }
    }

    /// Adds a step; for a product, of so many features.
    fn push(&mut self, task: Task<T>, features: usize) {
        let run = kernel(&task, features, self.isa);
        let work = Work { task, frame: self.frame() };
        self.steps.push(Step::Lanes { run, work });
    }

    fn batch(&mut self, rows: usize) -> Option<()> {
        (self.rows, self.row) = (rows, rows.next_multiple_of(self.lanes));
        ROWS.contains(&rows).then_some(())
    }

    /// A product with weights: the left factor's rows are samples.
    fn product(&mut self, p: &MatMul) -> Option<()> {
        self.batch(p.m)?;
        if p.batch != 1 || p.k == 0 || p.k > FEATURES || p.n > FEATURES {
            return None;
        }
        let view = View { loc: p.a.loc, step: p.a.row, dims: &[p.k], strides: &[p.a.col] };
        let vectors = self.row / self.lanes;
        let (few, many) = (vectors * p.n * p.k, p.m * p.n.div_ceil(self.lanes) * p.k + OVERHEAD);
        let found = self.find(&view);
        let fetch = match found {
            Some(_) => 0,
            None if p.a.row == 1 => p.k,
            None => (SQUARE * p.k.div_ceil(self.lanes)).min(COLUMN * p.k),
        };
        if few + vectors * fetch >= many {
            return None;
        }
        let x = found.or_else(|| self.load(&view))?;
        let weights = p.b.loc.offset + (p.k - 1) * p.b.row + (p.n - 1) * p.b.col + 1;
        self.reads.push(Access { space: p.b.loc.space, range: p.b.loc.offset..weights, write: false });

        let (start, epilogue) = self.bias(p);
        let y = self.block(p.n * self.row);
        let mut done = 0;
        while done < p.n {
            // Pieces of about equal size.
            let features = (p.n - done).div_ceil((p.n - done).div_ceil(MOST));
            let start = match start {
                Start::Bias(place, step) => Start::Bias(place.further(done * step), step),
                Start::Zero => Start::Zero,
            };
            let w = Place::from(p.b.loc).further(done * p.b.col);
            let (k_step, j_step, y) = (p.b.row, p.b.col, self.at(y) + done * self.row);
            self.push(Task::Product { w, k_step, j_step, k: p.k, x, start, y }, features);
            done += features;
        }
        let mut args = vec![Arg::Block(self.at(y))];
        for (i, x) in p.inputs.iter().enumerate() {
            args.push(if uses(&epilogue, i + 1, &p.stores) {
                self.arg(&View { loc: x.loc, step: x.strides[1], dims: &[p.n], strides: &x.strides[2..] }, p.n)?
            } else {
                Arg::Unused
            });
        }
        self.program(&epilogue, &args, &p.stores, &[p.m, p.n], Some(y))
    }

    /// The first sum of an epilogue, if it adds a number of each feature to the product and nothing else needs the product alone.
    fn bias(&mut self, p: &MatMul) -> (Start, Expr) {
        let insts = p.epilogue.insts();
        let is_bias = |v: ValueId| match insts[usize::from(v)] {
            Inst::Input(i) if i > 0 => Some(&p.inputs[usize::from(i) - 1]).filter(|x| x.strides[1] == 0),
            _ => None,
        };
        let product = |v: ValueId| insts[usize::from(v)] == Inst::Input(0);
        let others = |sum: usize| {
            insts.iter().enumerate().any(|(v, inst)| v != sum && inst.uses().any(product))
                || p.stores.iter().any(|s| product(s.value))
        };
        for (v, inst) in insts.iter().enumerate() {
            let Inst::Binary(Binary::Add, a, b) = *inst else { continue };
            let bias = if product(a) { is_bias(b) } else { is_bias(a).filter(|_| product(b)) };
            if let Some(bias) = bias.filter(|_| !others(v)) {
                let end = bias.loc.offset + (p.n - 1) * bias.strides[2] + 1;
                self.reads.push(Access { space: bias.loc.space, range: bias.loc.offset..end, write: false });
                return (Start::Bias(bias.loc.into(), bias.strides[2]), p.epilogue.with(v, Inst::Input(0)));
            }
        }
        (Start::Zero, p.epilogue.clone())
    }

    /// A product of two values in lanes that sums over the batch.
    fn sums(&mut self, p: &MatMul) -> Option<()> {
        self.batch(p.k)?;
        let [store] = &p.stores[..] else { return None };
        let plain = p.epilogue.insts()[usize::from(store.value)] == Inst::Input(0);
        if p.batch != 1 || !plain || p.m * p.n > DOTS || p.m * p.n == 0 {
            return None;
        }
        let a = self.find(&View { loc: p.a.loc, step: p.a.col, dims: &[p.m], strides: &[p.a.row] })?;
        let b = self.find(&View { loc: p.b.loc, step: p.b.row, dims: &[p.n], strides: &[p.b.col] })?;
        self.push(Task::Dots { a, b, m: p.m, n: p.n, y: store.loc.into() }, p.n);
        Some(())
    }

    fn map(&mut self, map: &Map) -> Option<()> {
        let (&rows, inner) = map.dims.split_first()?;
        self.batch(rows)?;
        let features: usize = inner.iter().product();
        if features == 0 || features > FEATURES {
            return None;
        }
        let mut args = vec![];
        for (i, x) in map.inputs.iter().enumerate() {
            let Operand { loc, strides } = x;
            let view = View { loc: *loc, step: strides[0], dims: inner, strides: &strides[1..] };
            args.push(if uses(&map.expr, i, &map.stores) { self.arg(&view, features)? } else { Arg::Unused });
        }
        if self.met == 0 {
            return None;
        }
        self.program(&map.expr, &args, &map.stores, &map.dims, None)
    }

    /// An expression over all samples and features. `product` is the block of the first operand, if that was made for it.
    fn program(
        &mut self,
        expr: &Expr,
        args: &[Arg],
        stores: &[Store],
        dims: &[usize],
        product: Option<usize>,
    ) -> Option<()> {
        let leaf = |inst: &Inst| matches!(inst, Inst::Random(..) | Inst::Index(_) | Inst::Step);
        if expr.insts().iter().any(leaf) {
            return None;
        }
        let features: usize = dims[1..].iter().product();
        let n = features * self.row;
        // A product that is stored as it is needs no loop.
        let is_product = |s: &Store| product.is_some() && expr.insts()[usize::from(s.value)] == Inst::Input(0);
        let looped: Vec<&Store> = stores.iter().filter(|s| !is_product(s)).collect();
        let sinks: Vec<_> = looped
            .iter()
            .map(|s| (s.value, if s.reduce.is_some() { Sink::Fold(None) } else { Sink::Write(vec![]) }))
            .collect();
        let sources: Vec<map::Source> = args
            .iter()
            .map(|arg| if let Arg::Number(_) = arg { map::Source::Splat } else { map::Source::Direct })
            .collect();
        let program = Program::<T>::compile(expr, &sources, &vec![0; args.len()], &sinks, None, self.isa);

        // Blocks for what the stores make, then slots.
        let mut made: Vec<Option<usize>> = looped.iter().map(|s| s.reduce.is_none().then(|| self.block(n))).collect();
        let registers: Vec<usize> = (0..program.registers).map(|_| self.block(n)).collect();
        let splats: Vec<usize> = (0..program.splats).map(|_| self.block(self.lanes)).collect();
        let mut places: Vec<Source> = program
            .slots
            .iter()
            .map(|start| match *start {
                map::Start::Constant(x) => Source::Constant(x),
                map::Start::Splat(i) => Source::Number(self.at(splats[i])),
                map::Start::Register(i) => Source::Block(self.at(registers[i])),
                map::Start::Moving => Source::Block(0),
            })
            .collect();
        for (arg, slot) in args.iter().zip(&program.inputs) {
            if let Some(slot) = slot {
                places[usize::from(*slot)] = match *arg {
                    Arg::Number(at) => Source::Number(at),
                    Arg::Block(at) => Source::Block(at),
                    Arg::Unused => return None,
                };
            }
        }
        for (slot, block) in program.sinks.iter().zip(&made) {
            if let Some(block) = block {
                places[usize::from(*slot)] = Source::Block(self.at(*block));
            }
        }
        let wide = self.lanes;
        self.steps.extend(program.prologue.into_iter().map(|op| Step::Loop { op, n: wide }));
        self.steps.extend(program.body.into_iter().map(|op| Step::Loop { op, n }));
        for ((store, slot), made) in looped.iter().zip(&program.sinks).zip(&mut made) {
            if store.reduce.is_some() {
                let Source::Block(x) = places[usize::from(*slot)] else { return None };
                *made = self.reduce(store, dims, x)?;
            }
        }
        self.steps.extend(program.tail.into_iter().map(|op| Step::Loop { op, n }));
        self.sources = places;
        let mut made = made.into_iter();
        for store in stores {
            let block = if is_product(store) { product } else { made.next().expect("one for each") };
            if let Some(block) = block {
                let features = if store.reduce.is_some() { 1 } else { features };
                self.keep(store.loc, features, block);
            }
        }
        Some(())
    }

    /// Reduces a block: over the batch into memory, or over the features into a block.
    fn reduce(&mut self, store: &Store, dims: &[usize], x: usize) -> Option<Option<usize>> {
        let reduce = store.reduce?;
        let features: usize = dims[1..].iter().product();
        let of = |range: std::ops::Range<usize>| dims[range].iter().product::<usize>();
        let scale = T::from_f64(reduce.scale);
        if reduce.from == 0 && reduce.to > 0 {
            let (gone, left) = (of(1..reduce.to), of(reduce.to..dims.len()));
            if reduce.fold != Fold::Sum || (gone > 1 && left > 1) {
                return None;
            }
            self.push(Task::Sums { x, features, all: left == 1, scale, y: store.loc.into() }, features);
            return Some(None);
        }
        // All features, and some of them.
        if reduce.from == 0 || reduce.from >= reduce.to || of(reduce.from..reduce.to) != features {
            return None;
        }
        let y = self.block(self.row);
        self.push(Task::Fold { fold: reduce.fold, scale, x, features, y: self.at(y) }, features);
        Some(Some(y))
    }

    /// Lets others read a new value, and writes it to memory if one of them reads it there.
    fn keep(&mut self, loc: Loc, features: usize, block: usize) {
        let value = Known { space: loc.space, offset: loc.offset, step: features, rows: self.rows, features, block };
        let access = Access { write: true, ..value.access() };
        let state = loc.space == Space::State;
        if state || self.kept.as_ref().is_none_or(|kept| kept.iter().any(|read| read.conflicts(&access))) {
            self.push(Task::Store { x: self.at(block), features, y: loc.into() }, features);
        }
        self.made.push(value);
    }

    /// An operand of an expression over `features`.
    fn arg(&mut self, view: &View, features: usize) -> Option<Arg> {
        let single = view.dims.iter().zip(view.strides).all(|(&d, &s)| d == 1 || s == 0);
        let place = Place::from(view.loc);
        if view.step == 0 {
            let read = |len: usize| Access {
                space: view.loc.space,
                range: view.loc.offset..view.loc.offset + len,
                write: false,
            };
            if single {
                self.reads.push(read(1));
                let y = self.block(self.lanes);
                self.push(Task::Number { x: place, y: self.at(y) }, 1);
                return Some(Arg::Number(self.at(y)));
            }
            if !is_contiguous(view.dims, view.strides) {
                return None;
            }
            self.reads.push(read(features));
            let y = self.block(features * self.row);
            self.push(Task::Spread { x: place, features, y: self.at(y) }, features);
            return Some(Arg::Block(self.at(y)));
        }
        if single && features > 1 {
            let x = self.value(&View { dims: &[1], strides: &[1], ..*view })?;
            let y = self.block(features * self.row);
            self.push(Task::Repeat { x, features, y: self.at(y) }, features);
            return Some(Arg::Block(self.at(y)));
        }
        self.value(view).map(Arg::Block)
    }

    /// Where a value is in lanes, or can be had cheaply.
    fn value(&mut self, view: &View) -> Option<usize> {
        if let Some(x) = self.find(view) {
            return Some(x);
        }
        let features: usize = view.dims.iter().product();
        if features == 1 && view.step == 1 { self.load(view) } else { None }
    }

    /// Where a value is in lanes.
    fn find(&mut self, view: &View) -> Option<usize> {
        let features: usize = view.dims.iter().product();
        let (loc, rows) = (view.loc, self.rows);
        if features == 0 || !(features == 1 || is_contiguous(view.dims, view.strides)) {
            return None;
        }
        let fits = |k: &&Known| {
            k.space == loc.space
                && k.rows == rows
                && k.step == view.step
                && (k.offset..k.offset + k.features).contains(&loc.offset)
                && loc.offset + features <= k.offset + k.features
        };
        let Known { offset, block, .. } = *self.known.iter().find(fits)?;
        self.met += 1;
        self.blocks[block].to = self.now;
        Some(self.at(block) + (loc.offset - offset) * self.row)
    }

    /// Fetches a value from memory.
    fn load(&mut self, view: &View) -> Option<usize> {
        let features: usize = view.dims.iter().product();
        let col = if features == 1 { 1 } else { *view.strides.last()? };
        if view.step == 0 || view.dims.len() > 1 && features > 1 {
            return None;
        }
        let len = (self.rows - 1) * view.step + (features - 1) * col + 1;
        let range = view.loc.offset..view.loc.offset + len;
        self.reads.push(Access { space: view.loc.space, range, write: false });
        let block = self.block(features * self.row);
        let y = self.at(block);
        self.push(Task::Load { x: view.loc.into(), row: view.step, col, features, y }, features);
        if col == 1 {
            let Loc { space, offset } = view.loc;
            self.known.push(Known { space, offset, step: view.step, rows: self.rows, features, block });
        }
        Some(y)
    }

    /// A new block, needed by this instruction.
    fn block(&mut self, len: usize) -> usize {
        self.blocks.push(Block { len: len.next_multiple_of(16), from: self.now, to: self.now });
        self.blocks.len() - 1
    }

    fn at(&self, block: usize) -> usize {
        self.starts.get(block).copied().unwrap_or(0)
    }
}

/// Whether a store needs an operand.
fn uses(expr: &Expr, input: usize, stores: &[Store]) -> bool {
    let insts = expr.insts();
    let mut needed = vec![false; insts.len()];
    stores.iter().for_each(|s| needed[usize::from(s.value)] = true);
    for v in (0..insts.len()).rev() {
        if needed[v] {
            insts[v].uses().for_each(|x| needed[usize::from(x)] = true);
        }
    }
    insts.iter().zip(needed).any(|(inst, needed)| needed && *inst == Inst::Input(input as u16))
}
