//! From groups of nodes to instructions over memory.
//!
//! | read | for |
//! |---|---|
//! | [`order`] | which group runs when |
//! | [`places`] | where every stored value lies |
//! | [`value`] | values as places with strides: views cost nothing |
//! | [`lower`], [`formula`] | a group as an instruction, its expression |
//! | [`arena`] | how long each value lives, and which share memory |
//! | [`cost`] | the memory that an instruction touches, and its operations |
//!
//! Gradients are computed straight into the flat block that the optimiser reads, and updated values straight into the state, wherever
//! nothing still needs the old ones.

mod arena;
mod cost;
mod formula;
mod lower;
mod order;
mod places;
mod value;

use crate::model::{Frozen, NodeId};
use crate::ops::MatMul;
use crate::passes::Dag;
use crate::passes::group::Groups;
use crate::state::Layout;
use crate::{Kernel, Op};
pub(crate) use cost::{operations, traffic};
use gradus_kernels::instr::{Instr, Loc, Space};
use gradus_kernels::{Real, Sizes};
use std::collections::HashMap;
use value::Value;

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

/// Stands in an instruction's label before the path of its layer.
pub(crate) const SCOPE: &str = "  // ";
/// Elements are placed at multiples of a cache line.
const ALIGN: usize = 16;
/// While planning, an arena offset is a buffer's number times this, plus the offset within it.
const BUFFER: usize = 1 << 40;

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
        copies: vec![],
        transposed_reads: transposed_reads(dag),
        turned: HashMap::new(),
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
    /// Values that have been copied into row-major order.
    copies: Vec<(Value, Value)>,
    /// How many products have a node as right factor and read it transposed.
    transposed_reads: Vec<usize>,
    /// Those that have been transposed for several products. A part of the state is not written before the last of them has run.
    turned: HashMap<NodeId, Value>,
    buffers: Vec<BufferSpec>,
    consts: Vec<f64>,
    instrs: Vec<Instr<T>>,
    labels: Vec<String>,
}

impl<T: Real> Planner<'_, T> {
    fn buffer(&mut self, len: usize, pinned: bool) -> Loc {
        self.buffers.push(BufferSpec { len, pinned });
        Loc { space: Space::Arena, offset: (self.buffers.len() - 1) * BUFFER }
    }

    fn emit(&mut self, instr: Instr<T>, label: String) {
        self.instrs.push(instr);
        self.labels.push(label);
    }

    /// Shares memory between values that do not live at the same time, and puts real offsets in.
    fn finish(mut self, outputs: &[Value], scalars: Vec<Loc>, batch: usize) -> Plan<T> {
        let end = self.instrs.len();
        let kept = outputs.iter().map(|v| v.loc).chain(scalars.iter().copied());
        let mut lives = arena::lives(&mut self.instrs, self.buffers.len(), BUFFER);
        for loc in kept.filter(|l| l.space == Space::Arena) {
            lives[loc.offset / BUFFER].last = end;
        }
        for (life, buffer) in lives.iter_mut().zip(&self.buffers) {
            life.len = buffer.len.next_multiple_of(ALIGN);
            if buffer.pinned {
                (life.first, life.last) = (0, end);
            }
        }
        let homes = arena::share_in_place(&mut self.instrs, &mut lives, BUFFER);
        let (offsets, arena) = arena::assign(&lives);
        let place = |loc: &mut Loc| {
            if loc.space == Space::Arena {
                loc.offset = offsets[homes[loc.offset / BUFFER]] + loc.offset % BUFFER;
            }
        };
        self.instrs.iter_mut().for_each(|i| arena::locs(i).into_iter().for_each(place));
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

/// For each node how many products have it as right factor and read it transposed.
fn transposed_reads(dag: &Dag) -> Vec<usize> {
    let mut reads = vec![0; dag.nodes.len()];
    for node in &dag.nodes {
        if let Op::MatMul(MatMul { transpose_b: true, .. }) = node.op {
            reads[node.inputs[1]] += 1;
        }
    }
    reads
}

pub(super) fn text(sizes: &[usize]) -> String {
    format!("[{}]", sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}
