//! What is shared while a graph is being read: the graph that is being made, and the weights it has.

use super::evaluate;
use super::value::{Known, Value};
use crate::{Graph, Node, Role, ShapeError, Values};
use gradus_tensor::{Shape, Tensor};
use std::cell::RefCell;
use std::collections::HashMap;

/// The graph that is being made from a file.
pub struct Reader {
    graph: Graph,
    /// Weights by name and order of axes.
    weights: RefCell<HashMap<(String, Vec<usize>), Node>>,
    /// The most numbers of a value that is computed while reading.
    most: usize,
}

impl Reader {
    /// A reader into `graph`; a value that is computed while reading, such as a table of sizes, has at most `most` numbers.
    pub fn new(graph: &Graph, most: usize) -> Reader {
        Reader { graph: graph.clone(), weights: RefCell::default(), most }
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
                Ok(self.constant(known, &order, Role::Weight))
            }
            Value::List(_) => Err(ShapeError::new("a tensor", "a list of tensors", "take one of them out of the list")),
        }
    }

    /// Stored numbers as a node, their axes in another order. Those with a name, at least one axis and a fraction are a variable of this
    /// role under that name, the same for all that use it; all others are constants.
    pub fn constant(&self, known: &Known, order: &[usize], role: Role) -> Node {
        let (tensor, kind) = (known.tensor.permute(order), known.tensor.kind());
        let numbers = tensor.to_f64();
        if let Some(&first) = numbers.first()
            && (known.name.is_none() || !kind.is_float())
            && numbers.iter().all(|v| v.to_bits() == first.to_bits())
        {
            return self.graph.fill(first, Shape::fixed(tensor.shape()));
        }
        let role = if known.name.is_some() && kind.is_float() { role } else { Role::Frozen };
        let mut weights = self.weights.borrow_mut();
        let name = known.name.as_deref().map_or_else(|| format!("constant_{}", weights.len()), str::to_string);
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
            None => self.graph.variable(&key.0, tensor.shape(), Values(numbers), role),
        };
        weights.insert(key, node.clone());
        node
    }

    /// The numbers of a value, if they are known at any batch size.
    pub fn numbers(&self, value: &Value) -> Result<Tensor, ShapeError> {
        match value {
            Value::Known(known) => Ok((*known.tensor).clone()),
            Value::Traced(traced) => {
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
            Value::Traced(traced) => evaluate::extents(&traced.plain(), self.most),
            _ => {
                let whole = self.numbers(value)?.values().to_i64();
                Ok(whole.into_iter().map(|fixed| evaluate::Extent { fixed, batches: 0 }).collect())
            }
        }
    }
}
