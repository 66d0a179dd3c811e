//! A graph as nodes of ONNX.
//!
//! Values are written under a name with their kind of number, and with their axes in an order of their own: a transposition is written only
//! where an operator needs another order, so that the channels-last values of convolutions cost nothing between one and the next.

use super::attribute::Attribute;
use crate::model::{Entry, Model, NodeId};
use crate::ops::Op;
use crate::state::State;
use gradus_kernels::Real;
use gradus_tensor::{Dim, Kind, Shape, Tensor, Values};
use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Why an op cannot be written.
pub type Refusal = String;

/// A node of ONNX.
#[derive(Clone, Debug, PartialEq)]
pub struct WrittenNode {
    /// The layer and the operator, with a number where several have that name.
    pub name: String,
    /// The operator.
    pub operator: &'static str,
    /// Names of the inputs.
    pub inputs: Vec<String>,
    /// The name of the output.
    pub output: String,
    /// The settings.
    pub attributes: Vec<(&'static str, Attribute)>,
}

/// A value that was written.
#[derive(Clone, Debug)]
pub struct Written {
    /// Its name; of a constant that of its first order of axes.
    name: String,
    /// Its shape as the graph has it.
    pub shape: Shape,
    /// Its kind of number.
    pub kind: Kind,
    /// Axis `i` of the value under that name is axis `order[i]` of the graph's.
    order: Vec<usize>,
    /// The numbers of a constant.
    constant: Option<Arc<Tensor>>,
}

/// A model as ONNX has it.
#[derive(Clone, Debug, Default)]
pub struct WrittenGraph {
    /// The nodes in the order of computation.
    pub nodes: Vec<WrittenNode>,
    /// Stored values by name.
    pub initializers: Vec<(String, Tensor)>,
    /// Inputs: name, shape and kind of number.
    pub inputs: Vec<(String, Shape, Kind)>,
    /// Outputs: name, shape and kind of number.
    pub outputs: Vec<(String, Shape, Kind)>,
}

/// An op that cannot be written, where it stands, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unwritten {
    /// The op.
    pub op: &'static str,
    /// The layer's path.
    pub path: String,
    /// Why.
    pub why: String,
}

/// Writes these outputs of a model, as it predicts, for a version of ONNX's operators.
///
/// # Errors
/// All ops that cannot be written.
pub fn write<T: Real>(
    model: &Model,
    state: &State<T>,
    outputs: &[&str],
    version: i64,
) -> Result<WrittenGraph, Vec<Unwritten>> {
    let inner = &model.inner;
    let wanted: Vec<NodeId> =
        inner.outputs.iter().filter(|(name, _)| outputs.contains(&name.as_str())).map(|o| o.1).collect();
    let needed = needed(&inner.nodes, &wanted);
    let mut writer = Writer { version, ..Writer::default() };
    for input in &inner.inputs {
        let kind = if input.kind == crate::Kind::Index { Kind::I64 } else { Kind::F32 };
        writer.graph.inputs.push((input.name.clone(), input.shape.clone(), kind));
        writer.names.insert(input.name.clone());
    }
    let variables: Vec<Tensor> = state
        .variables()
        .map(|(variable, values)| {
            let numbers: Vec<f32> = values.iter().map(|v| v.to_f64() as f32).collect();
            Tensor::new(variable.shape.clone(), numbers).expect("as many values as the variable has")
        })
        .collect();
    let mut made: Vec<Option<Written>> = vec![None; inner.nodes.len()];
    let mut refused = vec![];
    for id in needed {
        let entry = &inner.nodes[id];
        writer.path = entry.path.to_string();
        // Of a switch, what the model does when it predicts.
        let inputs = if let Op::Switch(_) = entry.op { &entry.inputs[1..] } else { &entry.inputs[..] };
        let x: Vec<Written> = inputs.iter().filter_map(|&input| made[input].clone()).collect();
        let written = match &entry.op {
            Op::Input(i) => {
                let (name, shape, kind) = &writer.graph.inputs[*i];
                Ok(Written::plain(name.clone(), shape.clone(), *kind))
            }
            Op::Variable(v) => Ok(writer.stored(&inner.variables[*v].path, variables[*v].clone())),
            op => op.write(&mut writer, &x, &entry.shape),
        };
        let written = writer.refused.take().map_or(written, Err);
        match written {
            Ok(written) => made[id] = Some(written),
            Err(why) => {
                refused.push(Unwritten { op: entry.op.name(), path: entry.path.to_string(), why });
                // Something in its place, so that what follows is tried too.
                made[id] = Some(Written::plain(String::new(), entry.shape.clone(), Kind::F32));
            }
        }
    }
    if !refused.is_empty() {
        return Err(refused);
    }
    for (name, id) in inner.outputs.iter().filter(|(name, _)| outputs.contains(&name.as_str())) {
        let value = made[*id].clone().expect("nothing was refused");
        writer.output(name, &value);
    }
    writer.graph.drop_unused();
    Ok(writer.graph)
}

impl WrittenGraph {
    /// Leaves out nodes and stored values that nothing reads.
    fn drop_unused(&mut self) {
        let mut used: BTreeSet<String> = self.outputs.iter().map(|(name, ..)| name.clone()).collect();
        let mut kept = vec![];
        for node in std::mem::take(&mut self.nodes).into_iter().rev() {
            if used.contains(&node.output) {
                used.extend(node.inputs.iter().cloned());
                kept.push(node);
            }
        }
        kept.reverse();
        self.nodes = kept;
        self.initializers.retain(|(name, _)| used.contains(name));
    }
}

/// The nodes that these are computed from when predicting, in order.
fn needed(nodes: &[Entry], wanted: &[NodeId]) -> Vec<NodeId> {
    let mut used = vec![false; nodes.len()];
    wanted.iter().for_each(|&id| used[id] = true);
    for id in (0..nodes.len()).rev().filter(|&id| wanted.iter().any(|&w| id <= w)) {
        if used[id] {
            let inputs =
                if matches!(nodes[id].op, Op::Switch(_)) { &nodes[id].inputs[1..] } else { &nodes[id].inputs[..] };
            inputs.iter().for_each(|&input| used[input] = true);
        }
    }
    (0..nodes.len()).filter(|&id| used[id]).collect()
}

/// What writes a graph: nodes are added, names are kept apart.
#[derive(Default)]
pub struct Writer {
    /// The version of the operators.
    pub version: i64,
    graph: WrittenGraph,
    names: BTreeSet<String>,
    path: String,
    /// Why the op that is being written cannot be, found on the way.
    refused: Option<Refusal>,
    /// Values in another order of axes, or as another kind, by name and what was asked for.
    again: HashMap<(String, String), String>,
}

impl Written {
    fn plain(name: String, shape: Shape, kind: Kind) -> Written {
        let order = (0..shape.rank()).collect();
        Written { name, shape, kind, order, constant: None }
    }

    /// The numbers of a constant.
    pub fn constant(&self) -> Option<&Tensor> {
        self.constant.as_deref()
    }

    /// Where an axis of the graph's value lies in what was written.
    pub fn place(&self, axis: usize) -> i64 {
        self.order.iter().position(|&a| a == axis).expect("an order names each axis") as i64
    }

    /// The same values with the axes in another order: `axis i` is this one's `axes[i]`. Nothing is written.
    pub fn permuted(&self, axes: &[usize], shape: &Shape) -> Written {
        let order = self.order.iter().map(|own| axes.iter().position(|a| a == own).expect("each axis once")).collect();
        let constant = self.constant.as_ref().map(|c| Arc::new(c.permute(axes)));
        Written { shape: shape.clone(), order, constant, ..self.clone() }
    }

    /// The same, with the axes of what was written in this order.
    pub fn in_order(self, order: Vec<usize>) -> Written {
        Written { order, ..self }
    }

    /// The same, with the axes of what was written in the order of another's.
    pub fn ordered_as(self, other: &Written) -> Written {
        self.in_order(other.order.clone())
    }

    fn is_plain(&self) -> bool {
        self.order.iter().copied().eq(0..self.order.len())
    }
}

impl Writer {
    /// A name that nothing has yet.
    fn name(&mut self, wish: &str) -> String {
        let mut name = wish.to_string();
        let mut number = 1;
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{wish}_{number}");
        }
        name
    }

    /// A stored value; it is written where it is used first, in the order of axes that is needed there.
    pub fn stored(&mut self, name: &str, tensor: Tensor) -> Written {
        let shape = Shape::fixed(tensor.shape());
        Written { constant: Some(Arc::new(tensor)), ..Written::plain(name.to_string(), shape, Kind::F32) }
    }

    /// Whole numbers such as sizes and axes, as an input of a node.
    pub fn whole(&mut self, numbers: &[i64]) -> String {
        let name = self.name("sizes");
        self.graph.initializers.push((name.clone(), Tensor::vector(numbers.to_vec())));
        name
    }

    /// A single whole number, as an input of a node.
    pub fn whole_number(&mut self, number: i64) -> String {
        let name = self.name("number");
        self.graph.initializers.push((name.clone(), Tensor::new([], vec![number]).expect("one number")));
        name
    }

    /// The operator that a value comes from, if it is a node's.
    pub fn operator(&self, x: &Written) -> Option<&'static str> {
        self.graph.nodes.iter().find(|node| node.output == x.name).map(|node| node.operator)
    }

    /// A single number, as a value that others are broadcast with.
    pub fn number(&mut self, value: f64) -> Written {
        let tensor = Tensor::new([], vec![value as f32]).expect("one number");
        let name = format!("number_{value}");
        self.stored(&name, tensor)
    }

    /// Adds a node with one output of this shape and kind, its axes in the graph's order.
    pub fn node(
        &mut self,
        operator: &'static str,
        inputs: Vec<String>,
        attributes: Vec<(&'static str, Attribute)>,
        shape: &Shape,
        kind: Kind,
    ) -> Written {
        let stem = if self.path.is_empty() { operator.to_string() } else { format!("{}/{operator}", self.path) };
        let name = self.name(&stem);
        let node = WrittenNode { name: name.clone(), operator, inputs, output: name.clone(), attributes };
        self.graph.nodes.push(node);
        Written::plain(name, shape.clone(), kind)
    }

    /// The name of a value with its axes in this order.
    pub fn ordered(&mut self, x: &Written, order: &[usize]) -> String {
        if let Some(tensor) = &x.constant {
            return self.initializer(x, tensor, order);
        }
        if x.order == order {
            return x.name.clone();
        }
        let key = (x.name.clone(), format!("{order:?}"));
        if let Some(name) = self.again.get(&key) {
            return name.clone();
        }
        let axes: Vec<i64> = order.iter().map(|&axis| x.place(axis)).collect();
        let turned =
            self.node("Transpose", vec![x.name.clone()], vec![("perm", Attribute::Ints(axes))], &x.shape, x.kind);
        self.again.insert(key, turned.name.clone());
        turned.name
    }

    fn initializer(&mut self, x: &Written, tensor: &Tensor, order: &[usize]) -> String {
        let (name, shape, kind) = (&x.name, tensor.shape(), x.kind);
        let key = (format!("stored {name}"), format!("{order:?} {shape:?} {kind} {:x}", digest(tensor)));
        if let Some(name) = self.again.get(&key) {
            return name.clone();
        }
        let name = self.name(&x.name);
        let stored = tensor.permute(order);
        let stored = if x.kind == Kind::F32 { stored } else { converted(&stored, x.kind) };
        self.graph.initializers.push((name.clone(), stored));
        self.again.insert(key, name.clone());
        name
    }

    /// The name of a value with its axes in the graph's order.
    pub fn plain(&mut self, x: &Written) -> String {
        let order: Vec<usize> = (0..x.order.len()).collect();
        self.ordered(x, &order)
    }

    /// The name of a value in the order that it has.
    pub fn as_is(&mut self, x: &Written) -> String {
        let order = x.order.clone();
        self.ordered(x, &order)
    }

    /// The value as another kind of number.
    pub fn cast(&mut self, x: &Written, kind: Kind) -> Written {
        if x.kind == kind {
            return x.clone();
        }
        if x.constant.is_some() {
            return Written { kind, ..x.clone() };
        }
        let key = (x.name.clone(), kind.name().to_string());
        if let Some(name) = self.again.get(&key) {
            return Written { name: name.clone(), kind, ..x.clone() };
        }
        let to = match kind {
            Kind::I64 => 7,
            Kind::Bool => 9,
            _ => 1,
        };
        let cast = self.node("Cast", vec![x.name.clone()], vec![("to", Attribute::Int(to))], &x.shape, kind);
        self.again.insert(key, cast.name.clone());
        Written { name: cast.name, kind, ..x.clone() }
    }

    /// The value as real numbers.
    pub fn real(&mut self, x: &Written) -> Written {
        self.cast(x, Kind::F32)
    }

    /// An operator on single elements of one value.
    pub fn unary(
        &mut self,
        operator: &'static str,
        x: &Written,
        attributes: Vec<(&'static str, Attribute)>,
    ) -> Written {
        let x = self.real(x);
        let name = self.as_is(&x);
        let y = self.node(operator, vec![name], attributes, &x.shape, Kind::F32);
        Written { order: x.order.clone(), ..y }
    }

    /// An operator on elements of several values that are broadcast to a shape; the result is of this kind.
    pub fn broadcast(&mut self, operator: &'static str, x: &[&Written], shape: &Shape, kind: Kind) -> Written {
        let (names, order) = self.aligned(x, shape.rank());
        let y = self.node(operator, names, vec![], shape, kind);
        Written { order, ..y }
    }

    /// An operator on pairs of real numbers.
    pub fn binary(&mut self, operator: &'static str, x: &[Written], shape: &Shape) -> Written {
        let (a, b) = (self.real(&x[0]), self.real(&x[1]));
        self.broadcast(operator, &[&a, &b], shape, Kind::F32)
    }

    /// The names of values that are broadcast with each other, and the order of axes they all have.
    pub fn aligned(&mut self, x: &[&Written], rank: usize) -> (Vec<String>, Vec<usize>) {
        let own = x.iter().find(|x| x.order.len() == rank && x.constant.is_none() && !x.is_plain());
        let order: Vec<usize> = own.map_or_else(|| (0..rank).collect(), |x| x.order.clone());
        let plain = order.iter().copied().eq(0..rank);
        let names = x.iter().map(|x| {
            if plain {
                return self.plain(x);
            }
            let x = self.with_rank(x, rank);
            if x.order.is_empty() { self.plain(&x) } else { self.ordered(&x, &order) }
        });
        (names.collect(), order)
    }

    /// The value with axes of size 1 in front; single numbers stay as they are.
    fn with_rank(&mut self, x: &Written, rank: usize) -> Written {
        let missing = rank - x.order.len();
        if missing == 0 || x.order.is_empty() {
            return x.clone();
        }
        let dims: Vec<Dim> = vec![Dim::Fixed(1); missing].into_iter().chain(x.shape.dims().iter().copied()).collect();
        let shape = Shape::new(dims);
        match &x.constant {
            Some(tensor) => {
                let sizes = shape.at(1);
                let tensor = (**tensor).clone().reshape(sizes).expect("as many elements");
                Written { constant: Some(Arc::new(tensor)), order: (0..rank).collect(), shape, ..x.clone() }
            }
            None => self.reshape(x, &shape),
        }
    }

    /// The same elements under another shape.
    pub fn reshape(&mut self, x: &Written, shape: &Shape) -> Written {
        if let Some(tensor) = &x.constant
            && !shape.has_batch()
        {
            let tensor = (**tensor).clone().reshape(shape.at(1)).expect("as many elements");
            let order = (0..shape.rank()).collect();
            return Written { constant: Some(Arc::new(tensor)), order, shape: shape.clone(), ..x.clone() };
        }
        let name = self.plain(x);
        let open = |d: &Dim| d.fixed().map_or(-1, |size| size as i64);
        let sizes = match shape.dims().iter().filter(|d| d.fixed().is_none()).count() {
            0 | 1 => {
                let sizes: Vec<i64> = shape.dims().iter().map(open).collect();
                self.whole(&sizes)
            }
            _ => self.sizes(shape),
        };
        self.node("Reshape", vec![name, sizes], vec![], shape, x.kind)
    }

    /// The sizes of a shape as a value: those that grow with the batch are found when the model runs.
    pub fn sizes(&mut self, shape: &Shape) -> String {
        if !shape.has_batch() {
            let sizes: Vec<i64> = shape.at(1).into_iter().map(|size| size as i64).collect();
            return self.whole(&sizes);
        }
        let batch = self.batch();
        let one = Shape::fixed(&[1]);
        let mut parts = vec![];
        for dim in shape.dims() {
            parts.push(match *dim {
                Dim::Fixed(size) => self.whole(&[size as i64]),
                Dim::Batch(1) => batch.clone(),
                Dim::Batch(times) => {
                    let times = self.whole(&[times as i64]);
                    self.node("Mul", vec![batch.clone(), times], vec![], &one, Kind::I64).name
                }
            });
        }
        let axis = vec![("axis", Attribute::Int(0))];
        self.node("Concat", parts, axis, &Shape::fixed(&[shape.rank()]), Kind::I64).name
    }

    /// The size of the batch, `[1]`.
    fn batch(&mut self) -> String {
        let key = ("batch".to_string(), String::new());
        if let Some(name) = self.again.get(&key) {
            return name.clone();
        }
        let found = self.graph.inputs.iter().find_map(|(name, shape, _)| {
            let axis = shape.dims().iter().position(|d| matches!(d, Dim::Batch(_)))?;
            let Dim::Batch(times) = shape.dims()[axis] else { return None };
            Some((name.clone(), axis as i64, times, shape.rank()))
        });
        let Some((input, axis, times, rank)) = found else {
            self.refused = Some("it grows with a batch that no input has".into());
            return String::new();
        };
        let sizes = self.node("Shape", vec![input], vec![], &Shape::fixed(&[rank]), Kind::I64);
        let place = self.whole(&[axis]);
        let one = Shape::fixed(&[1]);
        let mut batch = self.node("Gather", vec![sizes.name, place], vec![], &one, Kind::I64).name;
        if times > 1 {
            let times = self.whole(&[times as i64]);
            batch = self.node("Div", vec![batch, times], vec![], &one, Kind::I64).name;
        }
        self.again.insert(key, batch.clone());
        batch
    }

    /// The value grown to a shape that it is broadcast to.
    pub fn expand(&mut self, x: &Written, shape: &Shape) -> Written {
        if x.shape == *shape {
            return x.clone();
        }
        let (name, sizes) = (self.plain(x), self.sizes(shape));
        self.node("Expand", vec![name, sizes], vec![], shape, x.kind)
    }

    /// A reduction over axes that stay with size 1: an input in some operators and versions, an attribute in others.
    pub fn reduction(&mut self, operator: &'static str, x: &Written, axes: &[usize], shape: &Shape) -> Written {
        let x = self.real(x);
        let name = self.as_is(&x);
        let mut places: Vec<i64> = axes.iter().map(|&axis| x.place(axis)).collect();
        places.sort_unstable();
        let y = if self.version >= if operator == "ReduceSum" { 13 } else { 18 } {
            let places = self.whole(&places);
            self.node(operator, vec![name, places], vec![], shape, Kind::F32)
        } else {
            self.node(operator, vec![name], vec![("axes", Attribute::Ints(places))], shape, Kind::F32)
        };
        Written { order: x.order.clone(), ..y }
    }

    fn output(&mut self, name: &str, value: &Written) {
        let from = self.plain(value);
        let free = !self.names.contains(name);
        self.names.insert(name.to_string());
        let renamed = self.graph.nodes.iter_mut().find(|node| node.output == from).filter(|_| free);
        match renamed {
            // The last node gives the output itself.
            Some(node) => {
                node.output = name.to_string();
                for node in &mut self.graph.nodes {
                    node.inputs.iter_mut().filter(|input| **input == from).for_each(|input| *input = name.to_string());
                }
            }
            None => {
                let node = WrittenNode {
                    name: format!("{name}/output"),
                    operator: "Identity",
                    inputs: vec![from],
                    output: name.to_string(),
                    attributes: vec![],
                };
                self.graph.nodes.push(node);
            }
        }
        self.graph.outputs.push((name.to_string(), value.shape.clone(), value.kind));
    }
}

/// What tells tensors of one name and shape apart.
fn digest(tensor: &Tensor) -> u64 {
    let mut hasher = DefaultHasher::new();
    tensor.to_f64().into_iter().for_each(|number| number.to_bits().hash(&mut hasher));
    hasher.finish()
}

/// The numbers as another kind.
fn converted(tensor: &Tensor, kind: Kind) -> Tensor {
    let values = Values::from_f64(kind, &tensor.to_f64());
    Tensor::new(tensor.shape(), values).expect("as many as before")
}
