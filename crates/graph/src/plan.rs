//! From groups of nodes to instructions over memory: who computes when, and where every value lies.
//!
//! Views cost nothing: a value is a place with strides. Gradients are computed straight into the flat block that the optimiser
//! reads, and updated values straight into the state, wherever nothing still needs the old ones.

use crate::Kernel;
use crate::Op;
use crate::model::{Frozen, NodeId, padded};
use crate::ops::contiguous;
use crate::passes::Dag;
use crate::passes::group::{Groups, Work};
use crate::state::Layout;
use gradus_kernels::instr::{
    ArgMax, Call, Copy, Factor, Gather, Instr, Loc, Map, MatMul, Operand, Reduce, ScatterAdd, Softmax, Space,
    StepScalars, Store,
};
use gradus_kernels::{Expr, Inst, Real, Sizes, ValueId};
use std::collections::HashMap;

/// What a compiled step must deliver. Every number is a position in the graph's list of roots.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// Values to read after a run.
    pub(crate) outputs: Vec<usize>,
    /// Single numbers to add up over steps.
    pub(crate) scalars: Vec<usize>,
    /// Single numbers that must be finite; the run ends before any update if one is not.
    pub(crate) guards: Vec<usize>,
    /// Parts of the state (first element) that take a new value.
    pub(crate) updates: Vec<(usize, usize)>,
}

/// A list of instructions and where its results lie.
pub(crate) struct Plan<T> {
    pub(crate) instrs: Vec<Instr<T>>,
    /// What each instruction computes, for people.
    pub(crate) labels: Vec<String>,
    pub(crate) sizes: Sizes,
    pub(crate) consts: Vec<f64>,
    /// First element in the arena and sizes of each output.
    pub(crate) outputs: Vec<(usize, Vec<usize>)>,
    pub(crate) scalars: Vec<Loc>,
}

/// Elements are placed at multiples of a cache line.
const ALIGN: usize = 16;
/// While planning, an arena offset is a buffer's number times this, plus the offset within it.
const BUFFER: usize = 1 << 40;

/// Where a value lies and how it is walked.
#[derive(Clone, Debug)]
struct Value {
    loc: Loc,
    sizes: Vec<usize>,
    strides: Vec<usize>,
}

impl Value {
    fn contiguous(loc: Loc, sizes: Vec<usize>) -> Value {
        let strides = contiguous(&sizes);
        Value { loc, sizes, strides }
    }

    fn len(&self) -> usize {
        self.sizes.iter().product()
    }

    fn is_contiguous(&self) -> bool {
        self.sizes.iter().zip(&self.strides).zip(contiguous(&self.sizes)).all(|((&n, &s), c)| n == 1 || s == c)
    }

    /// The view broadcast to a domain, aligned at the last axis.
    fn over(&self, domain: &[usize]) -> Operand {
        let missing = domain.len() - self.sizes.len();
        let stride =
            |i: usize| i.checked_sub(missing).map_or(0, |j| if self.sizes[j] == 1 { 0 } else { self.strides[j] });
        Operand { loc: self.loc, strides: (0..domain.len()).map(stride).collect() }
    }
}

/// Plans the groups of a graph.
pub(crate) fn plan<T: Real>(
    dag: &Dag,
    groups: &Groups,
    wanted: &Wanted,
    model: &Frozen,
    layout: &Layout,
    batch: usize,
) -> Plan<T> {
    let mut planner = Planner {
        dag,
        groups,
        model,
        layout,
        kernels: (0..dag.nodes.len()).map(|id| dag.kernel(id)).collect(),
        places: HashMap::new(),
        buffers: vec![],
        consts: vec![],
        instrs: vec![],
        labels: vec![],
    };
    let order = planner.schedule(wanted);
    let copies = planner.place_results(wanted, &order);
    for g in order.iter().map(Some).chain([None]) {
        if let Some(&g) = g {
            planner.lower(g);
        }
        // A guard stands right behind what it guards.
        for (id, &root) in wanted.guards.iter().enumerate() {
            let by = groups.of[planner.base(dag.roots[root])];
            if by == g.copied() {
                let loc = planner.value(dag.roots[root]).loc;
                planner.emit(Instr::Guard { loc, id: id as u32 }, "guard".into());
            }
        }
    }
    for (target, root) in copies {
        let value = planner.value(dag.roots[root]);
        let to = Value::contiguous(Loc { space: Space::State, offset: target }, value.sizes.clone());
        planner.copy(&value, &to, "update");
    }
    let outputs: Vec<Value> = wanted.outputs.iter().map(|&root| planner.output(dag.roots[root])).collect();
    let scalars: Vec<Loc> = wanted.scalars.iter().map(|&root| planner.value(dag.roots[root]).loc).collect();
    planner.finish(&outputs, scalars, batch)
}

/// A buffer of the arena.
struct BufferSpec {
    len: usize,
    /// Kept from the first step on, never shared.
    pinned: bool,
}

struct Planner<'a, T> {
    dag: &'a Dag,
    groups: &'a Groups,
    model: &'a Frozen,
    layout: &'a Layout,
    kernels: Vec<Option<Kernel>>,
    places: HashMap<NodeId, Loc>,
    buffers: Vec<BufferSpec>,
    consts: Vec<f64>,
    instrs: Vec<Instr<T>>,
    labels: Vec<String>,
}

impl<T: Real> Planner<'_, T> {
    /// The node whose memory a node is a view of; itself if it is none.
    fn base(&self, mut id: NodeId) -> NodeId {
        while self.groups.of[id].is_none() && matches!(self.kernels[id], Some(Kernel::View { .. } | Kernel::Reshape)) {
            id = self.dag.nodes[id].inputs[0];
        }
        id
    }

    /// Where a variable or flat vector starts in the state.
    fn state_start(&self, id: NodeId) -> Option<usize> {
        match self.dag.nodes[id].op {
            Op::Variable(v) => Some(self.layout.variables[v]),
            Op::Flat(f) => Some(self.layout.flats[f]),
            _ => None,
        }
    }

    /// The part of the state that a node is, perhaps through views: first element, length, and whether it is walked in order.
    fn state_part(&self, id: NodeId) -> Option<(usize, usize, bool)> {
        let len = self.dag.nodes[id].shape.len_at(1);
        if let Some(start) = self.state_start(id) {
            return Some((start, len, true));
        }
        if self.groups.of[id].is_some() {
            return None;
        }
        let input = *self.dag.nodes[id].inputs.first()?;
        match &self.kernels[id] {
            Some(Kernel::Reshape) => self.state_part(input),
            Some(Kernel::View { axes, start }) => {
                let (first, whole, in_order) = self.state_part(input)?;
                match (&axes[..], &start[..]) {
                    ([Some((0, 1))], [skip]) if in_order => Some((first + skip, len, true)),
                    _ => Some((first, whole, false)),
                }
            }
            _ => None,
        }
    }

    /// The values that a group reads from memory, as it sees them, and whether it needs each whole before it writes.
    fn reads(&self, g: usize) -> Vec<(NodeId, bool)> {
        let group = &self.groups.groups[g];
        let mut reads = vec![];
        for &n in &group.nodes {
            let whole = group.work == Work::Single || matches!(self.kernels[n], Some(Kernel::MatMul { .. }));
            let mut stack = self.dag.nodes[n].inputs.clone();
            while let Some(id) = stack.pop() {
                match self.groups.of[id] {
                    Some(h) if h == g => {}
                    None if self.groups.free[id] => stack.extend(&self.dag.nodes[id].inputs),
                    _ => reads.push((id, whole)),
                }
            }
        }
        reads.sort_unstable();
        reads.dedup();
        reads
    }

    /// An order in which the groups can run: groups that write to the state as late as possible, after all that read the old values.
    fn schedule(&self, wanted: &Wanted) -> Vec<usize> {
        let count = self.groups.groups.len();
        let ranges = |g: usize| -> Vec<(usize, usize)> {
            self.reads(g).into_iter().filter_map(|(x, _)| self.state_part(x)).map(|p| (p.0, p.1)).collect()
        };
        let read: Vec<Vec<(usize, usize)>> = (0..count).map(ranges).collect();
        let mut written: Vec<Vec<(usize, usize)>> = vec![vec![]; count];
        for &(target, root) in &wanted.updates {
            let id = self.dag.roots[root];
            if let Some(g) = self.groups.of[id] {
                written[g].push((target, self.dag.nodes[id].shape.len_at(1)));
            }
        }
        let overlap = |a: &(usize, usize), b: &(usize, usize)| a.0 < b.0 + b.1 && b.0 < a.0 + a.1;
        let mut done = vec![false; count];
        let mut order = vec![];
        while order.len() < count {
            let ready = |g: &usize| !done[*g] && self.groups.needs[*g].iter().all(|&h| done[h]);
            let harmless = |g: &usize| {
                (0..count)
                    .all(|h| h == *g || done[h] || !read[h].iter().any(|r| written[*g].iter().any(|w| overlap(r, w))))
            };
            let next = (0..count)
                .filter(|g| written[*g].is_empty())
                .find(ready)
                .or_else(|| (0..count).filter(ready).find(harmless))
                .or_else(|| (0..count).find(ready))
                .expect("groups have no cycles");
            done[next] = true;
            order.push(next);
        }
        order
    }

    /// Gives every stored value its place before anything is lowered, and returns the updates that must be copied at the end.
    fn place_results(&mut self, wanted: &Wanted, order: &[usize]) -> Vec<(usize, usize)> {
        let mut copies = vec![];
        for &(target, root) in &wanted.updates {
            let id = self.dag.roots[root];
            if self.can_write_through(target, id, order) {
                self.places.insert(id, Loc { space: Space::State, offset: target });
            } else {
                copies.push((target, root));
            }
        }
        for id in 0..self.dag.nodes.len() {
            if !matches!(self.dag.nodes[id].op, Op::Pack(_)) {
                continue;
            }
            let block = self.buffer(self.dag.nodes[id].shape.len_at(1), true);
            self.places.insert(id, block);
            let mut offset = block.offset;
            for &x in &self.dag.nodes[id].inputs {
                let base = self.base(x);
                let whole = self.dag.nodes[base].shape.len_at(1) == self.dag.nodes[x].shape.len_at(1)
                    && self.same_order(x, base);
                if self.groups.of[base].is_some() && whole && !self.places.contains_key(&base) {
                    self.places.insert(base, Loc { space: Space::Arena, offset });
                }
                offset += padded(self.dag.nodes[x].shape.len_at(1));
            }
        }
        let stored: Vec<NodeId> = self.stored(wanted);
        for id in stored {
            if !self.places.contains_key(&id) {
                let loc = self.buffer(self.dag.nodes[id].shape.len_at(1), false);
                self.places.insert(id, loc);
            }
        }
        copies
    }

    /// Whether the views between a node and its base only rename the shape.
    fn same_order(&self, mut id: NodeId, base: NodeId) -> bool {
        while id != base {
            if !matches!(self.kernels[id], Some(Kernel::Reshape)) {
                return false;
            }
            id = self.dag.nodes[id].inputs[0];
        }
        true
    }

    /// Whether a new value can be written over the old one: nothing reads the old one later, and its own group only in step.
    fn can_write_through(&self, target: usize, id: NodeId, order: &[usize]) -> bool {
        let Some(g) = self.groups.of[id].filter(|_| !self.places.contains_key(&id)) else { return false };
        let len = self.dag.nodes[id].shape.len_at(1);
        let overlapping = |h: usize| {
            let parts = self.reads(h).into_iter().filter_map(|(x, whole)| Some((x, whole, self.state_part(x)?)));
            parts.filter(move |(.., part)| part.0 < target + len && target < part.0 + part.1)
        };
        let mut later = order.iter().skip_while(|&&h| h != g).skip(1);
        if later.any(|&h| overlapping(h).next().is_some()) {
            return false;
        }
        let domain = &self.groups.groups[g].domain;
        let elementwise = self.dag.sizes(id) == *domain && !matches!(self.kernels[id], Some(Kernel::Reduce { .. }));
        overlapping(g).all(|(x, whole, (start, _, in_order))| {
            elementwise && !whole && in_order && start == target && self.dag.sizes(x) == *domain
        })
    }

    /// The members of groups whose values others read from memory.
    fn stored(&self, wanted: &Wanted) -> Vec<NodeId> {
        let mut needed = vec![false; self.dag.nodes.len()];
        let roots = wanted
            .outputs
            .iter()
            .chain(&wanted.scalars)
            .chain(&wanted.guards)
            .chain(wanted.updates.iter().map(|u| &u.1));
        for &root in roots {
            needed[self.base(self.dag.roots[root])] = true;
        }
        for g in 0..self.groups.groups.len() {
            for (x, _) in self.reads(g) {
                needed[self.base(x)] = true;
            }
            if self.groups.groups[g].work == Work::Single {
                self.groups.groups[g].nodes.iter().for_each(|&n| needed[n] = true);
            }
        }
        (0..needed.len()).filter(|&id| needed[id] && self.groups.of[id].is_some()).collect()
    }

    fn buffer(&mut self, len: usize, pinned: bool) -> Loc {
        self.buffers.push(BufferSpec { len, pinned });
        Loc { space: Space::Arena, offset: (self.buffers.len() - 1) * BUFFER }
    }

    fn emit(&mut self, instr: Instr<T>, label: String) {
        self.instrs.push(instr);
        self.labels.push(label);
    }

    /// Where a node's value lies. May emit a copy where a reshape cannot be a view.
    fn value(&mut self, id: NodeId) -> Value {
        let sizes = self.dag.sizes(id);
        if let Some(&loc) = self.places.get(&id) {
            return Value::contiguous(loc, sizes);
        }
        let node = &self.dag.nodes[id];
        match &node.op {
            Op::Input(i) => {
                let loc = Loc { space: Space::Input(*i as u8), offset: 0 };
                return Value::contiguous(loc, sizes);
            }
            Op::Variable(_) | Op::Flat(_) => {
                let offset = self.state_start(id).unwrap_or(0);
                return Value::contiguous(Loc { space: Space::State, offset }, sizes);
            }
            Op::Fill(fill) => {
                let bits = fill.value.to_bits();
                let known = self.consts.iter().position(|c| c.to_bits() == bits);
                let offset = known.unwrap_or_else(|| {
                    self.consts.push(fill.value);
                    self.consts.len() - 1
                });
                return Value { loc: Loc { space: Space::Const, offset }, strides: vec![0; sizes.len()], sizes };
            }
            _ => {}
        }
        let x = node.inputs[0];
        match self.kernels[id].clone() {
            Some(Kernel::View { axes, start }) => {
                let x = self.value(x);
                let offset: usize = start.iter().zip(&x.strides).map(|(a, s)| a * s).sum();
                let strides = axes.iter().map(|a| a.map_or(0, |(axis, step)| x.strides[axis] * step)).collect();
                Value { loc: Loc { offset: x.loc.offset + offset, ..x.loc }, sizes, strides }
            }
            Some(Kernel::Reshape) => {
                let x = self.value(x);
                let x = self.in_order(x);
                Value::contiguous(x.loc, sizes)
            }
            _ => unreachable!("`{}` is computed before it is read", node.op.name()),
        }
    }

    /// The value in row-major order, copied if it is not.
    fn in_order(&mut self, value: Value) -> Value {
        if value.is_contiguous() {
            return value;
        }
        let loc = self.buffer(value.len(), false);
        let target = Value::contiguous(loc, value.sizes.clone());
        self.copy(&value, &target, "copy");
        target
    }

    fn copy(&mut self, from: &Value, to: &Value, why: &str) {
        let copy = Copy { dims: to.sizes.clone(), source: from.over(&to.sizes), target: to.over(&to.sizes) };
        self.emit(Instr::Copy(copy), format!("{why} {}", text(&to.sizes)));
    }

    /// An output must still be there after the run, in order: a value of the arena that nothing writes over.
    fn output(&mut self, id: NodeId) -> Value {
        let value = self.value(id);
        if value.is_contiguous() && value.loc.space == Space::Arena {
            return value;
        }
        let loc = self.buffer(value.len(), false);
        let target = Value::contiguous(loc, value.sizes.clone());
        self.copy(&value, &target, "output");
        target
    }

    fn lower(&mut self, g: usize) {
        let group = &self.groups.groups[g];
        let names: Vec<&str> = group.nodes.iter().map(|&n| self.dag.nodes[n].op.name()).collect();
        let last = &self.dag.nodes[*group.nodes.last().expect("groups have members")];
        let scope = if last.path.is_empty() { String::new() } else { format!("  // {}", last.path) };
        match group.work {
            Work::Map => {
                let label = format!("map {} {}{scope}", text(&group.domain), names.join(" "));
                let (expr, inputs, stores) = self.formula(g, None);
                self.emit(Instr::Map(Map { dims: group.domain.clone(), expr, inputs, stores }), label);
            }
            Work::MatMul => self.lower_matmul(g, &scope),
            Work::StepScalars => {
                let (expr, _, stores) = self.formula(g, None);
                let stores = stores.into_iter().map(|s| (s.value, s.loc)).collect();
                self.emit(
                    Instr::StepScalars(StepScalars { expr, stores }),
                    format!("step scalars {}", names.join(" ")),
                );
            }
            Work::Single => {
                let label = format!("{} {}{scope}", names[0], text(&self.dag.sizes(group.nodes[0])));
                self.lower_single(group.nodes[0], label);
            }
        }
    }

    /// The expression of a group over its domain, its operands, and what it stores. `head` is a member that is already there as
    /// input 0: a product.
    fn formula(&mut self, g: usize, head: Option<NodeId>) -> (Expr, Vec<Operand>, Vec<Store>) {
        let group = self.groups.groups[g].clone();
        let mut f = Formula { expr: Expr::new(), inputs: vec![], values: HashMap::new(), domain: group.domain.clone() };
        if let Some(head) = head {
            f.values.insert(head, f.expr.push(Inst::Input(0)));
        }
        let mut stores = vec![];
        for &id in &group.nodes {
            let reduce = match self.kernels[id].clone() {
                Some(Kernel::Reduce { fold, axes, mean, scale }) => {
                    let x = self.dag.nodes[id].inputs[0];
                    let value = self.element(&mut f, x, head.is_some());
                    f.values.insert(id, value);
                    let (from, to) = (axes[0], axes[axes.len() - 1] + 1);
                    let count: usize = group.domain[from..to].iter().product();
                    Some(Reduce { fold, from, to, scale: if mean { scale / count as f64 } else { scale } })
                }
                _ => {
                    if Some(id) != head {
                        self.inline(&mut f, id, head.is_some());
                    }
                    None
                }
            };
            if let Some(&loc) = self.places.get(&id) {
                stores.push(Store { value: f.values[&id], loc, reduce });
            }
        }
        (f.expr, f.inputs, stores)
    }

    /// The value of a node for one element of a formula's domain.
    fn element(&mut self, f: &mut Formula, id: NodeId, epilogue: bool) -> ValueId {
        if let Some(&value) = f.values.get(&id) {
            return value;
        }
        if let Some(c) = self.dag.constant(id) {
            return f.expr.push(Inst::Const(c));
        }
        if matches!(self.dag.nodes[id].op, Op::Step) && !self.places.contains_key(&id) {
            return f.expr.push(Inst::Step);
        }
        if self.groups.free[id] && self.dag.sizes(id) == f.domain {
            return self.inline(f, id, epilogue);
        }
        let operand = self.value(id).over(&f.domain);
        let shift = usize::from(epilogue);
        let known = f.inputs.iter().position(|o| *o == operand);
        let index = known.unwrap_or_else(|| {
            f.inputs.push(operand);
            f.inputs.len() - 1
        });
        f.expr.push(Inst::Input((index + shift) as u16))
    }

    /// Adds a node's own expression to a formula.
    fn inline(&mut self, f: &mut Formula, id: NodeId, epilogue: bool) -> ValueId {
        let inputs = self.dag.nodes[id].inputs.clone();
        let args: Vec<ValueId> = inputs.iter().map(|&x| self.element(f, x, epilogue)).collect();
        let value = match self.kernels[id].clone() {
            Some(Kernel::Map(expr)) => {
                let mut renamed: Vec<ValueId> = vec![];
                for inst in expr.insts() {
                    renamed.push(match *inst {
                        Inst::Input(i) => args[usize::from(i)],
                        inst => f.expr.push(inst.renamed(|v| renamed[usize::from(v)])),
                    });
                }
                *renamed.last().expect("an expression has a result")
            }
            _ => f.expr.push(Inst::Step),
        };
        f.values.insert(id, value);
        value
    }

    fn lower_matmul(&mut self, g: usize, scope: &str) {
        let group = self.groups.groups[g].clone();
        let head = *group
            .nodes
            .iter()
            .find(|&&n| matches!(self.kernels[n], Some(Kernel::MatMul { .. })))
            .expect("the group of a product has one");
        let Some(Kernel::MatMul { transpose_a, transpose_b }) = self.kernels[head] else { unreachable!("found above") };
        let (batch_sizes, [m, n]) = group.domain.split_last_chunk().expect("a product has two axes");
        let (a, b) = (self.dag.nodes[head].inputs[0], self.dag.nodes[head].inputs[1]);
        let k = {
            let sizes = self.dag.sizes(a);
            sizes[sizes.len() - if transpose_a { 2 } else { 1 }]
        };
        let a = self.factor(a, batch_sizes, transpose_a);
        let b = self.factor(b, batch_sizes, transpose_b);
        let (epilogue, mut inputs, stores) = self.formula(g, Some(head));
        let batch = batch_sizes.iter().product();
        for operand in &mut inputs {
            while operand.strides.len() < 3 {
                operand.strides.insert(0, 0);
            }
        }
        let names: Vec<&str> =
            group.nodes.iter().filter(|&&n| n != head).map(|&n| self.dag.nodes[n].op.name()).collect();
        let with = if names.is_empty() { String::new() } else { format!(" then {}", names.join(" ")) };
        let label = format!("matmul {} k={k}{with}{scope}", text(&group.domain));
        self.emit(Instr::MatMul(MatMul { batch, m: *m, n: *n, k, a, b, epilogue, inputs, stores }), label);
    }

    /// A factor of a product, broadcast over the batch axes.
    fn factor(&mut self, id: NodeId, batch: &[usize], transpose: bool) -> Factor {
        let mut value = self.value(id);
        let own = value.sizes.len() - 2;
        let whole = [batch, &value.sizes[own..]].concat();
        let mut operand = value.over(&whole);
        if collapsed(batch, &operand.strides[..batch.len()]).is_none() {
            value = Value { loc: value.loc, sizes: whole.clone(), strides: operand.strides };
            value = self.in_order(value);
            operand = value.over(&whole);
        }
        let stride = collapsed(batch, &operand.strides[..batch.len()]).unwrap_or(0);
        let [mut row, mut col] = [operand.strides[batch.len()], operand.strides[batch.len() + 1]];
        if transpose {
            std::mem::swap(&mut row, &mut col);
        }
        Factor { loc: operand.loc, batch: stride, row, col }
    }

    fn lower_single(&mut self, id: NodeId, label: String) {
        let node = self.dag.nodes[id].clone();
        let sizes = self.dag.sizes(id);
        let y = self.value(id);
        if let Op::Pack(_) = node.op {
            let mut offset = y.loc.offset;
            for &x in &node.inputs {
                let value = self.value(x);
                let to = Loc { offset, ..y.loc };
                if value.loc != to {
                    self.copy(&value, &Value::contiguous(to, value.sizes.clone()), "gradient");
                }
                offset += padded(self.dag.nodes[x].shape.len_at(1));
            }
            return;
        }
        let around = |sizes: &[usize], axis: usize| {
            (sizes[..axis].iter().product::<usize>(), sizes[axis], sizes[axis + 1..].iter().product::<usize>())
        };
        match self.kernels[id].clone() {
            Some(Kernel::Concat { axis }) => {
                let mut start = 0;
                for &x in &node.inputs {
                    let x = self.value(x);
                    let loc = Loc { offset: y.loc.offset + start * y.strides[axis], ..y.loc };
                    start += x.sizes[axis];
                    let part = Value { loc, sizes: x.sizes.clone(), strides: y.strides.clone() };
                    self.copy(&x, &part, "concat");
                }
            }
            Some(Kernel::Pad { before, value }) => {
                let x = self.value(node.inputs[0]);
                self.emit(Instr::Fill { loc: y.loc, len: y.len(), value }, label);
                let shift: usize = before.iter().zip(&y.strides).map(|(b, s)| b * s).sum();
                let loc = Loc { offset: y.loc.offset + shift, ..y.loc };
                self.copy(&x, &Value { loc, sizes: x.sizes.clone(), strides: y.strides.clone() }, "pad");
            }
            Some(Kernel::Softmax { log }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let cols = sizes[sizes.len() - 1];
                let rows = sizes[..sizes.len() - 1].iter().product();
                self.emit(Instr::Softmax(Softmax { rows, cols, x: x.loc, y: y.loc, log }), label);
            }
            Some(Kernel::ArgMax { axis }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let (outer, mid, inner) = around(&x.sizes, axis);
                self.emit(Instr::ArgMax(ArgMax { outer, mid, inner, x: x.loc, y: y.loc }), label);
            }
            Some(Kernel::Gather { axis }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let index = self.contiguous_input(node.inputs[1]);
                let (outer, mid, inner) = around(&x.sizes, axis);
                let gather = Gather { outer, mid, inner, count: index.len(), x: x.loc, index: index.loc, y: y.loc };
                self.emit(Instr::Gather(gather), label);
            }
            Some(Kernel::ScatterAdd { axis }) => {
                let x = self.contiguous_input(node.inputs[0]);
                let index = self.contiguous_input(node.inputs[1]);
                let (outer, mid, inner) = around(&sizes, axis);
                let scatter =
                    ScatterAdd { outer, mid, inner, count: index.len(), x: x.loc, index: index.loc, y: y.loc };
                self.emit(Instr::ScatterAdd(scatter), label);
            }
            Some(Kernel::Host(op)) => {
                let x: Vec<Value> = node.inputs.iter().map(|&x| self.contiguous_input(x)).collect();
                let x_sizes: Vec<Vec<usize>> = x.iter().map(|v| v.sizes.clone()).collect();
                let kernel = crate::program::host_kernel::<T>(&*op, &x_sizes, &sizes);
                let inputs = x.iter().map(|v| (v.loc, v.len())).collect();
                self.emit(Instr::Call(Call { kernel, inputs, output: (y.loc, y.len()) }), label);
            }
            _ => unreachable!("`{}` is no kernel of its own", node.op.name()),
        }
    }

    fn contiguous_input(&mut self, id: NodeId) -> Value {
        let value = self.value(id);
        self.in_order(value)
    }

    /// Shares memory between values that do not live at the same time, and puts real offsets in.
    fn finish(mut self, outputs: &[Value], scalars: Vec<Loc>, batch: usize) -> Plan<T> {
        let end = self.instrs.len();
        let kept = outputs.iter().map(|v| v.loc).chain(scalars.iter().copied());
        let mut lives = crate::arena::lives(&mut self.instrs, self.buffers.len(), BUFFER);
        for loc in kept.filter(|l| l.space == Space::Arena) {
            lives[loc.offset / BUFFER].last = end;
        }
        for (life, buffer) in lives.iter_mut().zip(&self.buffers) {
            life.len = buffer.len.next_multiple_of(ALIGN);
            if buffer.pinned {
                (life.first, life.last) = (0, end);
            }
        }
        let homes = crate::arena::share_in_place(&mut self.instrs, &mut lives, BUFFER);
        let (offsets, arena) = crate::arena::assign(&lives);
        let place = |loc: &mut Loc| {
            if loc.space == Space::Arena {
                loc.offset = offsets[homes[loc.offset / BUFFER]] + loc.offset % BUFFER;
            }
        };
        self.instrs.iter_mut().for_each(|i| crate::arena::locs(i).into_iter().for_each(place));
        let mut scalars = scalars;
        scalars.iter_mut().for_each(place);
        let outputs = outputs
            .iter()
            .map(|v| {
                let mut loc = v.loc;
                place(&mut loc);
                (loc.offset, v.sizes.clone())
            })
            .collect();
        let inputs = self.model.inputs.iter().map(|i| i.shape.len_at(batch)).collect();
        let sizes = Sizes { arena, consts: self.consts.len(), state: self.layout.len, inputs };
        Plan { instrs: self.instrs, labels: self.labels, sizes, consts: self.consts, outputs, scalars }
    }
}

/// An expression under construction over a domain.
struct Formula {
    expr: Expr,
    inputs: Vec<Operand>,
    values: HashMap<NodeId, ValueId>,
    domain: Vec<usize>,
}

/// One stride that walks several batch axes, if there is one.
fn collapsed(sizes: &[usize], strides: &[usize]) -> Option<usize> {
    let axes: Vec<(usize, usize)> = sizes.iter().copied().zip(strides.iter().copied()).filter(|a| a.0 != 1).collect();
    let fits = axes.windows(2).all(|w| w[0].1 == w[1].1 * w[1].0);
    fits.then(|| axes.last().map_or(0, |a| a.1))
}

fn text(sizes: &[usize]) -> String {
    format!("[{}]", sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}
