//! Which group runs when, and what each reads.

use super::{Planner, Wanted};
use crate::model::NodeId;
use crate::passes::group::Work;
use crate::{Kernel, Op};
use gradus_kernels::Real;
use std::collections::BTreeSet;

impl<T: Real> Planner<'_, T> {
    /// The node whose memory a node is a view of; itself if it is none.
    pub(super) fn base(&self, mut id: NodeId) -> NodeId {
        while self.groups.of[id].is_none() && matches!(self.kernels[id], Some(Kernel::View { .. } | Kernel::Reshape)) {
            id = self.dag.nodes[id].inputs[0];
        }
        id
    }

    /// Where a variable or flat vector starts in the state.
    pub(super) fn state_start(&self, id: NodeId) -> Option<usize> {
        match self.dag.nodes[id].op {
            Op::Variable(v) => Some(self.layout.variables[v]),
            Op::Flat(f) => Some(self.layout.flats[f]),
            _ => None,
        }
    }

    /// The part of the state that a node is, perhaps through views: first element, length, and whether it is walked in order.
    pub(super) fn state_part(&self, id: NodeId) -> Option<(usize, usize, bool)> {
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
    pub(super) fn reads(&self, g: usize) -> Vec<(NodeId, bool)> {
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
    pub(super) fn schedule(&self, wanted: &Wanted) -> Vec<usize> {
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
        let readers: Vec<usize> = (0..count).filter(|&g| !read[g].is_empty()).collect();
        let mut users: Vec<Vec<usize>> = vec![vec![]; count];
        let mut missing: Vec<usize> = vec![0; count];
        for (g, needs) in self.groups.needs.iter().enumerate() {
            missing[g] = needs.len();
            needs.iter().for_each(|&h| users[h].push(g));
        }
        let (mut plain, mut writing) = (BTreeSet::new(), BTreeSet::new());
        for g in (0..count).filter(|&g| missing[g] == 0) {
            if written[g].is_empty() { &mut plain } else { &mut writing }.insert(g);
        }
        let mut done = vec![false; count];
        let mut order = vec![];
        while order.len() < count {
            let harmless = |g: &usize| {
                let waits = |h: &usize| h != g && !done[*h];
                !readers
                    .iter()
                    .filter(|h| waits(h))
                    .any(|&h| read[h].iter().any(|r| written[*g].iter().any(|w| overlap(r, w))))
            };
            let next = plain.pop_first().or_else(|| writing.iter().copied().find(harmless));
            let next = next.or_else(|| writing.first().copied()).expect("groups have no cycles");
            writing.remove(&next);
            done[next] = true;
            order.push(next);
            for &user in &users[next] {
                missing[user] -= 1;
                if missing[user] == 0 {
                    if written[user].is_empty() { &mut plain } else { &mut writing }.insert(user);
                }
            }
        }
        order
    }
}
