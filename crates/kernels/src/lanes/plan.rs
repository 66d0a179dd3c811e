//! Which instructions run with the batch in the lanes, and which values they keep there.
//!
//! The plan is made twice: first to learn who reads what from memory and for how long each block is needed, then for good. A value that
//! nothing reads from memory is never written there.

use super::blocks::{self, Block};
use super::run::kernel;
use super::{Frame, LanesPlan, Source, Step, Task, Work};
use crate::context::Place;
use crate::instr::{Instr, Loc, Space};
use crate::tiles::lanes;
use crate::verify::{Access, is_contiguous};
use crate::{Isa, Real};

/// The fewest and the most samples of a batch.
const ROWS: std::ops::RangeInclusive<usize> = 4..=32;
/// How far apart samples may lie that are fetched.
const FAR: usize = 1 << 20;

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
pub struct View<'a> {
    pub loc: Loc,
    pub step: usize,
    pub dims: &'a [usize],
    pub strides: &'a [usize],
}

/// An operand of an expression.
#[derive(Clone, Copy)]
pub enum Arg {
    Number(usize),
    Block(usize),
    Unused,
}

pub struct Planner<T> {
    pub isa: Isa,
    pub lanes: usize,
    /// Where blocks start, once that is known.
    starts: Vec<usize>,
    /// What must be in memory, once that is known.
    kept: Option<Vec<Access>>,
    known: Vec<Known>,
    blocks: Vec<Block>,
    pub reads: Vec<Access>,
    now: usize,
    rows: usize,
    pub row: usize,
    pub steps: Vec<Step<T>>,
    pub sources: Vec<Source>,
    /// Values of this instruction: blocks to come.
    made: Vec<Known>,
    /// Operands of this instruction that were in lanes already.
    pub met: usize,
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

    fn instr(&mut self, instr: &Instr<T>) -> Option<LanesPlan<T>> {
        match instr {
            Instr::Map(map) => self.attempt(|planner| planner.map(map)),
            // Sums over the batch first: the features of what they read may be as many as the samples of a batch.
            Instr::MatMul(product) => self
                .attempt(|planner| planner.sums(product))
                .or_else(|| self.attempt(|planner| planner.product(product))),
            _ => None,
        }
    }

    /// Tries one way; leaves no trace if it is none.
    fn attempt(&mut self, way: impl FnOnce(&mut Self) -> Option<()>) -> Option<LanesPlan<T>> {
        let before = (self.known.len(), self.blocks.len(), self.reads.len());
        (self.met, self.steps, self.sources) = (0, vec![], vec![]);
        if way(self).is_none() {
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
    pub fn push(&mut self, task: Task<T>, features: usize) {
        let run = kernel(&task, features, self.isa);
        let work = Work { task, frame: self.frame() };
        self.steps.push(Step::Lanes { run, work });
    }

    pub fn batch(&mut self, rows: usize) -> Option<()> {
        (self.rows, self.row) = (rows, rows.next_multiple_of(self.lanes));
        ROWS.contains(&rows).then_some(())
    }

    /// Lets others read a new value, and writes it to memory if one of them reads it there.
    pub fn keep(&mut self, loc: Loc, features: usize, block: usize) {
        let value = Known { space: loc.space, offset: loc.offset, step: features, rows: self.rows, features, block };
        let access = Access { write: true, ..value.access() };
        let state = loc.space == Space::State;
        if state || self.kept.as_ref().is_none_or(|kept| kept.iter().any(|read| read.conflicts(&access))) {
            self.push(Task::Store { x: self.at(block), features, y: loc.into() }, features);
        }
        self.made.push(value);
    }

    /// An operand of an expression over `features`.
    pub fn arg(&mut self, view: &View, features: usize) -> Option<Arg> {
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
    pub fn value(&mut self, view: &View) -> Option<usize> {
        if let Some(x) = self.find(view) {
            return Some(x);
        }
        let features: usize = view.dims.iter().product();
        if features == 1 && view.step == 1 { self.load(view) } else { None }
    }

    /// Where a value is in lanes.
    pub fn find(&mut self, view: &View) -> Option<usize> {
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
    pub fn load(&mut self, view: &View) -> Option<usize> {
        let features: usize = view.dims.iter().product();
        let col = if features == 1 { 1 } else { *view.strides.last()? };
        if view.step == 0 || view.step > FAR || view.dims.len() > 1 && features > 1 {
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
    pub fn block(&mut self, len: usize) -> usize {
        self.blocks.push(Block { len: len.next_multiple_of(16), from: self.now, to: self.now });
        self.blocks.len() - 1
    }

    pub fn at(&self, block: usize) -> usize {
        self.starts.get(block).copied().unwrap_or(0)
    }
}
