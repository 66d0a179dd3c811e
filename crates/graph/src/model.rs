//! A frozen graph: plain data that can be sent, compiled and extended again.

use crate::graph::{Graph, Inner};
use crate::hooks::Hooks;
use crate::{Init, Kind, Node, Op};
use gradus_tensor::Shape;
use std::cell::RefCell;
use std::fmt;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

/// The index of a node.
pub type NodeId = usize;

/// One node.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it computes.
    pub op: Op,
    /// From which nodes; they all come earlier.
    pub inputs: Vec<NodeId>,
    /// The shape of its value.
    pub shape: Shape,
    /// What its numbers mean.
    pub kind: Kind,
    /// The scope it was made in.
    pub path: Arc<str>,
    /// The line that made it.
    pub at: &'static Location<'static>,
}

/// An input of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputSpec {
    /// Its name.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// What its numbers mean.
    pub kind: Kind,
}

/// What a variable is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// A trained weight: a matrix, a kernel, an embedding.
    Weight,
    /// A trained bias.
    Bias,
    /// A trained scale, shift or slope, of a normalisation or an activation.
    Norm,
    /// A trained parameter of a loss, such as learned class weights: part of the training state, not of the model.
    Loss,
    /// A parameter that keeps its value.
    Frozen,
    /// A running statistic: part of the model, updated but not trained.
    Running,
    /// A value of the optimiser or the trainer: not part of the model.
    Slot,
}

impl Role {
    /// Whether an optimiser changes it.
    pub fn trainable(self) -> bool {
        matches!(self, Role::Weight | Role::Bias | Role::Norm | Role::Loss)
    }

    /// Whether a model file holds it (slots and parameters of losses belong to the training state only).
    pub fn in_model(self) -> bool {
        !matches!(self, Role::Slot | Role::Loss)
    }
}

/// A value that lives from step to step.
#[derive(Clone, Debug)]
pub struct Variable {
    /// Its path, such as `block1/conv2d/weight`.
    pub path: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How it starts.
    pub init: Arc<dyn Init>,
    /// What it is for.
    pub role: Role,
}

impl Variable {
    /// The number of elements.
    #[allow(clippy::len_without_is_empty)]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }
}

/// The number of elements that `len` elements take in a block: a multiple of a cache line.
pub(crate) fn padded(len: usize) -> usize {
    len.next_multiple_of(16)
}

/// A frozen graph with named inputs and outputs. Cheap to clone.
#[derive(Clone)]
pub struct Model {
    pub(crate) inner: Arc<Frozen>,
}

pub(crate) struct Frozen {
    pub(crate) nodes: Vec<Entry>,
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) flats: Vec<Vec<usize>>,
    pub(crate) updates: Vec<(NodeId, NodeId)>,
    pub(crate) outputs: Vec<(String, NodeId)>,
    pub(crate) hooks: Hooks,
}

impl Model {
    pub(crate) fn new(g: &Inner, outputs: Vec<(String, NodeId)>) -> Model {
        Model {
            inner: Arc::new(Frozen {
                nodes: g.nodes.clone(),
                inputs: g.inputs.clone(),
                variables: g.variables.clone(),
                flats: g.flats.clone(),
                updates: g.updates.clone(),
                outputs,
                hooks: g.hooks.clone(),
            }),
        }
    }

    /// The inputs in the order they were made.
    pub fn inputs(&self) -> &[InputSpec] {
        &self.inner.inputs
    }

    /// The named outputs and their node ids.
    pub fn outputs(&self) -> &[(String, NodeId)] {
        &self.inner.outputs
    }

    /// The shape of a named output.
    pub fn output_shape(&self, name: &str) -> Option<&Shape> {
        self.inner.outputs.iter().find(|(n, _)| n == name).map(|(_, id)| &self.inner.nodes[*id].shape)
    }

    /// All variables.
    pub fn variables(&self) -> &[Variable] {
        &self.inner.variables
    }

    /// All nodes in order.
    pub fn nodes(&self) -> &[Entry] {
        &self.inner.nodes
    }

    /// The number of trained values.
    pub fn parameters(&self) -> usize {
        self.inner.variables.iter().filter(|v| v.role.trainable()).map(Variable::len).sum()
    }

    /// A graph that goes on from this model, and the nodes of its outputs by name: how losses, gradients and updates are added.
    pub fn extend(&self) -> (Graph, Vec<(String, Node)>) {
        let inner = Inner {
            nodes: self.inner.nodes.clone(),
            inputs: self.inner.inputs.clone(),
            variables: self.inner.variables.clone(),
            flats: self.inner.flats.clone(),
            updates: self.inner.updates.clone(),
            hooks: self.inner.hooks.clone(),
            ..Inner::default()
        };
        let graph = Graph(Rc::new(RefCell::new(inner)));
        let node = |id: NodeId| Node { graph: graph.clone(), id };
        let outputs = self.inner.outputs.iter().map(|(n, id)| (n.clone(), node(*id))).collect();
        (graph, outputs)
    }
}

impl fmt::Display for Model {
    /// The text dump: one line for each node that an output or update needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let roots: Vec<NodeId> =
            self.inner.outputs.iter().map(|o| o.1).chain(self.inner.updates.iter().map(|u| u.1)).collect();
        write!(f, "{}", crate::dump::dump(&self.inner.nodes, &roots, self))?;
        for (name, id) in &self.inner.outputs {
            writeln!(f, "output {name} = %{id}")?;
        }
        for (target, value) in &self.inner.updates {
            writeln!(f, "update %{target} = %{value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
