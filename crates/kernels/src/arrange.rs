//! From checked instructions to the nodes of a run: which go through strands together, which lie in lanes.

use crate::instr::Instr;
use crate::lanes;
use crate::node::{Node, Op};
use crate::strands::{Item, strands};
use crate::verify::Access;
use crate::{Isa, Real};

/// Instructions as nodes.
pub(crate) struct Arranged<T> {
    /// In the order in which they run.
    pub(crate) nodes: Vec<Node<T>>,
    /// Elements of scratch memory that all threads share.
    pub(crate) shared: usize,
    /// Elements of values in lanes.
    pub(crate) lanes: usize,
}

/// Makes instructions ready to run. `kept` is what must be in memory in the end.
pub(crate) fn arrange<T: Real>(
    instrs: &[Instr<T>],
    touched: &[Vec<Access>],
    kept: &[Access],
    isa: Isa,
    threads: usize,
) -> Arranged<T> {
    let mut alone: Vec<Option<Op<T>>> = instrs.iter().map(|instr| Some(Op::new(instr, isa, threads, None))).collect();
    let parts: Vec<usize> = alone.iter().flatten().map(Op::most_parts).collect();
    let items = strands(instrs, touched, &parts);
    let order: Vec<(usize, bool)> = items
        .iter()
        .flat_map(|item| match item {
            Item::One(i) => vec![(*i, parts[*i] == 1)],
            Item::Strand { instrs, .. } => instrs.iter().map(|&i| (i, false)).collect(),
            Item::Gather(_) => vec![],
        })
        .collect();
    let lanes::Plans { plans, len: lanes } = lanes::plan(instrs, touched, &order, kept, isa);
    for (op, plan) in alone.iter_mut().zip(plans) {
        if let Some(plan) = plan {
            *op = Some(Op::Lanes(plan));
        }
    }
    let mut nodes: Vec<Node<T>> = Vec::with_capacity(instrs.len());
    let mut after: Vec<Option<Op<T>>> = instrs.iter().map(|_| None).collect();
    let mut shared = 0;
    let node = |op: Op<T>, instr: usize| Node { parts: op.parts(), op, together: 1, wait: false, instr };
    for item in items {
        match item {
            Item::One(i) if parts[i] == 0 => {}
            Item::One(i) => {
                let mut op = alone[i].take().expect("an instruction runs once");
                let (before, after) = op.place_shared(&mut shared, isa);
                nodes.extend(before.into_iter().chain([op]).chain(after).map(|op| node(op, i)));
            }
            Item::Strand { instrs: members, images } => {
                let mut strand = vec![];
                for &i in &members {
                    let mut op = Op::new(&instrs[i], isa, threads, Some(images));
                    let before;
                    (before, after[i]) = op.place_shared(&mut shared, isa);
                    nodes.extend(before.map(|op| node(op, i)));
                    strand.push(node(op, i));
                }
                debug_assert!(strand.iter().all(|node| node.parts == strand[0].parts));
                strand[0].together = strand.len();
                nodes.extend(strand);
            }
            Item::Gather(i) => nodes.extend(after[i].take().map(|op| node(op, i))),
        }
    }
    Arranged { nodes, shared, lanes }
}
