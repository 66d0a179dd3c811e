//! One application of an operator while a graph is being read.

use super::attribute::Attribute;
use super::evaluate::Extent;
use super::reader::Reader;
use super::value::{Traced, Value, channels_last};
use crate::{Node, Role, ShapeError};
use gradus_tensor::{Dim, Kind, Shape, Tensor};
use std::collections::BTreeMap;

/// One application of an operator: what to compute from what.
pub struct OnnxNode<'a> {
    /// The operator.
    pub operator: &'a str,
    /// The version of the operators that the file was written for.
    pub version: i64,
    /// The settings.
    pub attributes: &'a BTreeMap<String, Attribute>,
    /// The operands; none for one left out.
    pub inputs: &'a [Option<Value>],
    /// The outputs: whether each is wanted.
    pub outputs: &'a [bool],
    /// What is being made.
    pub reader: &'a Reader,
}

type Result<T> = std::result::Result<T, ShapeError>;

impl OnnxNode<'_> {
    /// Operand `i`, if it is there.
    pub fn optional(&self, i: usize) -> Option<&Value> {
        self.inputs.get(i).and_then(Option::as_ref)
    }

    /// Operand `i`.
    pub fn value(&self, i: usize) -> Result<&Value> {
        self.optional(i).ok_or_else(|| {
            let expected = format!("an input {i} (counted from 0)");
            ShapeError::new(expected, format!("{} inputs", self.inputs.len()), "write the file again")
        })
    }

    /// Operand `i` as a node with its axes in ONNX's order; stored numbers become weights.
    pub fn x(&self, i: usize) -> Result<Node> {
        match self.factor(i) {
            Some(factor) => Ok(factor),
            None => self.reader.node(self.value(i)?),
        }
    }

    /// Operand `i` as a constant, if it is a single number that all others are multiplied with, divided by or raised to: a scale of the
    /// formula such as `1/√d`, whatever its axes. One number that is added is a bias.
    fn factor(&self, i: usize) -> Option<Node> {
        match self.optional(i) {
            Some(Value::Known(known)) if known.tensor.len() == 1 && ["Mul", "Div", "Pow"].contains(&self.operator) => {
                self.reader.note(known);
                Some(self.reader.graph().fill(known.tensor.to_f64()[0], Shape::fixed(known.tensor.shape())))
            }
            _ => None,
        }
    }

    /// Operand `i` as a node, axis 1 last.
    pub fn image(&self, i: usize) -> Result<Node> {
        if let Some(factor) = self.factor(i) {
            return Ok(factor);
        }
        match self.value(i)? {
            Value::Traced(traced) => Ok(traced.channels_last()),
            Value::Known(known) => {
                let order = channels_last(known.tensor.rank());
                Ok(self.reader.constant(known, &order, Role::Weight))
            }
            Value::List(_) => self.x(i),
        }
    }

    /// Operand `i` as a weight of this role with its axes in another order.
    pub fn weight(&self, i: usize, order: &[usize], role: Role) -> Result<Node> {
        match self.value(i)? {
            Value::Known(known) if known.tensor.rank() == order.len() => Ok(self.reader.constant(known, order, role)),
            _ => {
                let node = self.x(i)?;
                if node.shape().rank() != order.len() {
                    let expected = format!("{} axes", order.len());
                    return Err(ShapeError::new(expected, node.shape().to_string(), "write the file again"));
                }
                Ok(node.permute(order.to_vec()))
            }
        }
    }

    /// The kind of number of operand `i`.
    pub fn kind(&self, i: usize) -> Result<Kind> {
        let list = || ShapeError::new("a tensor", "a list of tensors", "take one of them out of the list");
        self.value(i)?.kind().ok_or_else(list)
    }

    /// The shape of operand `i`.
    pub fn shape(&self, i: usize) -> Result<Shape> {
        let list = || ShapeError::new("a tensor", "a list of tensors", "take one of them out of the list");
        self.value(i)?.shape().ok_or_else(list)
    }

    /// The numbers of operand `i`, which must be known.
    pub fn known(&self, i: usize) -> Result<Tensor> {
        self.reader.numbers(self.value(i)?)
    }

    /// The whole numbers of operand `i`, which must be known.
    pub fn known_ints(&self, i: usize) -> Result<Vec<i64>> {
        let whole = |extent: Extent| {
            let help = "give the model's input a fixed batch size";
            extent.known().ok_or_else(|| ShapeError::new("a number that is known", "a multiple of the batch", help))
        };
        self.extents(i)?.into_iter().map(whole).collect()
    }

    /// The whole numbers of operand `i`, which may grow with the batch.
    pub fn extents(&self, i: usize) -> Result<Vec<Extent>> {
        self.reader.extents(self.value(i)?)
    }

    fn wrong(&self, name: &str, expected: &str, found: &Attribute) -> ShapeError {
        let expected = format!("{expected} as attribute `{name}`");
        ShapeError::new(expected, found.describe(), "write the file again")
    }

    /// A setting that is a whole number.
    pub fn int(&self, name: &str) -> Result<Option<i64>> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(Attribute::Int(value)) => Ok(Some(*value)),
            Some(other) => Err(self.wrong(name, "a whole number", other)),
        }
    }

    /// A setting that is a number.
    pub fn float(&self, name: &str) -> Result<Option<f64>> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(Attribute::Float(value)) => Ok(Some(f64::from(*value))),
            Some(other) => Err(self.wrong(name, "a number", other)),
        }
    }

    /// A setting that is whole numbers.
    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(Attribute::Ints(values)) => Ok(Some(values.clone())),
            Some(other) => Err(self.wrong(name, "whole numbers", other)),
        }
    }

    /// A setting that is numbers.
    pub fn floats(&self, name: &str) -> Result<Option<Vec<f64>>> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(Attribute::Floats(values)) => Ok(Some(values.iter().map(|&v| f64::from(v)).collect())),
            Some(other) => Err(self.wrong(name, "numbers", other)),
        }
    }

    /// A setting that is text.
    pub fn text(&self, name: &str) -> Result<Option<&str>> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(Attribute::Text(text)) => Ok(Some(text)),
            Some(other) => Err(self.wrong(name, "text", other)),
        }
    }

    /// Counted from the end where negative.
    pub fn axis(&self, axis: i64, rank: usize) -> Result<usize> {
        let rank = rank as i64;
        let from_start = if axis < 0 { axis + rank } else { axis };
        if (0..rank).contains(&from_start) {
            return Ok(from_start as usize);
        }
        let expected = format!("an axis from {} to {}", -rank, rank - 1);
        Err(ShapeError::new(expected, axis.to_string(), "write the file again"))
    }

    /// A formula over single elements of operand 0.
    pub fn unary(&self, f: impl FnOnce(&Node) -> Node) -> Result<Vec<Value>> {
        let kind = self.kind(0)?;
        Ok(vec![match self.value(0)? {
            Value::Traced(Traced { node, last, .. }) => Value::Traced(Traced { node: f(node), kind, last: *last }),
            _ => Value::traced(f(&self.x(0)?), kind),
        }])
    }

    /// A formula over pairs of elements of operands 0 and 1, broadcast by NumPy's rules.
    pub fn binary(&self, f: impl FnOnce(&Node, &Node) -> Node) -> Result<Vec<Value>> {
        let kind = self.kind(0)?;
        let (aligned, last) = self.aligned()?;
        let [a, b] = &aligned[..] else {
            let received = format!("{} inputs", self.inputs.len());
            return Err(ShapeError::new("two inputs", received, "write the file again"));
        };
        Ok(vec![Value::Traced(Traced { node: f(a, b), kind, last })])
    }

    /// All operands with their axes in one order that suits most, and whether that is channels last.
    pub fn aligned(&self) -> Result<(Vec<Node>, bool)> {
        let present: Vec<usize> = (0..self.inputs.len()).filter(|&i| self.inputs[i].is_some()).collect();
        let ranks: Vec<usize> = present.iter().map(|&i| Ok(self.shape(i)?.rank())).collect::<Result<_>>()?;
        let rank = ranks.iter().copied().max().unwrap_or(0);
        let is_last = |&i: &usize| matches!(&self.inputs[i], Some(Value::Traced(t)) if t.last);
        let last = rank > 2 && present.iter().any(is_last);
        let nodes = present.iter().map(|&i| if last { self.broadcast_image(i, rank) } else { self.x(i) });
        Ok((nodes.collect::<Result<_>>()?, last))
    }

    /// Operand `i` with axes of size 1 in front up to `rank`, axis 1 last.
    fn broadcast_image(&self, i: usize, rank: usize) -> Result<Node> {
        let own = self.shape(i)?.rank();
        if own == rank || own == 0 {
            return if own == 0 { self.x(i) } else { self.image(i) };
        }
        let node = self.x(i)?;
        let dims: Vec<Dim> =
            std::iter::repeat_n(Dim::Fixed(1), rank - own).chain(node.shape().dims().to_vec()).collect();
        Ok(node.reshape(dims).permute(channels_last(rank)))
    }

    /// A comparison of operands 0 and 1.
    pub fn compare(&self, f: impl FnOnce(&Node, &Node) -> Node) -> Result<Vec<Value>> {
        Ok(self.binary(f)?.into_iter().map(|value| value.of_kind(Kind::Bool)).collect())
    }

    /// A formula over pairs, applied to all operands one after the other.
    pub fn folded(&self, f: impl Fn(&Node, &Node) -> Node) -> Result<Vec<Value>> {
        let (kind, (nodes, last)) = (self.kind(0)?, self.aligned()?);
        let node = nodes.into_iter().reduce(|a, b| f(&a, &b)).expect("operand 0 is there");
        Ok(vec![Value::Traced(Traced { node, kind, last })])
    }

    /// The axes of a reduction or of `Squeeze`: an attribute in old versions, then an input.
    pub fn axes(&self) -> Result<Option<Vec<i64>>> {
        match (self.ints("axes")?, self.optional(1)) {
            (Some(axes), _) => Ok(Some(axes)),
            (None, Some(_)) => self.known_ints(1).map(Some),
            (None, None) => Ok(None),
        }
    }

    /// A reduction of operand 0 over its axes, all if none are named; `empty` is that of no elements.
    pub fn reduced(&self, empty: f64, f: impl FnOnce(&Node, &[isize]) -> Node) -> Result<Vec<Value>> {
        let (shape, kind) = (self.shape(0)?, self.kind(0)?);
        let named = self.axes()?.unwrap_or_default();
        let none = named.is_empty() && self.int("noop_with_empty_axes")?.unwrap_or(0) != 0;
        let axes: Vec<usize> = match named.is_empty() {
            true => (0..if none { 0 } else { shape.rank() }).collect(),
            false => named.into_iter().map(|axis| self.axis(axis, shape.rank())).collect::<Result<_>>()?,
        };
        let size = |axis: usize| if axes.contains(&axis) { Dim::Fixed(1) } else { shape.dims()[axis] };
        let kept: Vec<Dim> = (0..shape.rank()).map(size).collect();
        let result = if shape.at(1).contains(&0) {
            if kept.contains(&Dim::Fixed(0)) {
                return Ok(vec![Value::empty(Shape::new(kept).at(1), kind)]);
            }
            self.reader.graph().fill(empty, kept)
        } else {
            f(&self.x(0)?, &axes.iter().map(|&axis| axis as isize).collect::<Vec<_>>())
        };
        if self.int("keepdims")?.unwrap_or(1) != 0 {
            return Ok(vec![Value::traced(result, kind)]);
        }
        let rest: Vec<Dim> =
            (0..shape.rank()).filter(|axis| !axes.contains(axis)).map(|axis| shape.dims()[axis]).collect();
        Ok(vec![Value::traced(result.reshape(rest), kind)])
    }

    /// The sizes that operand `i` holds.
    pub fn dims(&self, i: usize) -> Result<Vec<Dim>> {
        let dim = |extent: Extent| {
            let help = "write the file again";
            extent.dim().ok_or_else(|| ShapeError::new("sizes of 0 or more", format!("{extent:?}"), help))
        };
        self.extents(i)?.into_iter().map(dim).collect()
    }

    /// Operand `i` as indices into an axis of this size, negative ones counted from the end.
    pub fn index(&self, i: usize, size: Dim) -> Result<Node> {
        let Dim::Fixed(size) = size else {
            return Err(ShapeError::new(
                "an axis of fixed size",
                "one that grows with the batch",
                "choose another axis",
            ));
        };
        if let Value::Known(known) = self.value(i)? {
            self.reader.note(known);
            let indices = known.tensor.values().to_i64();
            if let Some(index) = indices.iter().find(|&&index| index >= size as i64 || index < -(size as i64)) {
                let expected = format!("indices from {} to {}", -(size as i64), size as i64 - 1);
                return Err(ShapeError::new(expected, index.to_string(), "write the file again"));
            }
            let counted: Vec<i64> = indices.into_iter().map(|j| if j < 0 { j + size as i64 } else { j }).collect();
            let tensor = Tensor::new(known.tensor.shape(), counted).expect("as many as before");
            return self.reader.node(&Value::known(tensor));
        }
        let index = self.x(i)?;
        Ok(index.lt(0.0).select(&index + size as f64, &index))
    }
}
