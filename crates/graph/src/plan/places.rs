//! Where every stored value lies: in the state, in a gradient block, or in a buffer of its own.

use super::{Planner, Wanted};
use crate::model::{NodeId, padded};
use crate::passes::group::Work;
use crate::{Kernel, Op};
use gradus_kernels::Real;
use gradus_kernels::instr::{Loc, Space};

impl<T: Real> Planner<'_, T> {
    /// Gives every stored value its place before anything is lowered, and returns the updates that must be copied at the end.
    pub(super) fn place_results(&mut self, wanted: &Wanted, order: &[usize]) -> Vec<(usize, usize)> {
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
        // The parts of what is put together along its outermost axis are computed in its memory. The outer ones of several come first.
        for id in (0..self.dag.nodes.len()).rev() {
            let Some(Kernel::Concat { axis }) = self.kernels[id] else { continue };
            if self.dag.sizes(id)[..axis].iter().any(|&n| n != 1) {
                continue;
            }
            let whole = self.place_of(id);
            let mut offset = whole.offset;
            for &x in &self.dag.nodes[id].inputs {
                let base = self.base(x);
                let len = self.dag.nodes[x].shape.len_at(1);
                let all = self.dag.nodes[base].shape.len_at(1) == len && self.same_order(x, base);
                if self.groups.of[base].is_some() && all && !self.places.contains_key(&base) {
                    self.places.insert(base, Loc { offset, ..whole });
                }
                offset += len;
            }
        }
        let stored: Vec<NodeId> = self.stored(wanted);
        for id in stored {
            self.place_of(id);
        }
        copies
    }

    /// Where a value lies: in a buffer of its own, if nothing else was said.
    fn place_of(&mut self, id: NodeId) -> Loc {
        if let Some(&known) = self.places.get(&id) {
            return known;
        }
        let loc = self.buffer(self.dag.nodes[id].shape.len_at(1), false);
        self.places.insert(id, loc);
        loc
    }

    /// Whether the views between a node and its base only rename the shape.
    pub(super) fn same_order(&self, mut id: NodeId, base: NodeId) -> bool {
        while id != base {
            if !matches!(self.kernels[id], Some(Kernel::Reshape)) {
                return false;
            }
            id = self.dag.nodes[id].inputs[0];
        }
        true
    }

    /// Whether a new value can be written over the old one: nothing reads the old one later, and its own group only in step.
    pub(super) fn can_write_through(&self, target: usize, id: NodeId, order: &[usize]) -> bool {
        // The parts of a pack are written one by one, some before others have read the old values.
        if matches!(self.dag.nodes[id].op, Op::Pack(_)) {
            return false;
        }
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
    pub(super) fn stored(&self, wanted: &Wanted) -> Vec<NodeId> {
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
}
