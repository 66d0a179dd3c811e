//! The checks that let a list of instructions run without any.
//!
//! Every place an instruction reads or writes must lie inside its memory, nothing but the arena and the state may be written,
//! and what is written must not overlap what else the instruction uses, but for in-place stores.

use crate::expr::{Expr, Inst, Random};
use crate::instr::*;
use crate::map::RANK;
use crate::{Real, Sizes};
use std::fmt::Display;
use std::ops::Range;

/// An instruction that cannot run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("instruction {instr} ({kind}), {what}: expected {expected}, received {received}")]
pub struct CodeError {
    /// Its place in the list; the length of the list stands for the scalars.
    pub instr: usize,
    /// The kind of instruction.
    pub kind: &'static str,
    /// The part that is wrong.
    pub what: String,
    /// What it must be.
    pub expected: String,
    /// What it is.
    pub received: String,
}

/// A range of elements that an instruction reads or writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Access {
    pub space: Space,
    pub range: Range<usize>,
    pub write: bool,
}

impl Access {
    /// Whether the two cannot run in either order.
    pub(crate) fn conflicts(&self, other: &Access) -> bool {
        (self.write || other.write) && self.overlaps(other)
    }

    fn overlaps(&self, other: &Access) -> bool {
        self.space == other.space
            && !self.range.is_empty()
            && !other.range.is_empty()
            && self.range.start < other.range.end
            && other.range.start < self.range.end
    }
}

/// Checks one instruction and tells what it touches.
pub(crate) fn check<T: Real>(index: usize, instr: &Instr<T>, sizes: &Sizes) -> Result<Vec<Access>, CodeError> {
    let kind = match instr {
        Instr::Map(_) => "map",
        Instr::MatMul(_) => "product",
        Instr::Copy(_) => "copy",
        Instr::Fill { .. } => "fill",
        Instr::Conv(_) => "conv",
        Instr::Softmax(_) => "softmax",
        Instr::ArgMax(_) => "arg-max",
        Instr::Gather(_) => "gather",
        Instr::ScatterAdd(_) => "scatter-add",
        Instr::Pool(_) => "pooling",
        Instr::RoiPool(_) => "pooling of boxes",
        Instr::Sample(_) => "sample",
        Instr::StepScalars(_) => "step scalars",
        Instr::Guard { .. } => "guard",
        Instr::Call(_) => "call",
    };
    let mut check = Checker { instr: index, kind, sizes, accesses: Vec::new() };
    match instr {
        Instr::Map(map) => check.map(map)?,
        Instr::MatMul(product) => check.matmul(product)?,
        Instr::Copy(copy) => check.copy(copy)?,
        Instr::Fill { loc, len, .. } => {
            check.write("target", *loc, Some(*len))?;
        }
        Instr::Conv(conv) => check.conv(conv)?,
        Instr::Softmax(s) => {
            let len = s.rows.checked_mul(s.cols);
            let x = check.read("x", s.x, len)?;
            let y = check.write("y", s.y, len)?;
            if s.x != s.y {
                check.disjoint("y", &y, "x", &x)?;
            }
        }
        Instr::ArgMax(a) => {
            let x = check.read("x", a.x, product(&[a.outer, a.mid, a.inner]))?;
            let y = check.write("y", a.y, product(&[a.outer, a.inner]))?;
            check.disjoint("y", &y, "x", &x)?;
            if a.mid == 0 && a.outer > 0 && a.inner > 0 {
                return Err(check.error("axis", "at least 1 element", 0));
            }
        }
        Instr::Gather(g) => {
            let x = check.read("x", g.x, product(&[g.outer, g.mid, g.inner]))?;
            let index = check.read("index", g.index, Some(g.count))?;
            let y = check.write("y", g.y, product(&[g.outer, g.count, g.inner]))?;
            check.disjoint("y", &y, "x", &x)?;
            check.disjoint("y", &y, "index", &index)?;
        }
        Instr::ScatterAdd(s) => {
            let x = check.read("x", s.x, product(&[s.outer, s.count, s.inner]))?;
            let index = check.read("index", s.index, Some(s.count))?;
            let y = check.write("y", s.y, product(&[s.outer, s.mid, s.inner]))?;
            check.disjoint("y", &y, "x", &x)?;
            check.disjoint("y", &y, "index", &index)?;
        }
        Instr::Pool(pool) => check.pool(pool)?,
        Instr::RoiPool(pool) => check.roi_pool(pool)?,
        Instr::Sample(s) => {
            let images = product(&[s.images, s.height, s.width, s.channels]);
            let samples = product(&[s.sets, s.points, s.channels]);
            let (from, to) = if s.spread { (samples, images) } else { (images, samples) };
            let x = check.read("x", s.x, from)?;
            let at = check.read("at", s.at, product(&[s.sets, s.points, 2]))?;
            let image = check.read("image", s.image, Some(s.sets))?;
            let y = check.write("y", s.y, to)?;
            for (name, access) in [("x", x), ("at", at), ("image", image)] {
                check.disjoint("y", &y, name, &access)?;
            }
        }
        Instr::StepScalars(s) => check.step_scalars(s)?,
        Instr::Guard { loc, .. } => {
            check.read("element", *loc, Some(1))?;
        }
        Instr::Call(call) => {
            let y = check.write("output", call.output.0, Some(call.output.1))?;
            for (i, &(loc, len)) in call.inputs.iter().enumerate() {
                let x = check.read(&format!("input {i}"), loc, Some(len))?;
                check.disjoint("output", &y, &format!("input {i}"), &x)?;
            }
        }
    }
    Ok(check.accesses)
}

/// Checks that a number to report lies in memory.
pub(crate) fn check_scalar(instrs: usize, i: usize, loc: Loc, sizes: &Sizes) -> Result<Access, CodeError> {
    let mut check = Checker { instr: instrs, kind: "scalars", sizes, accesses: Vec::new() };
    check.read(&format!("scalar {i}"), loc, Some(1))
}

/// The number of elements, if it can be counted.
pub(crate) fn product(sizes: &[usize]) -> Option<usize> {
    if sizes.contains(&0) {
        return Some(0);
    }
    sizes.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
}

/// Row-major strides.
pub(crate) fn contiguous(dims: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; dims.len()];
    for k in (1..dims.len()).rev() {
        strides[k - 1] = strides[k].saturating_mul(dims[k]);
    }
    strides
}

/// Whether a view is row-major without gaps; the stride of a dimension of size 1 means nothing.
pub(crate) fn is_contiguous(dims: &[usize], strides: &[usize]) -> bool {
    let want = contiguous(dims);
    (0..dims.len()).all(|k| dims[k] == 1 || strides[k] == want[k])
}

struct Checker<'a> {
    instr: usize,
    kind: &'static str,
    sizes: &'a Sizes,
    accesses: Vec<Access>,
}

impl Checker<'_> {
    fn error(&self, what: impl Display, expected: impl Display, received: impl Display) -> CodeError {
        CodeError {
            instr: self.instr,
            kind: self.kind,
            what: what.to_string(),
            expected: expected.to_string(),
            received: received.to_string(),
        }
    }

    fn count(&self, what: &str, dims: &[usize]) -> Result<usize, CodeError> {
        product(dims)
            .filter(|&n| n <= isize::MAX as usize / 16)
            .ok_or_else(|| self.error(what, "a number of elements that fits in memory", format!("{dims:?}")))
    }

    fn rank(&self, dims: &[usize]) -> Result<(), CodeError> {
        if dims.iter().filter(|&&d| d > 1).count() > RANK {
            return Err(self.error("sizes", format!("at most {RANK} dimensions larger than 1"), format!("{dims:?}")));
        }
        Ok(())
    }

    fn read(&mut self, what: &str, loc: Loc, len: Option<usize>) -> Result<Access, CodeError> {
        self.access(what, loc, len, false)
    }

    fn write(&mut self, what: &str, loc: Loc, len: Option<usize>) -> Result<Access, CodeError> {
        self.access(what, loc, len, true)
    }

    fn access(&mut self, what: &str, loc: Loc, len: Option<usize>, write: bool) -> Result<Access, CodeError> {
        let size = match loc.space {
            Space::Arena => self.sizes.arena,
            Space::Const => self.sizes.consts,
            Space::State => self.sizes.state,
            Space::Input(i) => match self.sizes.inputs.get(usize::from(i)) {
                Some(&n) => n,
                None => return Err(self.error(what, format!("one of {} inputs", self.sizes.inputs.len()), i)),
            },
        };
        if write && !matches!(loc.space, Space::Arena | Space::State) {
            return Err(self.error(what, "a place in the arena or the state to write to", format!("{:?}", loc.space)));
        }
        let end = len.and_then(|n| loc.offset.checked_add(n)).filter(|&end| end <= size);
        let Some(end) = end else {
            let len = len.map_or("too many".to_owned(), |n| n.to_string());
            return Err(self.error(
                what,
                format!("elements of {:?} 0..{size}", loc.space),
                format!("{len} from {} on", loc.offset),
            ));
        };
        let access = Access { space: loc.space, range: loc.offset..end, write };
        self.accesses.push(access.clone());
        Ok(access)
    }

    fn view(&mut self, what: &str, dims: &[usize], view: &Operand, write: bool) -> Result<Access, CodeError> {
        if view.strides.len() != dims.len() {
            return Err(self.error(what, format!("{} strides", dims.len()), view.strides.len()));
        }
        let len = if dims.contains(&0) {
            Some(0)
        } else {
            dims.iter().zip(&view.strides).try_fold(1usize, |n, (&d, &s)| n.checked_add((d - 1).checked_mul(s)?))
        };
        self.access(what, view.loc, len, write)
    }

    fn disjoint(&self, what: &str, y: &Access, other: &str, x: &Access) -> Result<(), CodeError> {
        if y.overlaps(x) {
            return Err(self.error(
                what,
                format!("a place apart from {other} at {:?} {:?}", x.space, x.range),
                format!("{:?} {:?}", y.space, y.range),
            ));
        }
        Ok(())
    }

    fn expr(&self, what: &str, expr: &Expr, inputs: usize, dims: &[usize]) -> Result<(), CodeError> {
        if expr.insts().len() > usize::from(u16::MAX) {
            return Err(self.error(what, "at most 65535 values", expr.insts().len()));
        }
        for (i, inst) in expr.insts().iter().enumerate() {
            let place = || format!("{what} value {i}");
            if let Some(late) = inst.uses().find(|&v| usize::from(v) >= i) {
                return Err(self.error(place(), "the use of earlier values", format!("value {late}")));
            }
            match *inst {
                Inst::Input(k) if usize::from(k) >= inputs => {
                    return Err(self.error(place(), format!("one of {inputs} inputs"), format!("input {k}")));
                }
                Inst::Index(d) if usize::from(d) >= dims.len() => {
                    return Err(self.error(place(), format!("one of {} dimensions", dims.len()), format!("index {d}")));
                }
                Inst::Random(kind, _) => {
                    if let Random::Bernoulli(p) = kind
                        && !(0.0..=1.0).contains(&p)
                    {
                        return Err(self.error(place(), "a probability", p));
                    }
                    if self.count(what, dims)? / 4 > u32::MAX as usize {
                        return Err(self.error(place(), "at most 2^34 random elements", format!("{dims:?}")));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Stores against each other and against the operands that they may share a place with.
    fn stores(
        &self,
        stores: &[(Access, bool)],
        inputs: &[(Access, bool)],
        names: impl Fn(usize) -> String,
    ) -> Result<(), CodeError> {
        for (i, (y, whole)) in stores.iter().enumerate() {
            for (j, (other, _)) in stores[..i].iter().enumerate() {
                self.disjoint(&format!("store {i}"), y, &format!("store {j}"), other)?;
            }
            for (j, (x, contiguous)) in inputs.iter().enumerate() {
                if !(*whole && *contiguous && x.space == y.space && x.range == y.range) {
                    self.disjoint(&format!("store {i}"), y, &names(j), x)?;
                }
            }
        }
        Ok(())
    }

    fn map(&mut self, map: &Map) -> Result<(), CodeError> {
        let len = self.count("domain", &map.dims)?;
        self.rank(&map.dims)?;
        self.expr("expression", &map.expr, map.inputs.len(), &map.dims)?;
        let mut inputs = Vec::new();
        for (i, x) in map.inputs.iter().enumerate() {
            let access = self.view(&format!("input {i}"), &map.dims, x, false)?;
            inputs.push((access, is_contiguous(&map.dims, &x.strides)));
        }
        let mut stores = Vec::new();
        for (i, store) in map.stores.iter().enumerate() {
            let what = format!("store {i}");
            let values = map.expr.insts().len();
            if usize::from(store.value) >= values {
                return Err(self.error(&what, format!("one of {values} values"), format!("value {}", store.value)));
            }
            let len = match store.reduce {
                None => len,
                Some(r) if r.from > r.to || r.to > map.dims.len() => {
                    let expected = format!("a range of the {} dimensions to reduce", map.dims.len());
                    return Err(self.error(&what, expected, format!("{}..{}", r.from, r.to)));
                }
                Some(r) => {
                    let kept: Vec<usize> = map.dims[..r.from].iter().chain(&map.dims[r.to..]).copied().collect();
                    self.count(&what, &kept)?
                }
            };
            stores.push((self.write(&what, store.loc, Some(len))?, store.reduce.is_none()));
        }
        self.stores(&stores, &inputs, |j| format!("input {j}"))
    }

    fn conv(&mut self, c: &Conv) -> Result<(), CodeError> {
        if c.groups == 0 || !c.channels.is_multiple_of(c.groups) || !c.filters.is_multiple_of(c.groups) {
            let received = format!("{} channels, {} filters, {} groups", c.channels, c.filters, c.groups);
            return Err(self.error("groups", "channels and filters that can be divided by them", received));
        }
        for s in &c.slides {
            if s.size == 0 || s.stride == 0 || s.dilation == 0 {
                return Err(self.error("window", "size, stride and dilation of at least 1", format!("{s:?}")));
            }
            let reach = s.size.checked_mul(s.dilation).and_then(|n| n.checked_add(s.output.checked_mul(s.stride)?));
            let padded = reach.and_then(|n| n.checked_add(s.before)?.checked_add(s.input));
            if padded.is_none_or(|n| n > isize::MAX as usize / 16) {
                return Err(self.error("window", "sizes that fit in memory", format!("{s:?}")));
            }
        }
        let image = |size: fn(&Slide) -> usize, channels| {
            product(&[c.batch, channels].into_iter().chain(c.slides.iter().map(size)).collect::<Vec<_>>())
        };
        let weights = product(&[&c.slides.map(|s| s.size)[..], &[c.channels / c.groups, c.filters]].concat());
        let (x, y) = (image(|s| s.input, c.channels), image(|s| s.output, c.filters));
        let padded = |s: &Slide| s.input + s.output * s.stride + s.before + s.size * s.dilation;
        self.count("padded image", &[&c.slides.map(|s| padded(&s))[..], &[c.channels.max(c.filters)]].concat())?;
        let [x, w, y] = [("x", c.x, x, Side::Input), ("w", c.w, weights, Side::Weight), ("y", c.y, y, Side::Output)]
            .map(|(name, loc, len, side)| self.access(name, loc, len, c.side == side));
        let (x, w, y) = (x?, w?, y?);
        let (target, name, others) = match c.side {
            Side::Input => (&x, "x", [("w", &w), ("y", &y)]),
            Side::Weight => (&w, "w", [("x", &x), ("y", &y)]),
            Side::Output => (&y, "y", [("x", &x), ("w", &w)]),
        };
        others.iter().try_for_each(|(other, access)| self.disjoint(name, target, other, access))
    }

    fn matmul(&mut self, p: &MatMul) -> Result<(), CodeError> {
        let dims = [p.batch, p.m, p.n];
        let len = self.count("domain", &dims)?;
        self.expr("epilogue", &p.epilogue, p.inputs.len() + 1, &dims)?;
        let view = |f: &Factor, row, col| Operand { loc: f.loc, strides: vec![f.batch, row, col] };
        let mut factors = Vec::new();
        for (what, f, dims) in [("a", &p.a, [p.batch, p.m, p.k]), ("b", &p.b, [p.batch, p.k, p.n])] {
            // A product without inner axis or result reads neither factor.
            let dims = if len == 0 || p.k == 0 { [0; 3] } else { dims };
            factors.push((self.view(what, &dims, &view(f, f.row, f.col), false)?, false));
        }
        let mut inputs = Vec::new();
        for (i, x) in p.inputs.iter().enumerate() {
            let access = self.view(&format!("epilogue operand {i}"), &dims, x, false)?;
            inputs.push((access, is_contiguous(&dims, &x.strides)));
        }
        let mut stores = Vec::new();
        for (i, store) in p.stores.iter().enumerate() {
            let what = format!("store {i}");
            let values = p.epilogue.insts().len();
            if usize::from(store.value) >= values {
                return Err(self.error(&what, format!("one of {values} values"), format!("value {}", store.value)));
            }
            if store.reduce.is_some() {
                return Err(self.error(&what, "no reduction in a product", "one"));
            }
            stores.push((self.write(&what, store.loc, Some(len))?, true));
        }
        self.stores(&stores, &factors, |j| ["a", "b"][j].to_owned())?;
        self.stores(&stores, &inputs, |j| format!("epilogue operand {j}"))
    }

    fn copy(&mut self, copy: &Copy) -> Result<(), CodeError> {
        self.count("sizes", &copy.dims)?;
        self.rank(&copy.dims)?;
        let x = self.view("source", &copy.dims, &copy.source, false)?;
        let y = self.view("target", &copy.dims, &copy.target, true)?;
        self.disjoint("target", &y, "source", &x)?;
        let mut order: Vec<(usize, usize)> =
            copy.target.strides.iter().copied().zip(copy.dims.iter().copied()).filter(|&(_, d)| d > 1).collect();
        order.sort_unstable();
        let mut reach = 0;
        for (stride, size) in order {
            if stride <= reach && !copy.dims.contains(&0) {
                let received = format!("sizes {:?} with strides {:?}", copy.dims, copy.target.strides);
                return Err(self.error("target", "every element written once", received));
            }
            reach += stride * (size - 1);
        }
        Ok(())
    }

    fn pool(&mut self, p: &Pool) -> Result<(), CodeError> {
        if !(1..=3).contains(&p.axes.len()) {
            return Err(self.error("axes", "from 1 to 3", p.axes.len()));
        }
        for (k, axis) in p.axes.iter().enumerate() {
            let what = format!("axis {k}");
            if let PoolAxis::Slide(s) = axis {
                if s.size == 0 || s.stride == 0 || s.dilation == 0 {
                    let received = format!("{} {} {}", s.size, s.stride, s.dilation);
                    return Err(self.error(what, "size, stride and dilation of at least 1", received));
                }
                let small = [s.input, s.output, s.size, s.stride, s.dilation, s.before].iter().all(|&n| n < 1 << 30);
                if !small {
                    return Err(self.error(what, "sizes below 2^30", format!("{s:?}")));
                }
            }
            if axis.input() >= 1 << 30 || axis.output() >= 1 << 30 {
                return Err(self.error(what, "sizes below 2^30", format!("{axis:?}")));
            }
            if let Some(o) = (0..axis.output()).find(|&o| axis.seen(o).count == 0) {
                return Err(self.error(what, "windows that see at least one element", format!("none in window {o}")));
            }
        }
        let count = |f: fn(&PoolAxis) -> usize| {
            let sizes: Vec<usize> = [p.batch, p.channels].into_iter().chain(p.axes.iter().map(f)).collect();
            product(&sizes)
        };
        let (inputs, outputs) = (count(PoolAxis::input), count(PoolAxis::output));
        let (whole, reduced) = if p.pooling.is_transposed() { (outputs, inputs) } else { (inputs, outputs) };
        let x = self.read("x", p.x, if p.pooling == Pooling::Return { inputs } else { whole })?;
        let y = self.write("y", p.y, reduced)?;
        self.disjoint("y", &y, "x", &x)?;
        match (p.v, p.pooling.has_second()) {
            (Some(v), true) => {
                let v = self.read("v", v, whole)?;
                self.disjoint("y", &y, "v", &v)
            }
            (None, false) => Ok(()),
            (_, true) => Err(self.error("v", "a second operand", "none")),
            (_, false) => Err(self.error("v", "no second operand", "one")),
        }
    }

    fn roi_pool(&mut self, p: &RoiPool) -> Result<(), CodeError> {
        if matches!(p.pooling, Pooling::Sum | Pooling::Spread) {
            return Err(self.error("pooling", "the largest of a bin", format!("{:?}", p.pooling)));
        }
        let images = product(&[p.images, p.height, p.width, p.channels]);
        let bins = product(&[p.count, p.out[0], p.out[1], p.channels]);
        let x = self.read("x", p.x, images)?;
        let boxes = self.read("boxes", p.boxes, product(&[p.count, 5]))?;
        let (from, to) = if p.pooling.is_transposed() { (bins, images) } else { (images, bins) };
        let y = self.write("y", p.y, to)?;
        self.disjoint("y", &y, "x", &x)?;
        self.disjoint("y", &y, "boxes", &boxes)?;
        match (p.v, p.pooling.has_second()) {
            (Some(v), true) => {
                let v = self.read("v", v, from)?;
                self.disjoint("y", &y, "v", &v)
            }
            (None, false) => Ok(()),
            (_, true) => Err(self.error("v", "a second operand", "none")),
            (_, false) => Err(self.error("v", "no second operand", "one")),
        }
    }

    fn step_scalars(&mut self, s: &StepScalars) -> Result<(), CodeError> {
        self.expr("expression", &s.expr, 0, &[])?;
        if let Some(i) = s.expr.insts().iter().position(|x| matches!(x, Inst::Random(..))) {
            return Err(self.error(format!("expression value {i}"), "the step and constants only", "a random number"));
        }
        let mut stores: Vec<Access> = Vec::new();
        for (i, &(value, loc)) in s.stores.iter().enumerate() {
            let what = format!("store {i}");
            let values = s.expr.insts().len();
            if usize::from(value) >= values {
                return Err(self.error(&what, format!("one of {values} values"), format!("value {value}")));
            }
            let y = self.write(&what, loc, Some(1))?;
            for (j, other) in stores.iter().enumerate() {
                self.disjoint(&what, &y, &format!("store {j}"), other)?;
            }
            stores.push(y);
        }
        Ok(())
    }
}
