//! Operands of ONNX nodes.

use crate::Node;
use gradus_tensor::{Dim, Kind, Shape, Tensor};
use std::sync::Arc;

/// An operand or a result.
#[derive(Clone, Debug)]
pub enum Value {
    /// Known while the graph is being read.
    Known(Known),
    /// Computed when the model runs, or from what is known.
    Traced(Traced),
    /// Several, one after the other.
    List(Vec<Value>),
}

/// Numbers that the file holds.
#[derive(Clone, Debug)]
pub struct Known {
    /// The numbers.
    pub tensor: Arc<Tensor>,
    /// The name, if it is a stored value of the graph: a weight.
    pub name: Option<Arc<str>>,
}

/// A value of the graph that is being made.
#[derive(Clone, Debug)]
pub struct Traced {
    /// The node, with its axes in the order that `last` says.
    pub node: Node,
    /// The kind of number that ONNX gives it.
    pub kind: Kind,
    /// Axis 1, the channels, is stored last.
    pub last: bool,
}

impl Value {
    /// A value of the kind, with its axes in ONNX's order.
    pub fn traced(node: Node, kind: Kind) -> Value {
        Value::Traced(Traced { node, kind, last: false })
    }

    /// A constant.
    pub fn known(tensor: Tensor) -> Value {
        Value::Known(Known { tensor: Arc::new(tensor), name: None })
    }

    /// A value without elements.
    pub fn empty(sizes: Vec<usize>, kind: Kind) -> Value {
        Value::known(Tensor::zeros(sizes, kind).expect("no elements need no memory"))
    }

    /// The kind of number; none for a list.
    pub fn kind(&self) -> Option<Kind> {
        match self {
            Value::Known(known) => Some(known.tensor.values().kind()),
            Value::Traced(traced) => Some(traced.kind),
            Value::List(_) => None,
        }
    }

    /// The same numbers under another kind.
    pub fn of_kind(self, kind: Kind) -> Value {
        match self {
            Value::Traced(traced) => Value::Traced(Traced { kind, ..traced }),
            other => other,
        }
    }

    /// The shape, with the axes in ONNX's order; none for a list.
    pub fn shape(&self) -> Option<Shape> {
        match self {
            Value::Known(known) => Some(Shape::fixed(known.tensor.shape())),
            Value::Traced(traced) => Some(traced.shape()),
            Value::List(_) => None,
        }
    }
}

impl Traced {
    /// The shape, with the axes in ONNX's order.
    pub fn shape(&self) -> Shape {
        let shape = self.node.shape();
        if !self.last {
            return shape;
        }
        let mut dims: Vec<Dim> = shape.dims().to_vec();
        let channels = dims.pop().expect("an image has channels");
        dims.insert(1, channels);
        Shape::new(dims)
    }

    /// The node with its axes in ONNX's order.
    pub fn plain(&self) -> Node {
        if !self.last {
            return self.node.clone();
        }
        self.node.permute(channels_second(self.node.shape().rank()))
    }

    /// The node with axis 1, the channels, last.
    pub fn channels_last(&self) -> Node {
        if self.last {
            return self.node.clone();
        }
        self.node.permute(channels_last(self.node.shape().rank()))
    }
}

/// The order of axes that puts axis 1 last.
pub fn channels_last(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    if rank > 2 {
        order.remove(1);
        order.push(1);
    }
    order
}

/// The order of axes that brings the last one back behind the first.
pub fn channels_second(rank: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rank).collect();
    if rank > 2 {
        let last = order.pop().expect("more than two axes");
        order.insert(1, last);
    }
    order
}
