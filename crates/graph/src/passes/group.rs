//! Decides which nodes are computed together: chains of elementwise ops and the reductions that end them become one map, and
//! elementwise ops on a product become its epilogue.
//!
//! A group is computed by one kernel, so two nodes may share a group only if no path from the one to the other leaves it.

use super::Dag;
use crate::model::NodeId;
use crate::{Kernel, Op};

/// What computes a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// One fused map over a domain.
    Map,
    /// A product; the other nodes are its epilogue.
    MatMul,
    /// One kernel of its own.
    Single,
    /// Numbers that depend on the step counter alone.
    StepScalars,
}

/// Nodes that one kernel computes.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) work: Work,
    /// In topological order.
    pub(crate) nodes: Vec<NodeId>,
    /// The sizes of the map's or the product's domain.
    pub(crate) domain: Vec<usize>,
}

/// The groups, in an order in which they can run, and what else is known of each node.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) groups: Vec<Group>,
    /// The group that computes a node; none for inputs, variables, views and free nodes.
    pub(crate) of: Vec<Option<usize>>,
    /// The groups whose values a group reads.
    pub(crate) needs: Vec<Vec<usize>>,
    /// Free nodes need no memory: constants, coordinates, random numbers and what is made of them alone. Each map makes them anew.
    pub(crate) free: Vec<bool>,
}

/// Groups the nodes; without `fuse` each is computed by itself, as the op's definition says.
pub(crate) fn group(dag: &Dag, fuse: bool) -> Groups {
    let mut grouper = Grouper::new(dag, fuse);
    for id in 0..dag.nodes.len() {
        grouper.visit(id);
    }
    // Free nodes that something other than a map needs get a map of their own.
    for id in 0..dag.nodes.len() {
        if grouper.free[id] && grouper.needs_memory(id) {
            grouper.open(Work::Map, id, dag.sizes(id));
        }
    }
    grouper.finish()
}

struct Grouper<'a> {
    dag: &'a Dag,
    fuse: bool,
    kernels: Vec<Option<Kernel>>,
    groups: Vec<Group>,
    of: Vec<Option<usize>>,
    free: Vec<bool>,
    step_only: Vec<bool>,
}

impl<'a> Grouper<'a> {
    fn new(dag: &'a Dag, fuse: bool) -> Grouper<'a> {
        let kernels: Vec<Option<Kernel>> = (0..dag.nodes.len()).map(|id| dag.kernel(id)).collect();
        let mut free = vec![false; dag.nodes.len()];
        let mut step_only = vec![false; dag.nodes.len()];
        for (id, node) in dag.nodes.iter().enumerate() {
            let map = matches!(kernels[id], Some(Kernel::Map(_)));
            let constant = |i: NodeId| dag.constant(i).is_some();
            let follows = |i: NodeId| constant(i) || free[i] && dag.nodes[i].shape == node.shape;
            free[id] = map && (node.inputs.is_empty() || fuse && node.inputs.iter().all(|&i| follows(i)));
            step_only[id] = matches!(node.op, Op::Step)
                || map
                    && node.shape.rank() == 0
                    && !node.inputs.is_empty()
                    && node.inputs.iter().all(|&i| constant(i) || step_only[i])
                    && !free[id];
        }
        Grouper { dag, fuse, kernels, groups: vec![], of: vec![None; dag.nodes.len()], free, step_only }
    }

    fn visit(&mut self, id: NodeId) {
        if self.free[id] {
            return;
        }
        if self.step_only[id] {
            match self.groups.iter().position(|g| g.work == Work::StepScalars) {
                Some(g) => self.join(g, id),
                None => self.open(Work::StepScalars, id, vec![]),
            }
            return;
        }
        match &self.kernels[id] {
            None if matches!(self.dag.nodes[id].op, Op::Pack(_)) => self.open(Work::Single, id, vec![]),
            None | Some(Kernel::View { .. } | Kernel::Reshape) => {}
            Some(Kernel::Map(_)) => self.visit_map(id),
            Some(Kernel::Reduce { .. }) => {
                let x = self.dag.nodes[id].inputs[0];
                let domain = self.dag.sizes(x);
                match self.of[x].filter(|&g| self.groups[g].work == Work::Map && self.element(g, x)) {
                    Some(g) if self.fuse => self.join(g, id),
                    _ => self.open(Work::Map, id, domain),
                }
            }
            Some(Kernel::MatMul { .. }) => {
                let domain = self.dag.sizes(id);
                self.open(Work::MatMul, id, domain);
            }
            Some(_) => self.open(Work::Single, id, vec![]),
        }
    }

    /// An elementwise node joins the groups of its inputs where that is possible.
    fn visit_map(&mut self, id: NodeId) {
        let domain = self.dag.sizes(id);
        let mut host: Option<usize> = None;
        if self.fuse {
            for &x in &self.dag.nodes[id].inputs {
                let Some(g) = self.of[x].filter(|&g| Some(g) != host && self.can_host(g, x, id, &domain)) else {
                    continue;
                };
                if self.dag.nodes[id].inputs.iter().any(|&y| !self.is_element(g, y) && self.depends(y, g)) {
                    continue;
                }
                host = match host {
                    None => Some(g),
                    Some(first) => Some(self.merge(first, g).unwrap_or(first)),
                };
            }
        }
        match host {
            Some(g) => self.join(g, id),
            None => self.open(Work::Map, id, domain),
        }
    }

    fn can_host(&self, g: usize, x: NodeId, id: NodeId, domain: &[usize]) -> bool {
        let group = &self.groups[g];
        let fits = match group.work {
            Work::Map => true,
            // An epilogue walks [batch, rows, columns].
            Work::MatMul => domain.len() <= 3 && !self.counts(id),
            Work::Single | Work::StepScalars => false,
        };
        fits && group.domain == domain && self.element(g, x)
    }

    /// Whether a node needs coordinates, which an epilogue does not have.
    fn counts(&self, id: NodeId) -> bool {
        let node = &self.dag.nodes[id];
        matches!(node.op, Op::Iota(_)) || node.inputs.iter().any(|&x| self.free[x] && self.counts(x))
    }

    /// Whether a member of a group is a value of its domain, not the result of a reduction.
    fn element(&self, g: usize, x: NodeId) -> bool {
        !matches!(self.kernels[x], Some(Kernel::Reduce { .. })) && self.dag.sizes(x) == self.groups[g].domain
    }

    fn is_element(&self, g: usize, x: NodeId) -> bool {
        self.of[x] == Some(g) && self.element(g, x)
    }

    /// Whether a node needs, directly or through others, a member of a group.
    fn depends(&self, from: NodeId, g: usize) -> bool {
        let mut seen = vec![false; self.dag.nodes.len()];
        let mut opened = vec![false; self.groups.len()];
        let mut stack = vec![from];
        while let Some(id) = stack.pop() {
            if self.of[id] == Some(g) {
                return true;
            }
            if std::mem::replace(&mut seen[id], true) {
                continue;
            }
            stack.extend(&self.dag.nodes[id].inputs);
            // A group runs as a whole: whatever one member waits for, all wait for.
            if let Some(h) = self.of[id].filter(|&h| !std::mem::replace(&mut opened[h], true)) {
                stack.extend(self.groups[h].nodes.iter().flat_map(|&n| &self.dag.nodes[n].inputs));
            }
        }
        false
    }

    /// Makes one group of two, if nothing outside lies between them and one kernel can do both.
    fn merge(&mut self, a: usize, b: usize) -> Option<usize> {
        let reduces =
            |g: usize| self.groups[g].nodes.iter().any(|&n| matches!(self.kernels[n], Some(Kernel::Reduce { .. })));
        let counts = |g: usize| self.groups[g].nodes.iter().any(|&n| self.counts(n));
        let possible = match (self.groups[a].work, self.groups[b].work) {
            (Work::Map, Work::Map) => true,
            (Work::MatMul, Work::Map) => !reduces(b) && !counts(b),
            (Work::Map, Work::MatMul) => !reduces(a) && !counts(a),
            _ => false,
        };
        // A product reads its factors whole, so only elementwise members may read the other group directly.
        let outside = |g: usize, other: usize| {
            self.groups[g].nodes.iter().any(|&n| {
                let whole = matches!(self.kernels[n], Some(Kernel::MatMul { .. }));
                self.dag.nodes[n]
                    .inputs
                    .iter()
                    .any(|&x| self.of[x] != Some(g) && (whole || !self.is_element(other, x)) && self.depends(x, other))
            })
        };
        if !possible || outside(a, b) || outside(b, a) {
            return None;
        }
        let (host, guest) = if self.groups[b].work == Work::MatMul { (b, a) } else { (a, b) };
        for id in std::mem::take(&mut self.groups[guest].nodes) {
            self.of[id] = Some(host);
            self.groups[host].nodes.push(id);
        }
        self.groups[host].nodes.sort_unstable();
        Some(host)
    }

    fn open(&mut self, work: Work, id: NodeId, domain: Vec<usize>) {
        self.of[id] = Some(self.groups.len());
        self.groups.push(Group { work, nodes: vec![id], domain });
    }

    fn join(&mut self, g: usize, id: NodeId) {
        self.of[id] = Some(g);
        self.groups[g].nodes.push(id);
    }

    /// Whether something reads the node's value from memory, directly or through views.
    fn needs_memory(&self, id: NodeId) -> bool {
        if self.dag.constant(id).is_some() {
            return false;
        }
        self.dag.roots.contains(&id)
            || self.dag.nodes.iter().enumerate().any(|(user, node)| {
                node.inputs.contains(&id)
                    && match &self.kernels[user] {
                        Some(Kernel::Map(_)) => self.dag.nodes[user].shape != self.dag.nodes[id].shape,
                        Some(Kernel::Reduce { .. }) => false,
                        _ => true,
                    }
            })
    }

    /// Drops emptied groups and puts the others into an order in which they can run.
    fn finish(self) -> Groups {
        let mut order: Vec<usize> = vec![];
        let mut state = vec![0u8; self.groups.len()];
        // Depth-first over what each group waits for; groups are visited in the order of their first node.
        let mut starts: Vec<usize> = (0..self.groups.len()).filter(|&g| !self.groups[g].nodes.is_empty()).collect();
        starts.sort_by_key(|&g| self.groups[g].nodes[0]);
        for start in starts {
            let mut stack = vec![(start, false)];
            while let Some((g, done)) = stack.pop() {
                if done {
                    if state[g] != 2 {
                        state[g] = 2;
                        order.push(g);
                    }
                    continue;
                }
                if state[g] != 0 {
                    continue;
                }
                state[g] = 1;
                stack.push((g, true));
                for h in self.waits_for(g) {
                    if state[h] == 0 {
                        stack.push((h, false));
                    }
                }
            }
        }
        let mut renamed = vec![usize::MAX; self.groups.len()];
        for (place, &g) in order.iter().enumerate() {
            renamed[g] = place;
        }
        let needs = order.iter().map(|&g| self.waits_for(g).into_iter().map(|h| renamed[h]).collect()).collect();
        let groups = order.iter().map(|&g| self.groups[g].clone()).collect();
        Groups { groups, of: self.of.iter().map(|g| g.map(|g| renamed[g])).collect(), needs, free: self.free }
    }

    /// The groups whose values a group reads, through views and free nodes too.
    fn waits_for(&self, g: usize) -> Vec<usize> {
        let mut stack: Vec<NodeId> =
            self.groups[g].nodes.iter().flat_map(|&n| self.dag.nodes[n].inputs.clone()).collect();
        let mut found = vec![];
        let mut seen = vec![false; self.dag.nodes.len()];
        while let Some(id) = stack.pop() {
            if std::mem::replace(&mut seen[id], true) {
                continue;
            }
            match self.of[id] {
                Some(h) if h != g => found.push(h),
                Some(_) => {}
                None => stack.extend(&self.dag.nodes[id].inputs),
            }
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}
