//! A graph under construction: nodes, scopes, variables, inputs and updates.
//!
//! Writing a graph never fails. The first wrong shape poisons its node, everything downstream stays poisoned, and
//! [`Graph::model`] returns that one error with the user's line, the layer path, and what to do.

use crate::hooks::Hooks;
use crate::model::{Entry, InputSpec, Model, NodeId, Variable};
use crate::op::Result;
use crate::{GraphError, Init, Kind, Node, Op, Role};
use gradus_kernels::Buffer;
use gradus_tensor::Shape;
use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

/// The most values of one variable, or of one node for one sample: 16 GiB in `f32`. What is larger is a slip of the pen and would end in a
/// failed allocation.
const LARGEST: usize = 1 << 32;

fn is_too_large(sizes: &[usize]) -> bool {
    sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size)).is_none_or(|n| n > LARGEST)
}

#[derive(Clone, Default)]
pub(crate) struct Inner {
    pub(crate) nodes: Vec<Entry>,
    pub(crate) inputs: Vec<InputSpec>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) flats: Vec<Vec<usize>>,
    pub(crate) updates: Vec<(NodeId, NodeId)>,
    pub(crate) errors: Vec<GraphError>,
    pub(crate) scopes: Vec<(String, &'static Location<'static>)>,
    pub(crate) names: HashMap<String, usize>,
    pub(crate) hooks: Hooks,
    /// In a repeated pass: variables from this one on are found again instead of made.
    pub(crate) shared_from: Option<usize>,
    /// Names whose parameters are shared by all their uses.
    pub(crate) shared: crate::shared::Names,
    /// How much of each penalty counts.
    pub(crate) penalty_share: Option<f64>,
}

/// A symbolic graph under construction. Cheap to clone: clones share the graph. It lives on one thread; what
/// [`Graph::model`] freezes can go anywhere.
///
/// ```
/// use gradus_graph::Graph;
/// let g = Graph::new();
/// let x = g.input("x", [3]);
/// let y = (&x * 2.0 + 1.0).relu();
/// assert_eq!(y.shape().to_string(), "[B, 3]");
/// let model = g.model(&[("y", &y)]).unwrap();
/// assert_eq!(model.outputs()[0].0, "y");
/// ```
#[derive(Clone, Default)]
pub struct Graph(pub(crate) Rc<RefCell<Inner>>);

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// An input of real numbers, `[B, shape…]`.
    #[track_caller]
    pub fn input(&self, name: &str, shape: impl AsRef<[usize]>) -> Node {
        self.add_input(name, Shape::batched(shape.as_ref()), Kind::Real)
    }

    /// An input of whole numbers such as labels or token ids, `[B, shape…]`.
    #[track_caller]
    pub fn index_input(&self, name: &str, shape: impl AsRef<[usize]>) -> Node {
        self.add_input(name, Shape::batched(shape.as_ref()), Kind::Index)
    }

    /// An input of any shape, with or without a batch dimension.
    #[track_caller]
    pub fn add_input(&self, name: &str, shape: Shape, kind: Kind) -> Node {
        let at = Location::caller();
        let index = {
            let mut g = self.0.borrow_mut();
            if g.inputs.iter().any(|i| i.name == name) {
                g.errors.push(GraphError::Duplicate { what: "input", name: name.into() });
            }
            g.inputs.push(InputSpec { name: name.into(), shape: shape.clone(), kind });
            g.inputs.len() - 1
        };
        self.push(Op::Input(index), vec![], shape, kind, at)
    }

    /// A variable of the model under the current scope's path: a parameter, or a value that updates carry from step to step.
    #[track_caller]
    pub fn variable(&self, name: &str, shape: impl AsRef<[usize]>, init: impl Init, role: Role) -> Node {
        let at = Location::caller();
        if is_too_large(shape.as_ref()) {
            let received = format!("`{name}` {}", Shape::fixed(shape.as_ref()));
            let expected = "a variable of at most 2³² values";
            return self.refuse("variable", crate::ShapeError::new(expected, received, "make the layer smaller"));
        }
        let path = self.variable_path(name);
        if let Some(node) = self.made_before(&path, shape.as_ref(), role) {
            return node;
        }
        if let Some(node) = self.shared_before(&path, shape.as_ref(), role) {
            return node;
        }
        let index = {
            let mut g = self.0.borrow_mut();
            if g.variables.iter().any(|v| v.path == path) {
                g.errors.push(GraphError::Duplicate { what: "variable", name: path.clone() });
            }
            g.variables.push(Variable { path, shape: shape.as_ref().to_vec(), init: Arc::new(init), role });
            g.variables.len() - 1
        };
        self.push(Op::Variable(index), vec![], Shape::fixed(shape.as_ref()), Kind::Real, at)
    }

    /// Several variables as one flat vector, in one block of memory with each variable's start aligned; the gaps hold zeros.
    ///
    /// An optimiser updates all of them in one sweep. A variable may be in one flat vector only.
    #[track_caller]
    pub fn flat(&self, variables: &[usize]) -> Node {
        let at = Location::caller();
        let (index, len) = {
            let mut g = self.0.borrow_mut();
            let len = variables.iter().map(|&v| crate::model::padded(g.variables[v].len())).sum();
            g.flats.push(variables.to_vec());
            (g.flats.len() - 1, len)
        };
        self.push(Op::Flat(index), vec![], Shape::fixed(&[len]), Kind::Real, at)
    }

    /// Values of the shapes of a flat vector's variables, laid out as it is.
    #[track_caller]
    pub fn pack(&self, flat: &Node, values: &[Node]) -> Node {
        let at = Location::caller();
        let Op::Flat(index) = flat.op() else { panic!("`pack` needs a node made by `flat`") };
        self.push(Op::Pack(index), values.iter().map(|v| v.id).collect(), flat.shape(), Kind::Real, at)
    }

    /// The parts of a value that is laid out as a flat vector: one of each variable's shape, in order.
    #[track_caller]
    pub fn unpack(&self, flat: &Node, value: &Node) -> Vec<Node> {
        let Op::Flat(index) = flat.op() else { panic!("`unpack` needs a node made by `flat`") };
        let shapes: Vec<Vec<usize>> = {
            let g = self.0.borrow();
            g.flats[index].iter().map(|&v| g.variables[v].shape.clone()).collect()
        };
        let mut start = 0;
        let part = |shape: Vec<usize>| {
            let len: usize = shape.iter().product();
            let part = value.slice(0, start..start + len).reshape(Shape::fixed(&shape));
            start += crate::model::padded(len);
            part
        };
        shapes.into_iter().map(part).collect()
    }

    /// At the end of a training step, `target` (a variable or a flat vector) takes the value of `value`.
    ///
    /// All updates of a step see the values from before the step. A second update of one variable is an error.
    pub fn update(&self, target: &Node, value: &Node) {
        let (expected, received) = (target.shape(), value.shape());
        let mut g = self.0.borrow_mut();
        if let Some(variable) = twice(&g, target.id) {
            let error = GraphError::Twice { variable: g.variables[variable].path.clone() };
            g.errors.push(error);
        }
        if expected != received && g.errors.is_empty() {
            let variable = match g.nodes[target.id].op {
                Op::Variable(v) => g.variables[v].path.clone(),
                _ => "flat parameters".into(),
            };
            g.errors.push(GraphError::Update {
                variable,
                expected: expected.to_string(),
                received: received.to_string(),
            });
        }
        g.updates.push((target.id, value.id));
    }

    /// A constant of a given shape.
    #[track_caller]
    pub fn fill(&self, value: f64, shape: impl Into<Shape>) -> Node {
        self.apply(crate::ops::Fill { value, shape: shape.into() }, &[])
    }

    /// A single constant number.
    #[track_caller]
    pub fn scalar(&self, value: f64) -> Node {
        self.fill(value, Shape::scalar())
    }

    /// The place of each element of a tensor of these sizes: the sum of its coordinates times `strides`.
    #[track_caller]
    pub fn places(&self, sizes: &[usize], strides: &[usize]) -> Node {
        let shape = Shape::fixed(sizes);
        let along =
            |axis: usize| self.apply(crate::ops::Iota { axis, shape: shape.clone() }, &[]) * strides[axis] as f64;
        (0..sizes.len()).map(along).reduce(|a, b| a + b).unwrap_or_else(|| self.fill(0.0, shape.clone()))
    }

    /// Independent draws, new ones each step. Every random node of a model has its own stream, kept apart by path and order.
    #[track_caller]
    pub fn random(&self, distribution: gradus_kernels::Random, shape: impl Into<Shape>) -> Node {
        let path = self.path("");
        let nth = self.0.borrow().nodes.iter().filter(|n| matches!(n.op, Op::Random(_)) && *n.path == *path).count();
        let stream = crate::init::stream(&format!("{path}#{nth}"));
        self.apply(crate::ops::Random { distribution, shape: shape.into(), stream }, &[])
    }

    /// The number of training steps done so far: 0 in the first. What depends on it alone is computed in `f64`.
    #[track_caller]
    pub fn step(&self) -> Node {
        self.push(Op::Step, vec![], Shape::scalar(), Kind::Real, Location::caller())
    }

    /// Applies an op. Shape errors are kept and reported by [`Graph::model`].
    #[track_caller]
    pub fn apply(&self, op: impl Into<Op>, x: &[&Node]) -> Node {
        let (op, at) = (op.into(), Location::caller());
        let ids: Vec<NodeId> = x.iter().map(|n| n.id).collect();
        let shape = {
            let g = self.0.borrow();
            if ids.iter().any(|&i| matches!(g.nodes[i].op, Op::Poison)) {
                None
            } else {
                let shapes: Vec<&Shape> = ids.iter().map(|&i| &g.nodes[i].shape).collect();
                Some(op.shape(&shapes).and_then(|shape| match is_too_large(&shape.at(1)) {
                    false => Ok(shape),
                    true => {
                        let help = "use fewer units or filters, less padding or a larger stride";
                        Err(crate::ShapeError::new("at most 2³² values for each sample", shape.to_string(), help))
                    }
                }))
            }
        };
        match shape {
            Some(Ok(shape)) => {
                let kind = op.kind();
                self.push(op, ids, shape, kind, at)
            }
            Some(Err(e)) => {
                let path = self.path("");
                {
                    let mut g = self.0.borrow_mut();
                    let at = g.scopes.first().map_or(at, |s| s.1);
                    let (expected, received, help) = (e.expected, e.received, e.help);
                    g.errors.push(GraphError::Shape { op: op.name(), path, at, expected, received, help });
                }
                self.push(Op::Poison, vec![], Shape::scalar(), Kind::Real, at)
            }
            None => self.push(Op::Poison, vec![], Shape::scalar(), Kind::Real, at),
        }
    }

    /// Reports a configuration that no op can see (a rate above 1, say) as an error at the user's line; the node is poisoned.
    #[track_caller]
    pub fn refuse(&self, op: &'static str, error: crate::ShapeError) -> Node {
        let at = Location::caller();
        let path = self.path("");
        {
            let mut g = self.0.borrow_mut();
            let at = g.scopes.first().map_or(at, |s| s.1);
            let (expected, received, help) = (error.expected, error.received, error.help);
            g.errors.push(GraphError::Shape { op, path, at, expected, received, help });
        }
        self.push(Op::Poison, vec![], Shape::scalar(), Kind::Real, at)
    }

    /// Runs `f` in a scope: names of variables made inside start with it. A name already used gets a number: `dense`, `dense_1`.
    #[track_caller]
    pub fn scope<R>(&self, name: &str, f: impl FnOnce() -> R) -> R {
        let at = Location::caller();
        {
            let mut g = self.0.borrow_mut();
            let parent = join(&g.scopes, "");
            let count = g.names.entry(format!("{parent}/{name}")).or_insert(0);
            let unique = if *count == 0 { name.to_string() } else { format!("{name}_{count}") };
            *count += 1;
            g.scopes.push((unique, at));
        }
        let result = f();
        self.0.borrow_mut().scopes.pop();
        result
    }

    /// Runs `f` outside of all scopes: what is made in it stands under no path but its own.
    pub fn unscoped<R>(&self, f: impl FnOnce() -> R) -> R {
        let outer = std::mem::take(&mut self.0.borrow_mut().scopes);
        let result = f();
        self.0.borrow_mut().scopes = outer;
        result
    }

    /// A name under the current scope.
    pub fn path(&self, name: &str) -> String {
        join(&self.0.borrow().scopes, name)
    }

    /// A variable's path: under the current scope, or under the name that shares it.
    fn variable_path(&self, name: &str) -> String {
        let g = self.0.borrow();
        match g.shared.innermost() {
            Some((shared, depth)) => format!("{shared}/{}", join(&g.scopes[depth..], name)),
            None => join(&g.scopes, name),
        }
    }

    /// The variables made so far: paths, shapes and roles.
    pub fn variables(&self) -> Vec<Variable> {
        self.0.borrow().variables.clone()
    }

    /// The node that reads a variable, by its index in [`Graph::variables`].
    pub fn variable_node(&self, index: usize) -> Node {
        let g = self.0.borrow();
        let id = g.nodes.iter().position(|n| matches!(n.op, Op::Variable(v) if v == index));
        drop(g);
        Node { graph: self.clone(), id: id.expect("a variable is read by the node that made it") }
    }

    /// The paths of the variables that these nodes are computed from, sorted.
    pub fn variables_of(&self, nodes: &[&Node]) -> Vec<String> {
        let g = self.0.borrow();
        let mut needed = vec![false; g.nodes.len()];
        nodes.iter().for_each(|node| needed[node.id] = true);
        for id in (0..needed.len()).rev().filter(|_| !nodes.is_empty()) {
            if needed[id] {
                g.nodes[id].inputs.iter().for_each(|&input| needed[input] = true);
            }
        }
        let path = |(entry, _): (&Entry, _)| match entry.op {
            Op::Variable(v) => Some(g.variables[v].path.clone()),
            _ => None,
        };
        let mut paths: Vec<String> =
            g.nodes.iter().zip(needed).filter(|(_, needed)| *needed).filter_map(path).collect();
        paths.sort();
        paths.dedup();
        paths
    }

    /// Freezes the trained parameters that `which` chooses: they keep their values from now on. Says how many they were.
    pub fn freeze(&self, which: impl Fn(&Variable) -> bool) -> usize {
        let mut g = self.0.borrow_mut();
        let chosen = g.variables.iter_mut().filter(|v| v.role.trainable() && which(v));
        chosen.map(|variable| variable.role = Role::Frozen).count()
    }

    /// Takes the errors made so far out of the graph. What is poisoned stays so; the rest can be used.
    pub fn take_errors(&self) -> Vec<GraphError> {
        std::mem::take(&mut self.0.borrow_mut().errors)
    }

    /// How many nodes there are.
    pub fn node_count(&self) -> usize {
        self.0.borrow().nodes.len()
    }

    /// The node of an index in [`Model::nodes`], if there is one: how a finished model is looked into.
    pub fn node(&self, id: NodeId) -> Option<Node> {
        (id < self.0.borrow().nodes.len()).then(|| Node { graph: self.clone(), id })
    }

    /// Freezes the graph with these named outputs, or returns the first error made while writing it, or one that says that there is
    /// not memory enough for its variables.
    pub fn model(&self, outputs: &[(&str, &Node)]) -> Result<Model> {
        let g = self.0.borrow();
        if let Some(error) = g.errors.first() {
            return Err(error.clone());
        }
        for (i, (name, _)) in outputs.iter().enumerate() {
            if outputs[..i].iter().any(|(n, _)| n == name) {
                return Err(GraphError::Duplicate { what: "output", name: (*name).into() });
            }
        }
        let values: usize = g.variables.iter().map(|v| crate::model::padded(v.len())).sum();
        if !Buffer::<f32>::fits(values) {
            return Err(GraphError::memory("the parameters and what the optimiser keeps of them", values * 4));
        }
        Ok(Model::new(&g, outputs.iter().map(|(n, o)| ((*n).to_string(), o.id)).collect()))
    }

    pub(crate) fn push(
        &self,
        op: Op,
        inputs: Vec<NodeId>,
        shape: Shape,
        kind: Kind,
        at: &'static Location<'static>,
    ) -> Node {
        let path = self.path("");
        let mut g = self.0.borrow_mut();
        g.nodes.push(Entry { op, inputs, shape, kind, path: path.into(), at });
        let id = g.nodes.len() - 1;
        drop(g);
        Node { graph: self.clone(), id }
    }
}

/// The first variable of an update's target that another update changes too.
fn twice(g: &Inner, target: NodeId) -> Option<usize> {
    let variables = |id: NodeId| match g.nodes[id].op {
        Op::Variable(v) => vec![v],
        Op::Flat(f) => g.flats[f].clone(),
        _ => vec![],
    };
    let own = variables(target);
    g.updates.iter().find_map(|&(other, _)| variables(other).into_iter().find(|v| own.contains(v)))
}

fn join(scopes: &[(String, &'static Location<'static>)], name: &str) -> String {
    let mut path = String::new();
    for part in scopes.iter().map(|s| s.0.as_str()).chain((!name.is_empty()).then_some(name)) {
        if !path.is_empty() {
            path.push('/');
        }
        path.push_str(part);
    }
    path
}
