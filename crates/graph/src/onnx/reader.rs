//! What is shared while a graph is being read: the graph that is being made, and the weights it has.

use super::evaluate;
use super::value::{Known, Value};
use crate::{Graph, Node, Role, ShapeError, Values};
use gradus_tensor::{Shape, Tensor};
use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

/// The graph that is being made from a file.
pub struct Reader {
    graph: Graph,
    /// What the paths of all weights start with.
    prefix: String,
    /// Weights by name and order of axes.
    weights: RefCell<HashMap<(String, Vec<usize>), Node>>,
    /// The stored values that became variables, in the order of their first use.
    stored: RefCell<Vec<String>>,
    /// The stored values whose numbers were read while reading the graph, which would be another one with other numbers.
    read: RefCell<BTreeSet<String>>,
    /// The most numbers of a value that is computed while reading.
    most: usize,
}

impl Reader {
    /// A reader into `graph`; a value that is computed while reading, such as a table of sizes, has at most `most` numbers.
    pub fn new(graph: &Graph, most: usize) -> Reader {
        Reader {
            graph: graph.clone(),
            prefix: String::new(),
            weights: RefCell::default(),
            stored: RefCell::default(),
            read: RefCell::default(),
            most,
        }
    }

    /// The same, with this in front of the paths of all weights.
    pub fn with_prefix(self, prefix: impl Into<String>) -> Reader {
        Reader { prefix: prefix.into(), ..self }
    }

    /// The stored values that became variables so far, by their names in the file, in the order of their first use.
    pub fn weights(&self) -> Vec<String> {
        self.stored.borrow().clone()
    }

    /// Whether the graph depends on the numbers of this stored value, beyond the variable that starts with them.
    pub fn depends_on(&self, name: &str) -> bool {
        self.read.borrow().contains(name)
    }

    /// Notes that the numbers of this value matter for what the graph is.
    pub fn note(&self, known: &Known) {
        if let Some(name) = &known.name {
            self.read.borrow_mut().insert(name.to_string());
        }
    }

    /// Notes that the numbers that this node is computed from matter for what the graph is.
    fn note_all(&self, node: &Node) {
        for path in self.graph.variables_of(&[node]) {
            let name = path.strip_prefix(&self.prefix).unwrap_or(&path);
            self.read.borrow_mut().insert(name.to_string());
        }
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// A value as a node with its axes in ONNX's order; stored numbers with a name become weights.
    pub fn node(&self, value: &Value) -> Result<Node, ShapeError> {
        match value {
            Value::Traced(traced) => Ok(traced.plain()),
            Value::Known(known) => {
                let order: Vec<usize> = (0..known.tensor.shape().len()).collect();
                let role = if order.len() < 2 { Role::Bias } else { Role::Weight };
                Ok(self.constant(known, &order, role))
            }
            Value::List(_) => Err(ShapeError::new("a tensor", "a list of tensors", "take one of them out of the list")),
        }
    }

    /// Stored numbers as a node, their axes in another order. Real ones with a name and at least one axis are a variable of this role under
    /// that name, the same for all that use it; all others, single numbers among them, are constants.
    pub fn constant(&self, known: &Known, order: &[usize], role: Role) -> Node {
        let (tensor, kind) = (known.tensor.permute(order), known.tensor.kind());
        let numbers = tensor.to_f64();
        let constant = known.name.is_none() || !kind.is_float() || order.is_empty();
        if let Some(&first) = numbers.first()
            && constant
            && numbers.iter().all(|v| v.to_bits() == first.to_bits())
        {
            self.note(known);
            return self.graph.fill(first, Shape::fixed(tensor.shape()));
        }
        let role = if known.name.is_some() && kind.is_float() { role } else { Role::Frozen };
        let mut weights = self.weights.borrow_mut();
        let name = known.name.as_deref().map_or_else(|| format!("constants/{}", weights.len()), str::to_string);
        let key = (name, order.to_vec());
        if let Some(node) = weights.get(&key).filter(|_| known.name.is_some()) {
            return node.clone();
        }
        let other = weights.iter().find(|((name, _), _)| known.name.is_some() && *name == key.0);
        let node = match other {
            // Stored once, in the order of its first use.
            Some(((_, stored), node)) => {
                let place = |axis: &usize| stored.iter().position(|s| s == axis).expect("orders of the same axes");
                node.permute(order.iter().map(place).collect::<Vec<_>>())
            }
            None => {
                if known.name.is_some() {
                    self.stored.borrow_mut().push(key.0.clone());
                }
                let path = format!("{}{}", self.prefix, key.0);
                self.graph.unscoped(|| self.graph.variable(&path, tensor.shape(), Values(numbers), role))
            }
        };
        weights.insert(key, node.clone());
        node
    }

    /// The numbers of a value, if they are known at any batch size.
    pub fn numbers(&self, value: &Value) -> Result<Tensor, ShapeError> {
        match value {
            Value::Known(known) => {
                self.note(known);
                Ok((*known.tensor).clone())
            }
            Value::Traced(traced) => {
                self.note_all(&traced.node);
                if traced.shape().has_batch() {
                    let help = "give the model's input a fixed batch size";
                    return Err(ShapeError::new("a value of fixed size", traced.shape().to_string(), help));
                }
                let (sizes, numbers) = evaluate::at(&traced.plain(), 1, self.most)?;
                Tensor::new(sizes, gradus_tensor::Values::from_f64(traced.kind, &numbers))
                    .map_err(|e| ShapeError::new("a tensor", e.to_string(), "make it smaller"))
            }
            Value::List(_) => Err(ShapeError::new("a tensor", "a list of tensors", "take one of them out of the list")),
        }
    }

    /// The whole numbers of a value, which may grow with the batch.
    pub fn extents(&self, value: &Value) -> Result<Vec<evaluate::Extent>, ShapeError> {
        match value {
            Value::Traced(traced) => {
                self.note_all(&traced.node);
                evaluate::extents(&traced.plain(), self.most)
            }
            _ => {
                let whole = self.numbers(value)?.values().to_i64();
                Ok(whole.into_iter().map(|fixed| evaluate::Extent { fixed, batches: 0 }).collect())
            }
        }
    }
}
