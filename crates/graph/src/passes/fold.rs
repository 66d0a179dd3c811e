//! Folding for prediction: what depends on no input is computed once.
//!
//! With the mode decided and all values known, a batch norm is a scale and a shift for each column. Behind a product or a convolution
//! they move into its weight and bias, `(x·W + b)·s + t = x·(W·s) + (b·s + t)`; before one they move into it too,
//! `(x·s + t)·W = x·(s·W) + t·W`. What is left without an input is computed in `f64` and becomes a variable of the new model. Jacob et
//! al. 2018, arXiv:1712.05877, section 3.2. A large shift before a product stays where it is: `x·(s·W) + t·W` would be a small difference
//! of large numbers.

use crate::graph::Graph;
use crate::model::{Entry, Model, NodeId, Role, Variable};
use crate::op::Result;
use crate::ops::{Count, MatMul, Reshape};
use crate::program::{Engine, Request, RunError};
use crate::state::State;
use crate::{GraphError, Node, Op, Values};
use gradus_kernels::{Pool, Real};
use gradus_tensor::{Dim, Shape};
use std::collections::HashMap;
use std::sync::Arc;

/// The largest shift that goes into the product behind it.
const LARGEST_SHIFT: f64 = 32.0;

/// A model that predicts the same with less work, and its state. It has the model's inputs and outputs, but neither training forms nor
/// updates: it follows the weights no more.
///
/// Outputs agree with those of the model when predicting up to rounding (1e-6 in `f32`, 1e-12 in `f64`). Folded weights and biases keep
/// the names of the ones they take the place of; what else was computed is named `folded` under its layer.
///
/// # Errors
/// Those of compiling the model.
///
/// ```
/// use gradus_graph::{Constant, Graph, Role, State, fold};
/// let g = Graph::new();
/// let w = g.variable("w", [3, 2], Constant(0.5), Role::Weight);
/// let scale = g.variable("scale", [2], Constant(4.0), Role::Norm);
/// let y = g.input("x", [3]).matmul(&w) * scale.exp();
/// let model = g.model(&[("y", &y)])?;
/// let (folded, state) = fold(&model, &State::<f32>::new(&model, 0))?;
/// assert_eq!(folded.variables().len(), 1);
/// assert_eq!(state.variable("w").unwrap()[0], 0.5 * 4f32.exp());
/// # Ok::<(), gradus_graph::GraphError>(())
/// ```
pub fn fold<T: Real>(model: &Model, state: &State<T>) -> Result<(Model, State<T>)> {
    let (nodes, roots) = predicting(model);
    if nodes.iter().any(|node| matches!(node.op, Op::Flat(_) | Op::Pack(_) | Op::Poison)) {
        return Ok((model.clone(), state.clone()));
    }
    let values = |graph: &Graph, node: &Node| compute(graph, &[node.id], state).map(|mut values| values.remove(0));
    let mut folder = Folder::new(model, &nodes, &roots, &values);
    for id in 0..nodes.len() {
        folder.visit(id);
    }
    let Folder { graph, new, names, .. } = folder;
    let outputs: Vec<NodeId> = roots.iter().map(|&root| new[root].id).collect();
    finish(&graph, &names, model, &outputs, state)
}

/// The nodes that the outputs need when predicting, and the outputs among them.
fn predicting(model: &Model) -> (Vec<Entry>, Vec<NodeId>) {
    let mut resolved: Vec<NodeId> = vec![];
    for (id, node) in model.nodes().iter().enumerate() {
        resolved.push(if let Op::Switch(_) = node.op { resolved[node.inputs[1]] } else { id });
    }
    let roots: Vec<NodeId> = model.outputs().iter().map(|o| resolved[o.1]).collect();
    let nodes: Vec<Entry> = model
        .nodes()
        .iter()
        .map(|node| Entry { inputs: node.inputs.iter().map(|&x| resolved[x]).collect(), ..node.clone() })
        .collect();
    let dag = super::Dag { nodes, roots }.without_dead();
    (dag.nodes, dag.roots)
}

/// Which nodes depend on no input, no draw, no step and no batch size.
fn constants(nodes: &[Entry]) -> Vec<bool> {
    let mut constant: Vec<bool> = vec![];
    for node in nodes {
        let own = match &node.op {
            Op::Input(_) | Op::Step | Op::Random(_) => false,
            Op::Custom(_) => !node.inputs.is_empty(),
            Op::Count(Count { of }) => !of.has_batch(),
            _ => true,
        };
        constant.push(own && !node.shape.has_batch() && node.inputs.iter().all(|&x| constant[x]));
    }
    constant
}

/// A value as `base·scale + shift`, with one number for each column or one for all.
#[derive(Clone)]
struct Affine {
    base: Base,
    scale: Option<Node>,
    shift: Option<Node>,
}

#[derive(Clone)]
enum Base {
    /// Any value.
    Value(Node),
    /// A product with a constant matrix or a convolution with constant weights, perhaps seen under another shape of the same columns or
    /// with its axes in another order.
    Product { x: Node, weight: Node, op: Op, shape: Shape, order: Option<Vec<usize>> },
}

impl Base {
    /// The axis of the columns, for a value of this rank.
    fn axis(&self, rank: usize) -> usize {
        let last = rank.saturating_sub(1);
        match self {
            Base::Product { order: Some(order), .. } => order.iter().position(|&axis| axis == last).unwrap_or(last),
            _ => last,
        }
    }
}

/// Whether the columns of the result are rows of the weight.
fn has_columns_as_rows(op: &Op) -> bool {
    matches!(op, Op::MatMul(MatMul { transpose_b: true, .. }) | Op::ConvInput(_))
}

struct Folder<'a> {
    nodes: &'a [Entry],
    constant: Vec<bool>,
    /// How many nodes and outputs read a node.
    users: Vec<usize>,
    /// The new graph: a superset of what will be left.
    graph: Graph,
    /// Each node in the new graph.
    new: Vec<Node>,
    affine: Vec<Option<Affine>>,
    /// Names for computed nodes.
    names: HashMap<NodeId, (String, Role)>,
    /// The numbers of a node of the new graph that depends on no input.
    values: &'a Numbers<'a>,
}

type Numbers<'a> = dyn Fn(&Graph, &Node) -> Result<Vec<f64>> + 'a;

impl<'a> Folder<'a> {
    fn new(model: &Model, nodes: &'a [Entry], roots: &[NodeId], values: &'a Numbers<'a>) -> Folder<'a> {
        let mut users = vec![0; nodes.len()];
        nodes.iter().flat_map(|node| &node.inputs).chain(roots).for_each(|&x| users[x] += 1);
        let graph = Graph::new();
        {
            let mut inner = graph.0.borrow_mut();
            inner.inputs = model.inputs().to_vec();
            inner.variables = model.variables().to_vec();
        }
        let (constant, names) = (constants(nodes), HashMap::new());
        Folder { nodes, constant, users, graph, new: vec![], affine: vec![], names, values }
    }

    fn visit(&mut self, id: NodeId) {
        let node = &self.nodes[id];
        let inner = || self.graph.0.borrow_mut();
        inner().scopes = if node.path.is_empty() { vec![] } else { vec![(node.path.to_string(), node.at)] };
        let inputs = node.inputs.iter().map(|&x| self.new[x].id).collect();
        let plain = self.graph.push(node.op.clone(), inputs, node.shape.clone(), node.kind, node.at);
        let affine = if self.constant[id] { None } else { self.affine_of(id) };
        let folded = affine.as_ref().and_then(|affine| self.folded(affine));
        self.new.push(folded.unwrap_or(plain));
        self.affine.push(affine);
    }

    /// A node in terms of an earlier one. What others read too stays as it is.
    fn affine_of(&self, id: NodeId) -> Option<Affine> {
        let node = &self.nodes[id];
        let x = |i: usize| node.inputs[i];
        match &node.op {
            Op::MatMul(op) if self.constant[x(1)] && !self.constant[x(0)] && !op.transpose_a => self.product(id, op),
            Op::Conv(_) | Op::ConvInput(_) if self.constant[x(1)] && !self.constant[x(0)] => {
                let (op, shape) = (node.op.clone(), node.shape.clone());
                let (x, weight) = (self.new[x(0)].clone(), self.new[x(1)].clone());
                Some(Affine { base: Base::Product { x, weight, op, shape, order: None }, scale: None, shift: None })
            }
            Op::Permute(permute) => {
                let before = self.before(x(0));
                let Base::Product { x, weight, op, shape, order: None } = before.base else { return None };
                let order = Some(permute.order.clone());
                Some(Affine { base: Base::Product { x, weight, op, shape, order }, ..before })
            }
            Op::Neg(_) => Some(self.before(x(0)).scaled(&self.graph.scalar(-1.0))),
            Op::Reshape(_) if self.nodes[x(0)].shape.dims().last() == node.shape.dims().last() => {
                let before = self.before(x(0));
                let base = match before.base {
                    Base::Value(value) => Base::Value(value.reshape(node.shape.clone())),
                    Base::Product { order: Some(_), .. } => return None,
                    Base::Product { x, weight, op, order, .. } => {
                        Base::Product { x, weight, op, shape: node.shape.clone(), order }
                    }
                };
                Some(Affine { base, ..before })
            }
            Op::Add(_) | Op::Sub(_) | Op::Mul(_) | Op::Div(_) => {
                let second = self.constant[x(1)];
                let (value, other) = if second { (x(0), x(1)) } else { (x(1), x(0)) };
                let before = self.before(value);
                let axis = before.base.axis(node.shape.rank());
                let c = self.columns(other, id, axis).filter(|_| self.nodes[value].shape == node.shape)?;
                match (&node.op, second) {
                    (Op::Add(_), _) => Some(before.shifted(&c)),
                    (Op::Sub(_), true) => Some(before.shifted(&-&c)),
                    (Op::Sub(_), false) => Some(before.scaled(&self.graph.scalar(-1.0)).shifted(&c)),
                    (Op::Mul(_), _) => Some(before.scaled(&c)),
                    (Op::Div(_), true) => Some(before.scaled(&c.recip())),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// A product with a constant matrix; a scale and a shift of its rows go into it.
    fn product(&self, id: NodeId, op: &MatMul) -> Option<Affine> {
        let (x, weight) = (self.nodes[id].inputs[0], &self.new[self.nodes[id].inputs[1]]);
        if weight.shape().rank() != 2 {
            return None;
        }
        let shape = self.nodes[id].shape.clone();
        let product = |x: Node, weight: Node, shift: Option<Node>| {
            let base = Base::Product { x, weight, op: op.clone().into(), shape: shape.clone(), order: None };
            Some(Affine { base, scale: None, shift })
        };
        let before = self.before(x);
        let small =
            |shift: &Node| (self.values)(&self.graph, shift).is_ok_and(|t| t.iter().all(|t| t.abs() <= LARGEST_SHIFT));
        let Base::Value(value) = before.base else { return product(self.new[x].clone(), weight.clone(), None) };
        if before.shift.as_ref().is_some_and(|shift| !small(shift)) {
            return product(self.new[x].clone(), weight.clone(), None);
        }
        let inputs = self.nodes[x].shape.dims().last().map_or(1, |d| d.at(1));
        let shift = before.shift.map(|t| {
            let row = t.expand([inputs]).reshape([1, inputs]);
            let width = shape.dims().last().map_or(1, |d| d.at(1));
            self.graph.apply(op.clone(), &[&row, weight]).reshape([width])
        });
        let weight = match before.scale {
            Some(s) if op.transpose_b => weight * s,
            Some(s) if s.shape().rank() == 1 => weight * s.reshape([inputs, 1]),
            Some(s) => weight * s,
            None => weight.clone(),
        };
        product(value, weight, shift)
    }

    /// What a node is made of, if this is all that it is read for; else the node itself.
    fn before(&self, id: NodeId) -> Affine {
        let own = Affine { base: Base::Value(self.new[id].clone()), scale: None, shift: None };
        self.affine[id].clone().filter(|_| self.users[id] == 1).unwrap_or(own)
    }

    /// A constant operand of a node as one number, `[]`, or one for each place along its axis of columns, `[D]`.
    fn columns(&self, id: NodeId, of: NodeId, axis: usize) -> Option<Node> {
        if !self.constant[id] {
            return None;
        }
        let (own, shape) = (&self.nodes[id].shape, &self.nodes[of].shape);
        let len = own.len_at(1);
        let place = (axis + own.rank()).checked_sub(shape.rank());
        let along = place.and_then(|place| own.dims().get(place)).copied();
        let fits = len == 1 || along == Some(Dim::Fixed(len)) && shape.dims().get(axis).copied() == along;
        let (node, flat) = (&self.new[id], if len == 1 { Shape::scalar() } else { Shape::fixed(&[len]) });
        fits.then(|| if node.shape() == flat { node.clone() } else { node.reshape(flat) })
    }

    /// The node with scale and shift in its product.
    fn folded(&mut self, affine: &Affine) -> Option<Node> {
        let Base::Product { x, weight, op, shape, order } = &affine.base else { return None };
        let columns = shape.dims().last().map_or(1, |d| d.at(1));
        let source = match weight_source(weight) {
            Some(path) => path,
            None => self.graph.path("weight"),
        };
        let scaled = match &affine.scale {
            None => weight.clone(),
            Some(s) if has_columns_as_rows(op) && s.shape().rank() == 1 => weight * s.reshape([columns, 1]),
            Some(s) => weight * s,
        };
        self.names.insert(scaled.id, (source.clone(), Role::Weight));
        let mut y = self.graph.apply(op.clone(), &[x, &scaled]);
        if y.shape() != *shape {
            y = self.graph.apply(Reshape { shape: shape.clone() }, &[&y]);
        }
        if let Some(shift) = &affine.shift {
            let shift = shift.expand([columns]);
            let folder = source.rsplit_once('/').map_or(String::new(), |(folder, _)| format!("{folder}/"));
            self.names.insert(shift.id, (format!("{folder}bias"), Role::Bias));
            y = y + shift;
        }
        Some(match order {
            Some(order) => y.permute(order.clone()),
            None => y,
        })
    }
}

/// The path of the variable that a weight is made of, through scales of it.
fn weight_source(weight: &Node) -> Option<String> {
    let inner = weight.graph.0.borrow();
    let mut id = weight.id;
    loop {
        match &inner.nodes[id].op {
            Op::Variable(v) => return Some(inner.variables[*v].path.clone()),
            Op::Mul(_) => id = inner.nodes[id].inputs[0],
            _ => return None,
        }
    }
}

impl Affine {
    fn scaled(self, by: &Node) -> Affine {
        let times = |x: Option<Node>| x.map(|x| x * by);
        let scale = times(self.scale).unwrap_or_else(|| by.clone());
        Affine { base: self.base, scale: Some(scale), shift: times(self.shift) }
    }

    fn shifted(self, by: &Node) -> Affine {
        let shift = self.shift.map_or_else(|| by.clone(), |shift| shift + by);
        Affine { shift: Some(shift), ..self }
    }
}

/// Computes what depends on no input, and builds the model of what is left.
fn finish<T: Real>(
    graph: &Graph,
    names: &HashMap<NodeId, (String, Role)>,
    model: &Model,
    outputs: &[NodeId],
    state: &State<T>,
) -> Result<(Model, State<T>)> {
    let nodes = graph.0.borrow().nodes.clone();
    let constant = constants(&nodes);
    let mut learned: Vec<bool> = vec![];
    for node in &nodes {
        learned.push(matches!(node.op, Op::Variable(_)) || node.inputs.iter().any(|&x| learned[x]));
    }
    let computed = |id: NodeId| constant[id] && learned[id] && !matches!(nodes[id].op, Op::Variable(_));
    // What is needed, not looking behind what is computed.
    let mut live = vec![false; nodes.len()];
    let mut stack = outputs.to_vec();
    while let Some(id) = stack.pop() {
        if !std::mem::replace(&mut live[id], true) && !computed(id) {
            stack.extend(&nodes[id].inputs);
        }
    }
    let wanted: Vec<NodeId> = (0..nodes.len()).filter(|&id| live[id] && computed(id)).collect();
    let values = compute(graph, &wanted, state)?;

    let mut taken: Vec<String> = vec![];
    for node in nodes.iter().zip(&live).filter(|(_, live)| **live).map(|(node, _)| node) {
        if let Op::Variable(v) = node.op {
            taken.push(model.variables()[v].path.clone());
        }
    }
    let result = Graph::new();
    let mut made: Vec<(String, Vec<f64>)> = vec![];
    let mut renamed = vec![usize::MAX; nodes.len()];
    {
        let mut inner = result.0.borrow_mut();
        inner.inputs = model.inputs().to_vec();
        for (id, node) in nodes.iter().enumerate().filter(|(id, _)| live[*id]) {
            let mut node = node.clone();
            if let Some(place) = wanted.iter().position(|&w| w == id) {
                let values = values[place].clone();
                let (path, role) = names.get(&id).cloned().unwrap_or_else(|| {
                    let folder = if node.path.is_empty() { String::new() } else { format!("{}/", node.path) };
                    (format!("{folder}folded"), Role::Frozen)
                });
                let path = free(path, &taken);
                taken.push(path.clone());
                let shape = node.shape.at(1);
                let variable = Variable { path: path.clone(), shape, init: Arc::new(Values(values.clone())), role };
                inner.variables.push(variable);
                made.push((path, values));
                (node.op, node.inputs) = (Op::Variable(inner.variables.len() - 1), vec![]);
            } else if let Op::Variable(v) = node.op {
                inner.variables.push(model.variables()[v].clone());
                node.op = Op::Variable(inner.variables.len() - 1);
            }
            node.inputs.iter_mut().for_each(|x| *x = renamed[*x]);
            inner.nodes.push(node);
            renamed[id] = inner.nodes.len() - 1;
        }
    }
    let outputs = model.outputs().iter().zip(outputs).map(|((name, _), &id)| (name.clone(), renamed[id])).collect();
    let folded = Model::new(&result.0.borrow(), outputs);
    let mut own = State::new(&folded, state.seed);
    own.step = state.step;
    own.copy_from(state);
    for (path, values) in &made {
        if let Some(variable) = own.variable_mut(path) {
            variable.iter_mut().zip(values).for_each(|(x, &v)| *x = T::from_f64(v));
        }
    }
    Ok((folded, own))
}

/// The values of some nodes that depend on no input.
fn compute<T: Real>(graph: &Graph, wanted: &[NodeId], state: &State<T>) -> Result<Vec<Vec<f64>>> {
    let names: Vec<String> = wanted.iter().map(ToString::to_string).collect();
    let node = |&id: &NodeId| Node { graph: graph.clone(), id };
    let nodes: Vec<Node> = wanted.iter().map(node).collect();
    let outputs: Vec<(&str, &Node)> = names.iter().map(String::as_str).zip(&nodes).collect();
    let model = graph.model(&outputs)?;
    let mut own = State::<f64>::new(&model, state.seed);
    own.copy_from(state);
    let request = Request { outputs: names.clone(), ..Request::predicting(&[]) };
    let mut engine = Engine::<f64>::new(&model, request)?;
    let inputs: Vec<Vec<f64>> = model.inputs().iter().map(|input| vec![0.0; input.shape.len_at(1)]).collect();
    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
    match engine.run(&mut own, &inputs, 1, 1, &Pool::new(1)) {
        Ok(()) => {}
        Err(RunError::Graph(error)) => return Err(error),
        Err(other) => return Err(GraphError::Internal(other.to_string())),
    }
    Ok(names.iter().map(|name| engine.output(name).unwrap_or_default().to_vec()).collect())
}

/// The path, with a number behind it if it is taken.
fn free(path: String, taken: &[String]) -> String {
    let mut numbered = path.clone();
    let mut n = 0;
    while taken.contains(&numbered) {
        n += 1;
        numbered = format!("{path}_{n}");
    }
    numbered
}
