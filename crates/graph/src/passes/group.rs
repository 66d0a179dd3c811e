//! Decides which nodes are computed together: chains of elementwise ops and the reductions that end them become one map, and
//! elementwise ops on a product become its epilogue.
//!
//! A group is computed by one kernel, so two nodes may share a group only if no path from the one to the other leaves it.

use super::Dag;
use super::again::cheap;
use crate::model::NodeId;
use crate::{Kernel, Op};
use std::collections::{BTreeSet, HashMap, HashSet};

/// How many nodes a search for a dependency looks at; a longer one counts as found. Nodes so far apart gain nothing from one kernel,
/// and the time to group a long recurrence stays in proportion to its length.
const SEARCH: usize = 512;

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
    /// Free nodes need no memory, each map makes them anew: constants, coordinates, random numbers, what is made of them alone, and
    /// what is [cheap](super::again) to compute again.
    pub(crate) free: Vec<bool>,
}

/// Groups the nodes; without `fuse` each is computed by itself, as the op's definition says.
pub(crate) fn group(dag: &Dag, fuse: bool) -> Groups {
    let mut grouper = Grouper::new(dag, fuse);
    for id in 0..dag.nodes.len() {
        grouper.visit(id);
    }
    grouper.join_neighbours();
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
    users: Vec<Vec<NodeId>>,
    /// For nodes of no group, and for groups: more than the level of everything that is waited for. Free nodes have none.
    node_levels: Vec<usize>,
    group_levels: Vec<usize>,
    /// How many nodes have a level.
    visited: usize,
}

impl<'a> Grouper<'a> {
    fn new(dag: &'a Dag, fuse: bool) -> Grouper<'a> {
        let kernels: Vec<Option<Kernel>> = (0..dag.nodes.len()).map(|id| dag.kernel(id)).collect();
        let mut users: Vec<Vec<NodeId>> = vec![vec![]; dag.nodes.len()];
        for (id, node) in dag.nodes.iter().enumerate() {
            node.inputs.iter().for_each(|&x| users[x].push(id));
        }
        // Made of nothing in memory.
        let mut pure = vec![false; dag.nodes.len()];
        let mut free = vec![false; dag.nodes.len()];
        let mut step_only = vec![false; dag.nodes.len()];
        for (id, node) in dag.nodes.iter().enumerate() {
            let map = matches!(kernels[id], Some(Kernel::Map(_)));
            let constant = |i: NodeId| dag.constant(i).is_some();
            let follows = |i: NodeId| constant(i) || pure[i] && dag.nodes[i].shape == node.shape;
            pure[id] = map && (node.inputs.is_empty() || fuse && node.inputs.iter().all(|&i| follows(i)));
            free[id] = pure[id] || fuse && cheap(dag, &kernels, &free, &users, id);
            step_only[id] = matches!(node.op, Op::Step)
                || map
                    && node.shape.rank() == 0
                    && !node.inputs.is_empty()
                    && node.inputs.iter().all(|&i| constant(i) || step_only[i]);
            free[id] &= !step_only[id];
        }
        let of = vec![None; dag.nodes.len()];
        let (node_levels, group_levels) = (vec![0; dag.nodes.len()], vec![]);
        Grouper {
            dag,
            fuse,
            kernels,
            groups: vec![],
            of,
            free,
            step_only,
            users,
            node_levels,
            group_levels,
            visited: 0,
        }
    }

    fn visit(&mut self, id: NodeId) {
        self.node_levels[id] = self.leaves(id).into_iter().map(|x| self.level(x) + 1).max().unwrap_or(0);
        self.visited = id + 1;
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
                let sources = if self.free[x] { self.leaves(x) } else { vec![x] };
                let host = sources.iter().find_map(|&x| {
                    let g = self.of[x].filter(|&g| self.groups[g].work == Work::Map)?;
                    let fits = self.groups[g].domain == domain && self.element(g, x);
                    let legal = sources.iter().all(|&y| self.is_element(g, y) || !self.depends(y, g));
                    (self.fuse && fits && legal).then_some(g)
                });
                match host {
                    Some(g) => self.join(g, id),
                    None => self.open(Work::Map, id, domain),
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
            let leaves = self.leaves(id);
            for &x in &leaves {
                let Some(g) = self.of[x].filter(|&g| Some(g) != host && self.can_host(g, x, id, &domain)) else {
                    continue;
                };
                if leaves.iter().any(|&y| !self.is_element(g, y) && self.depends(y, g)) {
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

    /// The values that an elementwise node is made of, looking through free nodes.
    fn leaves(&self, id: NodeId) -> Vec<NodeId> {
        let mut leaves = vec![];
        for &x in &self.dag.nodes[id].inputs {
            if self.free[x] { leaves.extend(self.leaves(x)) } else { leaves.push(x) }
        }
        leaves.sort_unstable();
        leaves.dedup();
        leaves
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

    /// Whether a node needs, directly or through others, a member of a group; or may, if that takes long to find out.
    fn depends(&self, from: NodeId, g: usize) -> bool {
        let mut seen = HashSet::new();
        let mut opened = HashSet::new();
        let mut stack = vec![from];
        while let Some(id) = stack.pop() {
            if self.of[id] == Some(g) || seen.len() > SEARCH {
                return true;
            }
            if !self.free[id] && self.level(id) <= self.group_levels[g] || !seen.insert(id) {
                continue;
            }
            stack.extend(&self.dag.nodes[id].inputs);
            // A group runs as a whole: whatever one member waits for, all wait for.
            if let Some(h) = self.of[id].filter(|&h| opened.insert(h)) {
                stack.extend(self.groups[h].nodes.iter().flat_map(|&n| &self.dag.nodes[n].inputs));
            }
        }
        false
    }

    fn level(&self, id: NodeId) -> usize {
        self.of[id].map_or(self.node_levels[id], |g| self.group_levels[g])
    }

    /// Raises a group to a level, and above it everything that waits for the group.
    fn raise(&mut self, g: usize, level: usize) {
        self.group_levels[g] = self.group_levels[g].max(level);
        let mut low = self.groups[g].nodes.clone();
        while let Some(id) = low.pop() {
            let (own, above) = (self.of[id], self.level(id) + 1);
            let mut users = self.users[id].clone();
            while let Some(user) = users.pop() {
                if self.free[user] {
                    users.extend(&self.users[user]);
                    continue;
                }
                let inside = own.is_some() && self.of[user] == own;
                if user >= self.visited || inside || self.level(user) >= above {
                    continue;
                }
                match self.of[user] {
                    Some(h) => {
                        self.group_levels[h] = above;
                        low.extend(&self.groups[h].nodes);
                    }
                    None => {
                        self.node_levels[user] = above;
                        low.push(user);
                    }
                }
            }
        }
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
        self.raise(host, self.group_levels[guest]);
        Some(host)
    }

    /// Maps over one domain that read one value, or values of one kernel, become one map.
    fn join_neighbours(&mut self) {
        let maps: Vec<usize> =
            (0..self.groups.len()).filter(|&g| self.fuse && self.groups[g].work == Work::Map).collect();
        let mut reads: Vec<Vec<NodeId>> = maps
            .iter()
            .map(|&g| {
                let values = self.groups[g].nodes.iter().flat_map(|&n| self.leaves(n));
                let mut values: Vec<NodeId> = values.filter(|&x| self.dag.constant(x).is_none()).collect();
                values.sort_unstable();
                values.dedup();
                values
            })
            .collect();
        let mut readers: HashMap<Source, Vec<usize>> = HashMap::new();
        for (i, values) in reads.iter().enumerate() {
            values.iter().for_each(|&x| readers.entry(self.source(x)).or_default().push(i));
        }
        for i in 0..maps.len() {
            let mut fresh = reads[i].clone();
            let mut candidates = BTreeSet::new();
            let mut last = i;
            loop {
                for x in fresh.drain(..) {
                    candidates.extend(readers[&self.source(x)].iter().copied().filter(|&j| j > last));
                }
                let Some(j) = candidates.pop_first() else { break };
                last = j;
                let (a, b) = (maps[i], maps[j]);
                let alive = !self.groups[a].nodes.is_empty() && !self.groups[b].nodes.is_empty();
                if alive && self.groups[a].domain == self.groups[b].domain && self.merge(a, b).is_some() {
                    // What reads the results of one reads those of the other.
                    let guests = readers.remove(&Source::Group(b)).unwrap_or_default();
                    readers.entry(Source::Group(a)).or_default().extend(guests);
                    let guest = std::mem::take(&mut reads[j]);
                    reads[i].extend(guest);
                    fresh.clone_from(&reads[i]);
                }
            }
        }
    }

    fn source(&self, x: NodeId) -> Source {
        self.of[x].map_or(Source::Node(x), Source::Group)
    }

    fn open(&mut self, work: Work, id: NodeId, domain: Vec<usize>) {
        self.of[id] = Some(self.groups.len());
        self.groups.push(Group { work, nodes: vec![id], domain });
        self.group_levels.push(self.node_levels[id]);
    }

    fn join(&mut self, g: usize, id: NodeId) {
        let outside = self.leaves(id).into_iter().filter(|&x| self.of[x] != Some(g));
        let level = outside.map(|x| self.level(x) + 1).max().unwrap_or(0);
        self.of[id] = Some(g);
        self.groups[g].nodes.push(id);
        if level > self.group_levels[g] {
            self.raise(g, level);
        }
    }

    /// Whether something reads the node's value from memory, directly or through views.
    fn needs_memory(&self, id: NodeId) -> bool {
        if self.dag.constant(id).is_some() {
            return false;
        }
        self.dag.roots.contains(&id)
            || self.users[id].iter().any(|&user| match &self.kernels[user] {
                Some(Kernel::Map(_)) => self.dag.nodes[user].shape != self.dag.nodes[id].shape,
                Some(Kernel::Reduce { .. }) => false,
                _ => true,
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
        let mut seen = HashSet::new();
        while let Some(id) = stack.pop() {
            if !seen.insert(id) {
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

/// Where a value comes from: a group or, where none computes it, itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Source {
    Group(usize),
    Node(NodeId),
}
