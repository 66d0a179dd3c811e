//! What a model is made of, node by node, as far as it can be told: nothing is run, and what is not supported is listed instead of
//! ending the walk.

use crate::error::{OnnxError, Result};
use crate::file::ModelFile;
use crate::import::{Bindings, Body, Import, path, place};
use crate::inputs::{Spec, inputs, outputs};
use crate::standard::{missing, version};
use gradus_graph::onnx::Value;
use gradus_graph::{Graph, Model, Node};
use gradus_tensor::Shape;
use std::collections::{BTreeMap, BTreeSet};

/// What was found.
pub struct Survey {
    /// The program that wrote the file, with its version.
    pub producer: String,
    /// The version of the operators.
    pub version: i64,
    /// The inputs.
    pub inputs: Vec<Spec>,
    /// The outputs.
    pub outputs: Vec<Spec>,
    /// Text by key.
    pub metadata: Vec<(String, String)>,
    /// The nodes in the file's order.
    pub rows: Vec<Row>,
    /// What is wrong or not supported, each with its place.
    pub troubles: Vec<OnnxError>,
    /// The operators that are not read, sorted.
    pub missing: Vec<String>,
    /// What could be read, with the first output of each row that has a shape under the number of the row.
    pub model: Option<Model>,
}

/// A node.
pub struct Row {
    /// Its path.
    pub name: String,
    /// Its operator.
    pub operator: String,
    /// The shape of its first output, where it is known.
    pub output: Option<Shape>,
    /// The numbers of stored weights that it is the first to use.
    pub parameters: u64,
    /// The nodes of the model that it became.
    pub nodes: std::ops::Range<usize>,
    /// Whether it is read.
    pub supported: bool,
}

/// Looks at a file.
///
/// # Errors
/// A file whose stored values cannot be read.
pub fn survey(file: &ModelFile, bindings: &Bindings) -> Result<Survey> {
    let graph = Graph::new();
    let mut import = Import::new(&graph, file, bindings)?;
    let mut troubles = vec![];
    let stated = match version(&file.model.opset_import) {
        Ok(version) => version,
        Err(error) => {
            troubles.push(error);
            file.model.opset_import.iter().map(|o| o.version).max().unwrap_or(0)
        }
    };
    let readable = troubles.is_empty();
    let mut scope = import.begin_leniently(&mut troubles);
    let nodes = &file.graph().node;
    let given = BTreeMap::new();
    let body = Body::new(nodes, stated, &given);
    let missing = missing(file);
    let mut weights = Weights::of(file);
    let mut unknown: BTreeSet<&str> = inputs_left_out(file, &scope);
    let mut rows = vec![];
    let mut kept: Vec<(String, Node)> = vec![];
    for (i, node) in nodes.iter().enumerate() {
        let operator =
            if node.domain.is_empty() { node.op_type.clone() } else { format!("{}.{}", node.domain, node.op_type) };
        let lacks = !import.reads(node);
        let blind = !readable || node.input.iter().any(|name| unknown.contains(name.as_str()));
        let start = graph.node_count();
        let mut output = None;
        if lacks {
            let error = OnnxError::unsupported(place(node, i), "an operator that is supported", operator.clone());
            troubles.push(error);
        } else if !blind {
            match import.node(i, node, &body, &mut scope) {
                Ok(()) => output = node.output.first().and_then(|name| scope.get(name).cloned().flatten()),
                Err(error) => troubles.push(error),
            }
            graph.take_errors();
        }
        let known = output.is_some();
        if !known {
            unknown.extend(node.output.iter().map(String::as_str));
        }
        if let Some(Value::Traced(traced)) = &output {
            kept.push((rows.len().to_string(), traced.node.clone()));
        }
        rows.push(Row {
            name: path(node, i),
            operator,
            output: output.and_then(|value| value.shape()),
            parameters: {
                let became = import.weights();
                let counts = |name: &&String| !known || became.contains(name);
                node.input.iter().filter(counts).map(|name| weights.take(name)).sum()
            },
            nodes: start..graph.node_count(),
            supported: !lacks && (known || blind),
        });
    }
    let named_nodes: Vec<(&str, &Node)> = kept.iter().map(|(name, node)| (name.as_str(), node)).collect();
    Ok(Survey {
        producer: [file.model.producer_name.as_str(), &file.model.producer_version].join(" ").trim().to_string(),
        version: stated,
        inputs: inputs(file),
        outputs: outputs(file),
        metadata: file.model.metadata_props.iter().map(|e| (e.key.clone(), e.value.clone())).collect(),
        rows,
        troubles: troubles.into_iter().map(|e| e.in_file(&file.name)).collect(),
        missing,
        model: graph.model(&named_nodes).ok(),
    })
}

/// The inputs that have no value: their shape or kind is not known.
fn inputs_left_out<'f>(file: &'f ModelFile, scope: &crate::import::Scope) -> BTreeSet<&'f str> {
    file.graph().input.iter().map(|input| input.name.as_str()).filter(|name| !scope.contains_key(*name)).collect()
}

/// How many numbers each stored weight has that no node has used yet.
struct Weights<'f>(BTreeMap<&'f str, u64>);

impl<'f> Weights<'f> {
    fn of(file: &'f ModelFile) -> Weights<'f> {
        let real = |data_type: i32| crate::tensor::kind_of(data_type).is_some_and(|kind| kind.is_float());
        let weights = file.graph().initializer.iter().filter(|w| real(w.data_type) && !w.dims.is_empty());
        Weights(weights.map(|w| (w.name.as_str(), w.dims.iter().map(|&d| d.max(0) as u64).product())).collect())
    }

    fn take(&mut self, name: &str) -> u64 {
        self.0.remove(name).unwrap_or(0)
    }
}
