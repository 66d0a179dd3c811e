//! What a layer can ask of whoever trains the model: penalties, several values for one loss, a least batch, values that start anew in
//! each epoch or come from a file; and building the same thing several times over the same parameters.
//!
//! A layer sees its input and nothing else. These requests travel with the model, so that the training step and the trainer meet
//! them without knowing the layer.

use crate::graph::Graph;
use crate::model::{Model, NodeId};
use crate::op::Result;
use crate::{GraphError, Init, Node, Op, ShapeError};
use std::collections::HashMap;
use std::sync::Arc;

/// The requests of all layers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hooks {
    /// Name and value of what is added to the loss.
    pub(crate) penalties: Vec<(String, NodeId)>,
    /// A value, and those that take its place in the training's loss.
    pub(crate) alternatives: Vec<(NodeId, Vec<NodeId>)>,
    /// The layers that need several samples in a batch.
    pub(crate) least_batches: Vec<LeastBatch>,
    /// The variables that start anew in each epoch.
    pub(crate) restarts: Vec<usize>,
    /// Which positions of a sequence are there, by the sequence's node; `None` where a mask was taken off.
    pub(crate) masks: HashMap<NodeId, Option<NodeId>>,
    /// How many ids there are, by the node whose values they are.
    pub(crate) ids: HashMap<NodeId, usize>,
    /// The variables whose first values are in a file that nobody has read yet.
    pub(crate) wanted: Vec<Wanted>,
}

/// A variable whose first values are in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The variable's path.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// What the layer calls the file.
    pub file: String,
}

/// A layer that needs several samples in each training batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeastBatch {
    /// The layer's path.
    pub path: String,
    /// The fewest samples.
    pub samples: usize,
}

impl Graph {
    /// Adds a single number to what training minimises, under the current scope's path: a penalty on activations, say.
    ///
    /// ```
    /// use gradus_graph::Graph;
    /// let g = Graph::new();
    /// let h = g.input("x", [3]).tanh();
    /// g.scope("sparse", || g.penalize("l1", &(h.abs().mean_all() * 1e-3)));
    /// let model = g.model(&[("h", &h)])?;
    /// assert_eq!(model.extend().0.penalties()[0].0, "sparse/l1");
    /// # Ok::<(), gradus_graph::GraphError>(())
    /// ```
    #[track_caller]
    pub fn penalize(&self, name: &str, penalty: &Node) {
        if penalty.is_poisoned() {
            return;
        }
        if penalty.shape().rank() != 0 {
            let help = "take its mean or sum";
            self.refuse("penalize", ShapeError::new("a single number, []", penalty.shape().to_string(), help));
            return;
        }
        let share = self.0.borrow().penalty_share.unwrap_or(1.0);
        if share != 0.0 {
            let penalty = if share == 1.0 { penalty.clone() } else { penalty * share };
            let name = self.path(name);
            self.0.borrow_mut().hooks.penalties.push((name, penalty.id));
        }
    }

    /// The penalties asked for so far, by their paths.
    pub fn penalties(&self) -> Vec<(String, Node)> {
        let g = self.0.borrow();
        g.hooks.penalties.iter().map(|(name, id)| (name.clone(), self.at(*id))).collect()
    }

    /// Runs `f`; of each penalty asked for in it, only this share counts, none of it if the share is 0.
    pub fn share_of_penalties<R>(&self, share: f64, f: impl FnOnce() -> R) -> R {
        let outer = self.0.borrow().penalty_share;
        self.0.borrow_mut().penalty_share = Some(outer.unwrap_or(1.0) * share);
        let result = f();
        self.0.borrow_mut().penalty_share = outer;
        result
    }

    /// Builds the same thing several times over the *same* parameters: a variable that the first pass made is found again by the
    /// following ones, by path, shape and role. Random nodes draw anew in each pass. `f` is given the pass's number.
    ///
    /// Weights are shared by it between branches too, each pass with an input of its own.
    ///
    /// ```
    /// use gradus_graph::{Constant, Graph, Role};
    /// let g = Graph::new();
    /// let inputs = [g.input("left", [3]), g.input("right", [3])];
    /// let y = g.repeat(2, |i| {
    ///     let x = &inputs[i];
    ///     x.scope("tower", |x| x.matmul(&x.param("weight", [3, 2], Constant(1.0), Role::Weight)))
    /// });
    /// let model = g.model(&[("left", &y[0]), ("right", &y[1])])?;
    /// assert_eq!(model.variables().len(), 1);
    /// # Ok::<(), gradus_graph::GraphError>(())
    /// ```
    pub fn repeat<R>(&self, times: usize, mut f: impl FnMut(usize) -> R) -> Vec<R> {
        let (names, outer, first) = {
            let g = self.0.borrow();
            (g.names.clone(), g.shared_from, g.variables.len())
        };
        let mut results = vec![];
        for pass in 0..times {
            if pass > 0 {
                let mut g = self.0.borrow_mut();
                g.names.clone_from(&names);
                g.shared_from = Some(outer.unwrap_or(first));
            }
            results.push(f(pass));
        }
        self.0.borrow_mut().shared_from = outer;
        results
    }

    /// The variable that a repeated pass finds again, if this one is repeated and has made it before.
    pub(crate) fn made_before(&self, path: &str, shape: &[usize], role: crate::Role) -> Option<Node> {
        let index = {
            let g = self.0.borrow();
            let from = g.shared_from?;
            let same = |v: &crate::Variable| v.path == path && v.shape == shape && v.role == role;
            from + g.variables[from..].iter().position(same)?
        };
        Some(self.variable_node(index))
    }

    /// In training, the loss on output `y` is the mean of the losses on each of `ys`, all of `y`'s shape. Predictions and what is
    /// counted stay `y`'s.
    #[track_caller]
    pub fn alternatives(&self, y: &Node, ys: &[Node]) {
        if let Some(other) = ys.iter().find(|other| other.shape() != y.shape() && !other.is_poisoned()) {
            if !y.is_poisoned() {
                let (expected, received) = (format!("values of shape {}", y.shape()), other.shape().to_string());
                self.refuse("alternatives", ShapeError::new(expected, received, "build all of them in the same way"));
            }
            return;
        }
        self.0.borrow_mut().hooks.alternatives.push((y.id, ys.iter().map(|y| y.id).collect()));
    }

    /// The values that the training's loss on `y` is the mean over, as given by [`Graph::alternatives`]; none where it is `y`'s own.
    pub fn alternatives_of(&self, y: &Node) -> Vec<Node> {
        let g = self.0.borrow();
        let found = g.hooks.alternatives.iter().find(|(id, _)| *id == y.id);
        found.map_or_else(Vec::new, |(_, ys)| ys.iter().map(|&id| self.at(id)).collect())
    }

    /// Checks that all [`Graph::alternatives`] belong to one of these outputs, those that have a loss.
    ///
    /// # Errors
    /// The first that does not, by its path: the request would be lost.
    pub fn check_alternatives(&self, outputs: &[Node]) -> Result<()> {
        let g = self.0.borrow();
        let lost = g.hooks.alternatives.iter().find(|(id, _)| !outputs.iter().any(|y| y.id == *id));
        match lost {
            None => Ok(()),
            Some((id, _)) => Err(GraphError::Alternatives { path: g.nodes[*id].path.to_string() }),
        }
    }

    /// The layer of the current scope needs at least so many samples in each training batch: the statistics of a batch of one, say,
    /// are none. A training step of fewer is an error ([`GraphError::Batch`]), not a wrong number.
    pub fn least_batch(&self, samples: usize) {
        let path = self.path("");
        self.0.borrow_mut().hooks.least_batches.push(LeastBatch { path, samples });
    }

    /// This variable takes its initial value again at the start of each epoch, see [`State::begin_epoch`](crate::State::begin_epoch).
    pub fn restart_each_epoch(&self, variable: &Node) {
        if let Op::Variable(v) = variable.op() {
            let restarts = &mut self.0.borrow_mut().hooks.restarts;
            if !restarts.contains(&v) {
                restarts.push(v);
            }
        }
    }

    /// This variable shall start from values in a file. A layer cannot read it: whoever builds the model looks for such requests
    /// ([`Graph::wanted`]), and gives the values ([`Graph::start`]).
    ///
    /// ```
    /// use gradus_graph::{Constant, Graph, Role, State, Values};
    /// let g = Graph::new();
    /// let x = g.index_input("words", [2]);
    /// let table = x.param("weight", [3, 1], Constant(0.0), Role::Frozen);
    /// g.start_from_file(&table, "vectors.txt");
    /// let y = table.gather(0, &x);
    /// for wanted in g.wanted() {
    ///     assert_eq!((&wanted.path[..], &wanted.file[..]), ("weight", "vectors.txt"));
    ///     g.start(&wanted.path, Values(vec![0.5, 1.0, 2.0]));
    /// }
    /// let state = State::<f64>::new(&g.model(&[("y", &y)])?, 0);
    /// assert_eq!(state.variable("weight"), Some(&[0.5, 1.0, 2.0][..]));
    /// # Ok::<(), gradus_graph::GraphError>(())
    /// ```
    pub fn start_from_file(&self, variable: &Node, file: &str) {
        let Op::Variable(v) = variable.op() else { return };
        let g = &mut *self.0.borrow_mut();
        let Some(variable) = g.variables.get(v) else { return };
        if !g.hooks.wanted.iter().any(|wanted| wanted.path == variable.path) {
            let (path, shape) = (variable.path.clone(), variable.shape.clone());
            g.hooks.wanted.push(Wanted { path, shape, file: file.into() });
        }
    }

    /// The variables whose first values are in files that have not been given yet, in the order in which they were made.
    pub fn wanted(&self) -> Vec<Wanted> {
        self.0.borrow().hooks.wanted.clone()
    }

    /// The variable of this path starts so, whatever the layer said. A path that does not exist changes nothing.
    pub fn start(&self, path: &str, init: impl Init) {
        let g = &mut *self.0.borrow_mut();
        g.hooks.wanted.retain(|wanted| wanted.path != path);
        if let Some(variable) = g.variables.iter_mut().find(|variable| variable.path == path) {
            variable.init = Arc::new(init);
        }
    }

    fn at(&self, id: NodeId) -> Node {
        Node { graph: self.clone(), id }
    }
}

impl Model {
    /// The variables whose first values are in files that nobody has given, see [`Graph::start_from_file`].
    pub fn wanted(&self) -> &[Wanted] {
        &self.inner.hooks.wanted
    }

    /// The layer that needs the most samples in a training batch, if one needs more than one.
    pub fn least_batch(&self) -> Option<&LeastBatch> {
        most(&self.inner.hooks)
    }
}

/// The first of the layers with the highest demand.
pub(crate) fn most(hooks: &Hooks) -> Option<&LeastBatch> {
    hooks.least_batches.iter().rev().max_by_key(|need| need.samples).filter(|need| need.samples > 1)
}
