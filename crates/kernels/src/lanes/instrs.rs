//! How single instructions become steps.

use super::plan::{Arg, Planner, View};
use super::run::MOST;
use super::{Source, Start, Step, Task};
use crate::context::Place;
use crate::instr::{Fold, Map, MatMul, Operand, Store};
use crate::map::{self, Program, Sink};
use crate::simd::native_vectors;
use crate::verify::Access;
use crate::{Binary, Expr, Inst, Real, ValueId};

/// The most features of a value.
const FEATURES: usize = 64;
/// The most sums over the batch of one product.
const DOTS: usize = 64;
/// What turning a square of features costs, in vectors of a product.
const SQUARE: usize = 64;
/// What fetching one feature costs.
const COLUMN: usize = 10;
/// What a small product costs beyond its vectors where the lanes hold features.
const OVERHEAD: usize = 40;

impl<T: Real> Planner<T> {
    /// A product with weights: the left factor's rows are samples.
    pub fn product(&mut self, p: &MatMul) -> Option<()> {
        self.batch(p.m)?;
        if p.batch != 1 || p.k == 0 || p.n == 0 || p.k > FEATURES || p.n > FEATURES {
            return None;
        }
        let view = View { loc: p.a.loc, step: p.a.row, dims: &[p.k], strides: &[p.a.col] };
        let found = self.find(&view);
        let (vectors, squares) = (self.row / self.lanes, |features: usize| SQUARE * features.div_ceil(self.lanes));
        let fetch = match found {
            Some(_) => 0,
            None if p.a.row == 1 => p.k,
            None => squares(p.k).min(COLUMN * p.k),
        };
        // The gradient of many weights is a product of rows, and reads its factors from memory.
        let (back, overhead) = if p.k * p.n > DOTS { (squares(p.k) + squares(p.n), 0) } else { (0, OVERHEAD) };
        let by_rows = p.m * p.n.div_ceil(self.lanes) * p.k + overhead;
        if vectors * (p.n * p.k + fetch + back) >= by_rows {
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
    pub fn sums(&mut self, p: &MatMul) -> Option<()> {
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

    pub fn map(&mut self, map: &Map) -> Option<()> {
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
        // Chains take single vectors, or eight and more.
        let vectors = native_vectors::<T>(self.isa).filter(|v| n == v.lanes || n >= 8 * v.lanes);
        let program = Program::<T>::compile(expr, &sources, &vec![0; args.len()], &sinks, vectors, self.isa);

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
