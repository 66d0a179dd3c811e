//! From a file's graph to nodes of ours.

use crate::attributes::attributes;
use crate::error::{OnnxError, Result};
use crate::file::ModelFile;
use crate::operators;
use crate::proto::{
    DimensionValue, FunctionProto, GraphProto, NodeProto, TensorProto, TypeProto, TypeValue, ValueInfoProto,
};
use crate::standard::{is_standard, missing_among, version};
use crate::structure;
use crate::tensor::{self, Limits, kind_of, type_name};
use gradus_graph::onnx::{Attribute, Known, OnnxNode, OnnxOp, Reader, Value};
use gradus_graph::{Graph, GraphError, Kind, Node, ShapeError};
use gradus_tensor::{Dim, Shape, Tensor};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Functions within functions.
const DEPTH: usize = 64;
/// The most numbers of a table of sizes, axes or other numbers that must be known while a graph is read.
const KNOWN: usize = 1 << 24;

/// What is known of a model's inputs beyond its file.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    /// Inputs that become constants.
    pub constants: BTreeMap<String, Tensor>,
    /// Shapes of inputs, where the file leaves sizes open.
    pub shapes: BTreeMap<String, Shape>,
    /// Values that are wanted in place of the file's outputs: any that a node computes. What they do not need is left out.
    pub outputs: Vec<String>,
    /// What the paths of all weights and layers start with.
    pub prefix: String,
    /// The file is the structure of a model whose weights are elsewhere, see [`mod@crate::structure`]: they start at 0.
    pub weights_elsewhere: bool,
    /// What a file may ask for.
    pub limits: Limits,
}

/// A graph that was read.
pub struct Imported {
    /// The graph, with its inputs and weights.
    pub graph: Graph,
    /// The outputs, in the file's order.
    pub outputs: Vec<(String, Value)>,
    /// Its inputs that are no constants.
    pub inputs: Vec<(String, Node)>,
    /// The nodes of the file that were applied, in its order; of functions that they call, only the call.
    pub layers: Vec<Applied>,
    /// Makes nodes of values.
    pub reader: Reader,
}

/// A node of the file that was applied.
#[derive(Clone, Debug, PartialEq)]
pub struct Applied {
    /// The scope of the nodes that it became.
    pub path: String,
    /// Its operator.
    pub operator: String,
    /// The shape of its first output, with the axes in ONNX's order.
    pub output: Option<Shape>,
}

impl Imported {
    /// An input that is no constant.
    pub fn input(&self, name: &str) -> Option<Node> {
        self.inputs.iter().find(|(n, _)| n == name).map(|(_, node)| node.clone())
    }

    /// Output `i` as a node with its axes in ONNX's order.
    ///
    /// # Errors
    /// A list of tensors.
    pub fn output(&self, i: usize) -> Result<Node> {
        let (name, value) = &self.outputs[i];
        let place = format!("output `{name}`");
        self.reader.node(value).map_err(|e| OnnxError::unsupported(place, e.expected, e.received).help(e.help))
    }
}

/// Makes a graph of a file's.
///
/// # Errors
/// Everything that is wrong with the file or not supported, with its place; all operators that are missing at once.
pub fn import(file: &ModelFile, bindings: &Bindings) -> Result<Imported> {
    import_into(&Graph::new(), file, bindings, &BTreeMap::new())
}

/// Adds a file's graph to another. `feeds` are what its inputs are computed from; the others become inputs of their own.
///
/// Each node is made in a scope of its name, which ends in the operator: `features/0/Conv`.
///
/// # Errors
/// As [`import`].
pub fn import_into(
    graph: &Graph,
    file: &ModelFile,
    bindings: &Bindings,
    feeds: &BTreeMap<String, Node>,
) -> Result<Imported> {
    let run = || {
        let mut import = Import::new(graph, file, bindings)?;
        import.refuse_missing()?;
        import.run(feeds)
    };
    run().map_err(|e| e.in_file(&file.name))
}

/// Nodes that are read one after the other: a graph's, or a function's.
pub(crate) struct Body<'b> {
    /// The version of the standard's operators.
    version: i64,
    /// The values that the nodes compute.
    computed: BTreeSet<&'b str>,
    /// The attributes of the function's call.
    given: &'b BTreeMap<String, Attribute>,
    /// Calls around it.
    depth: usize,
}

impl<'b> Body<'b> {
    /// A graph's.
    pub(crate) fn new(
        nodes: impl IntoIterator<Item = &'b NodeProto>,
        version: i64,
        given: &'b BTreeMap<String, Attribute>,
    ) -> Body<'b> {
        let computed = nodes.into_iter().flat_map(|node| &node.output).map(String::as_str).collect();
        Body { version, computed, given, depth: 0 }
    }
}

pub(crate) struct Import<'a> {
    file: &'a ModelFile,
    bindings: &'a Bindings,
    table: HashMap<&'static str, OnnxOp>,
    functions: HashMap<(&'a str, &'a str), &'a FunctionProto>,
    reader: Reader,
    layers: Vec<Applied>,
    /// Bytes of stored values so far.
    stored: u64,
}

/// Values by name.
pub(crate) type Scope = HashMap<String, Option<Value>>;

impl<'a> Import<'a> {
    pub(crate) fn new(graph: &Graph, file: &'a ModelFile, bindings: &'a Bindings) -> Result<Import<'a>> {
        let functions = file.model.functions.iter().map(|f| ((f.domain.as_str(), f.name.as_str()), f)).collect();
        let reader = Reader::new(graph, KNOWN).with_prefix(&bindings.prefix);
        Ok(Import { file, bindings, table: operators::table(), functions, reader, layers: vec![], stored: 0 })
    }

    fn refuse_missing(&self) -> Result<()> {
        let missing = missing_among(self.file, self.needed().into_iter().map(|(_, node)| node).collect());
        if missing.is_empty() {
            return Ok(());
        }
        let received = format!("{} (not supported)", missing.join(", "));
        Err(OnnxError::unsupported("the whole graph", "operators that are supported", received))
    }

    /// The nodes that the wanted outputs need, with their numbers; all nodes where none are wanted. Of values that nothing computes, nothing.
    fn needed(&self) -> Vec<(usize, &'a NodeProto)> {
        let nodes = self.file.graph().node.iter().enumerate();
        if self.bindings.outputs.is_empty() {
            return nodes.collect();
        }
        let mut wanted: BTreeSet<&str> = self.bindings.outputs.iter().map(String::as_str).collect();
        let mut needed = vec![];
        for (i, node) in nodes.rev() {
            if node.output.iter().any(|name| wanted.contains(name.as_str())) {
                wanted.extend(node.input.iter().map(String::as_str).filter(|name| !name.is_empty()));
                needed.push((i, node));
            }
        }
        needed.reverse();
        needed
    }

    fn run(&mut self, feeds: &BTreeMap<String, Node>) -> Result<Imported> {
        let version = version(&self.file.model.opset_import)?;
        let (mut scope, inputs) = self.begin(feeds)?;
        self.nodes(&self.needed(), version, &mut scope, &BTreeMap::new(), 0)?;
        let own: Vec<&String> = match self.bindings.outputs.is_empty() {
            true => self.file.graph().output.iter().map(|output| &output.name).collect(),
            false => self.bindings.outputs.iter().collect(),
        };
        let mut outputs = vec![];
        for name in own {
            let value = scope.get(name).and_then(Option::as_ref).ok_or_else(|| {
                OnnxError::unreadable(format!("output `{name}`"), "a value that a node computes", "none of this name")
            })?;
            outputs.push((name.clone(), value.clone()));
        }
        let graph = self.reader.graph().clone();
        let reader = std::mem::replace(&mut self.reader, Reader::new(&graph, KNOWN));
        Ok(Imported { reader, layers: std::mem::take(&mut self.layers), graph, outputs, inputs })
    }

    /// The values that are there before any node: stored ones and inputs.
    pub(crate) fn begin(&mut self, feeds: &BTreeMap<String, Node>) -> Result<(Scope, Vec<(String, Node)>)> {
        let graph = self.file.graph();
        let mut scope = Scope::new();
        self.initializers(graph, &mut scope)?;
        let inputs = self.inputs(graph, &mut scope, feeds)?;
        Ok((scope, inputs))
    }

    /// As [`Import::begin`]; what is wrong with a stored value or an input leaves that out.
    pub(crate) fn begin_leniently(&mut self, troubles: &mut Vec<OnnxError>) -> Scope {
        let graph = self.file.graph();
        let mut scope = Scope::new();
        for stored in &graph.initializer {
            troubles.extend(self.initializer(stored, &mut scope).err());
        }
        let batch = batch_name(graph, &scope);
        for input in &graph.input {
            troubles.extend(self.input(input, batch.as_deref(), &mut scope, &BTreeMap::new()).err());
        }
        scope
    }

    /// The stored values that became variables so far.
    pub(crate) fn weights(&self) -> Vec<String> {
        self.reader.weights()
    }

    /// Whether a node's operator is read, or a function of the model.
    pub(crate) fn reads(&self, node: &NodeProto) -> bool {
        is_standard(&node.domain) && self.table.contains_key(node.op_type.as_str())
            || self.functions.contains_key(&(node.domain.as_str(), node.op_type.as_str()))
    }

    fn initializers(&mut self, graph: &GraphProto, scope: &mut Scope) -> Result<()> {
        if let Some(sparse) = graph.sparse_initializer.first() {
            let name = sparse.values.as_ref().map(|v| v.name.clone()).unwrap_or_default();
            return Err(OnnxError::unsupported(format!("stored tensor `{name}`"), "a dense tensor", "a sparse one"));
        }
        graph.initializer.iter().try_for_each(|stored| self.initializer(stored, scope))
    }

    fn initializer(&mut self, stored: &TensorProto, scope: &mut Scope) -> Result<()> {
        let limits = self.bindings.limits;
        let read = match self.bindings.weights_elsewhere {
            true => structure::read(stored, limits)?,
            false => tensor::read(stored, self.file.folder.as_deref(), limits)?,
        };
        self.stored += (read.len() * read.kind().bytes()) as u64;
        let place = format!("stored tensor `{}`", stored.name);
        if self.stored > limits.memory {
            let expected = format!("at most {} bytes of stored values", limits.memory);
            return Err(OnnxError::unreadable(place, expected, format!("{} bytes", self.stored)));
        }
        let known = Known { tensor: Arc::new(read), name: Some(stored.name.as_str().into()) };
        if scope.insert(stored.name.clone(), Some(Value::Known(known))).is_some() {
            return Err(OnnxError::unreadable(place, "one stored tensor of a name", "two"));
        }
        Ok(())
    }

    fn inputs(
        &mut self,
        graph: &GraphProto,
        scope: &mut Scope,
        feeds: &BTreeMap<String, Node>,
    ) -> Result<Vec<(String, Node)>> {
        let batch = batch_name(graph, scope);
        let mut inputs = vec![];
        for input in &graph.input {
            inputs.extend(self.input(input, batch.as_deref(), scope, feeds)?);
        }
        Ok(inputs)
    }

    /// The node of an input, unless it is a constant or a stored value.
    fn input(
        &mut self,
        input: &ValueInfoProto,
        batch: Option<&str>,
        scope: &mut Scope,
        feeds: &BTreeMap<String, Node>,
    ) -> Result<Option<(String, Node)>> {
        if let Some(tensor) = self.bindings.constants.get(&input.name) {
            scope.insert(input.name.clone(), Some(Value::known(tensor.clone())));
            return Ok(None);
        }
        if scope.contains_key(&input.name) {
            return Ok(None);
        }
        let place = format!("input `{}`", input.name);
        let (data_type, shape) = tensor_type(input, &place)?;
        let kind = kind_of(data_type)
            .ok_or_else(|| OnnxError::unsupported(&place, "numbers of 8 to 64 bits", type_name(data_type)))?;
        if let Some(node) = feeds.get(&input.name) {
            scope.insert(input.name.clone(), Some(Value::traced(node.clone(), kind)));
            return Ok(Some((input.name.clone(), node.clone())));
        }
        let shape = match (self.bindings.shapes.get(&input.name), shape) {
            (Some(shape), _) => shape.clone(),
            (None, Some(shape)) => symbolic(shape, batch, &place)?,
            (None, None) => {
                let error = OnnxError::unsupported(&place, "a known number of axes", "a shape that is not stated");
                return Err(error.help("state the input's shape"));
            }
        };
        let meaning = if kind.is_float() { Kind::Real } else { Kind::Index };
        let node = self.reader.graph().add_input(&input.name, shape, meaning);
        scope.insert(input.name.clone(), Some(Value::traced(node.clone(), kind)));
        Ok(Some((input.name.clone(), node)))
    }

    fn nodes(
        &mut self,
        nodes: &[(usize, &NodeProto)],
        version: i64,
        scope: &mut Scope,
        given: &BTreeMap<String, Attribute>,
        depth: usize,
    ) -> Result<()> {
        let body = Body { depth, ..Body::new(nodes.iter().map(|&(_, node)| node), version, given) };
        for &(index, node) in nodes {
            self.node(index, node, &body, scope)?;
        }
        Ok(())
    }

    /// Computes the outputs of one node.
    pub(crate) fn node(&mut self, index: usize, node: &NodeProto, body: &Body<'_>, scope: &mut Scope) -> Result<()> {
        let &Body { version, ref computed, given, depth } = body;
        let place = place(node, index);
        let mut inputs = vec![];
        for name in &node.input {
            let value = match scope.get(name) {
                Some(value) => value.clone(),
                None if name.is_empty() => None,
                None => {
                    let received = match computed.contains(name.as_str()) {
                        true => format!("`{name}`, which is computed later or from this node: a cycle or wrong order"),
                        false => format!("`{name}`, which nothing computes"),
                    };
                    return Err(OnnxError::unreadable(&place, "inputs that earlier nodes compute", received));
                }
            };
            inputs.push(value);
        }
        let attributes = attributes(&node.attribute, given, &place)?;
        let graph = self.reader.graph().clone();
        let path =
            if depth == 0 { format!("{}{}", self.bindings.prefix, path(node, index)) } else { path(node, index) };
        let (path, outputs) =
            graph.scope(&path, || (graph.path(""), self.apply(node, version, &inputs, &attributes, &place, depth)));
        let outputs = outputs?;
        if depth == 0 {
            let output = outputs.first().and_then(Option::as_ref).and_then(Value::shape);
            self.layers.push(Applied { path, operator: node.op_type.clone(), output });
        }
        for (name, value) in node.output.iter().zip(outputs) {
            if !name.is_empty() && scope.insert(name.clone(), value).is_some() {
                let received = format!("`{name}` for the second time");
                return Err(OnnxError::unreadable(&place, "outputs with names of their own", received));
            }
        }
        Ok(())
    }

    fn apply(
        &mut self,
        node: &NodeProto,
        version: i64,
        inputs: &[Option<Value>],
        attributes: &BTreeMap<String, Attribute>,
        place: &str,
        depth: usize,
    ) -> Result<Vec<Option<Value>>> {
        if let Some(function) = self.functions.get(&(node.domain.as_str(), node.op_type.as_str())).copied() {
            return self.call(function, inputs, attributes, place, depth);
        }
        let op = self
            .table
            .get(node.op_type.as_str())
            .copied()
            .ok_or_else(|| OnnxError::unsupported(place, "an operator that is supported", node.op_type.clone()))?;
        let wanted: Vec<bool> = node.output.iter().map(|name| !name.is_empty()).collect();
        let application =
            OnnxNode { operator: &node.op_type, version, attributes, inputs, outputs: &wanted, reader: &self.reader };
        let refuse = |e: ShapeError| OnnxError::unsupported(place, e.expected, e.received).help(e.help);
        let values = (op.read)(&application).map_err(refuse)?;
        for value in &values {
            self.check(value, place)?;
        }
        if let Some(name) = node.output.iter().skip(values.len()).find(|name| !name.is_empty()) {
            let received = format!("`{name}`, output {} of this node", values.len());
            return Err(OnnxError::unsupported(place, format!("{} outputs", values.len()), received));
        }
        Ok(values.into_iter().map(Some).collect())
    }

    /// A value must be sound and small enough.
    fn check(&self, value: &Value, place: &str) -> Result<()> {
        let Value::Traced(traced) = value else { return Ok(()) };
        if traced.node.is_poisoned() {
            let error = self.reader.graph().model(&[("y", &traced.node)]).err();
            return Err(match error {
                Some(GraphError::Shape { expected, received, help, .. }) => {
                    OnnxError::unreadable(place, expected, received).help(help)
                }
                Some(other) => OnnxError::unreadable(place, "a graph that fits together", other.to_string()),
                None => OnnxError::unreadable(place, "a graph that fits together", "one that does not"),
            });
        }
        let sizes = traced.node.shape().at(1);
        let bytes = sizes.iter().try_fold(4u64, |n, &d| n.checked_mul(d as u64));
        if bytes.is_none_or(|bytes| bytes > self.bindings.limits.memory) {
            let expected = format!("a result of at most {} bytes", self.bindings.limits.memory);
            return Err(OnnxError::unreadable(place, expected, format!("sizes {sizes:?}")));
        }
        Ok(())
    }

    fn call(
        &mut self,
        function: &'a FunctionProto,
        inputs: &[Option<Value>],
        attributes: &BTreeMap<String, Attribute>,
        place: &str,
        depth: usize,
    ) -> Result<Vec<Option<Value>>> {
        if depth >= DEPTH {
            return Err(OnnxError::unreadable(place, format!("at most {DEPTH} functions within each other"), "more"));
        }
        let mut given = crate::attributes::attributes(&function.attribute_proto, &BTreeMap::new(), place)?;
        given.extend(attributes.clone());
        let padded = inputs.iter().cloned().chain(std::iter::repeat(None));
        let mut scope: Scope = function.input.iter().cloned().zip(padded).collect();
        let version = version(&function.opset_import)?;
        let nodes: Vec<(usize, &NodeProto)> = function.node.iter().enumerate().collect();
        self.nodes(&nodes, version, &mut scope, &given, depth + 1)?;
        function
            .output
            .iter()
            .map(|name| {
                let error = || OnnxError::unreadable(place, "outputs that the function computes", format!("`{name}`"));
                scope.remove(name).ok_or_else(error)
            })
            .collect()
    }
}

/// The path of a node's layer: its name, which ends in the operator, or is made of it and the node's number.
pub(crate) fn path(node: &NodeProto, index: usize) -> String {
    let name = node.name.trim_matches('/');
    let last = name.rsplit('/').next().unwrap_or_default();
    let stem = last.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches('_');
    match (name, stem == node.op_type) {
        ("", _) => format!("{}_{index}", node.op_type),
        (name, true) => name.to_string(),
        (name, false) => format!("{name}/{}", node.op_type),
    }
}

/// Where a node is: its name or its number, and its operator.
pub(crate) fn place(node: &NodeProto, index: usize) -> String {
    match node.name.as_str() {
        "" => format!("node {index} ({})", node.op_type),
        name => format!("node `{name}` ({})", node.op_type),
    }
}

/// The name that the first axis of the first input has, if it has one: the batch.
fn batch_name(graph: &GraphProto, scope: &Scope) -> Option<String> {
    let first = graph.input.iter().find(|input| !scope.contains_key(&input.name))?;
    let (_, shape) = tensor_type(first, "").ok()?;
    match shape?.first()? {
        Some(DimensionValue::Param(name)) if !name.is_empty() => Some(name.clone()),
        _ => None,
    }
}

/// A tensor's data type and sizes.
pub(crate) type TensorSizes<'v> = (i32, Option<Vec<Option<&'v DimensionValue>>>);

/// A tensor's kind of number and sizes.
pub(crate) fn tensor_type<'v>(info: &'v ValueInfoProto, place: &str) -> Result<TensorSizes<'v>> {
    match info.r#type.as_ref().and_then(|t: &TypeProto| t.value.as_ref()) {
        Some(TypeValue::Tensor(tensor)) => {
            let sizes = tensor.shape.as_ref().map(|s| s.dim.iter().map(|d| d.value.as_ref()).collect());
            Ok((tensor.elem_type, sizes))
        }
        Some(_) => Err(OnnxError::unsupported(place, "a tensor", "a list, a dictionary or an optional value")),
        None => Err(OnnxError::unreadable(place, "a type", "none")),
    }
}

/// Sizes, of which the first may be open and named ones are the batch if that has the same name.
fn symbolic(sizes: Vec<Option<&DimensionValue>>, batch: Option<&str>, place: &str) -> Result<Shape> {
    let dim = |(axis, size): (usize, Option<&DimensionValue>)| match size {
        Some(DimensionValue::Value(size)) if *size >= 0 => Ok(Dim::Fixed(*size as usize)),
        Some(DimensionValue::Param(name)) if Some(name.as_str()) == batch => Ok(Dim::Batch(1)),
        None | Some(DimensionValue::Param(_)) if axis == 0 => Ok(Dim::Batch(1)),
        Some(DimensionValue::Value(size)) => {
            Err(OnnxError::unreadable(place, format!("a size of 0 or more as axis {axis}"), size.to_string()))
        }
        other => {
            let received = match other {
                Some(DimensionValue::Param(name)) => format!("`{name}`"),
                _ => "an open size".into(),
            };
            let error = OnnxError::unsupported(place, format!("a fixed size as axis {axis}"), received);
            Err(error.help("bind the input to a shape; only one size, the batch, can stay open"))
        }
    };
    Ok(Shape::new(sizes.into_iter().enumerate().map(dim).collect::<Result<Vec<_>>>()?))
}
