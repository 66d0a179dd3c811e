//! From a recipe's layers to a model, and what a table of its layers says.

use crate::failure::Result;
use crate::recipe::{Document, Recipe, RecipeError};
use crate::report::data::LayerRow;
use gradus_graph::{Entry, Graph, GraphError, Model, NodeId, Op, ShapeError};
use gradus_nn::{AnyLayer, Layer as _, LayerExt};
use gradus_train::inspect::Watched;
use std::collections::HashMap;

/// The name of a network's output.
pub const OUTPUT: &str = "y";

/// The recipe's network for samples of this shape.
///
/// # Errors
/// A layer that does not fit what comes before it, at its place in the recipe.
pub fn build(recipe: &Recipe, document: &Document, features: &[usize]) -> Result<Model> {
    Ok(build_watched(recipe, document, features)?.0)
}

/// The recipe's network, and its layers to look at: those that compute something, an activation together with the layer before it.
///
/// # Errors
/// As [`build`].
pub fn build_watched(recipe: &Recipe, document: &Document, features: &[usize]) -> Result<(Model, Vec<Watched>)> {
    let graph = Graph::new();
    let mut y = graph.input("x", features);
    let mut outputs = vec![];
    for (i, layer) in recipe.model.layers.iter().enumerate() {
        let before = y.shape();
        y = y.layer(layer.clone());
        if y.is_poisoned() {
            let path = format!("model.layers.{i}");
            let error = match graph.model(&[(OUTPUT, &y)]) {
                Err(GraphError::Shape { expected, received, help, .. }) => ShapeError::new(expected, received, help),
                Err(other) => ShapeError::new("a layer that fits", other.to_string(), "correct the layer"),
                Ok(_) => ShapeError::new("a layer that fits", before.to_string(), "correct the layer"),
            };
            return Err(RecipeError::setting(document, &path, &error).into());
        }
        outputs.push(y.id());
    }
    let model = graph.model(&[(OUTPUT, &y)])?;
    let watched = watched(recipe, &model, &outputs);
    Ok((model, watched))
}

/// Names of the layers' scopes: `dense`, `dense_1`, …
fn scopes(recipe: &Recipe) -> impl Iterator<Item = (String, &AnyLayer)> {
    let mut names: HashMap<&str, usize> = HashMap::new();
    recipe.model.layers.iter().map(move |layer| {
        let count = names.entry(layer.key()).or_insert(0);
        let scope = if *count == 0 { layer.key().to_string() } else { format!("{}_{count}", layer.key()) };
        *count += 1;
        (scope, layer)
    })
}

fn watched(recipe: &Recipe, model: &Model, outputs: &[NodeId]) -> Vec<Watched> {
    const NONE: &str = "identity";
    let mut watched: Vec<Watched> = vec![];
    for ((name, layer), &output) in scopes(recipe).zip(outputs) {
        let passes = |key: &str| key == "flatten" || key.contains("dropout");
        match layer {
            AnyLayer::Activation(activation) => match watched.last_mut().filter(|last| last.activation == NONE) {
                Some(last) => {
                    last.activation = activation.0.key().into();
                    last.before = Some(std::mem::replace(&mut last.output, output));
                }
                None => watched.push(Watched { name, activation: activation.0.key().into(), output, before: None }),
            },
            AnyLayer::Dense(dense) => {
                let activation = dense.activation.key().to_string();
                let before = (activation != NONE).then(|| affine(model, &name)).flatten();
                watched.push(Watched { name, activation, output, before });
            }
            layer if passes(layer.key()) => {}
            _ => watched.push(Watched { name, activation: NONE.into(), output, before: None }),
        }
    }
    watched
}

/// A dense layer's `x·W + b`: the last sum with a bias in its scope, else the last product.
fn affine(model: &Model, scope: &str) -> Option<NodeId> {
    let nodes = model.nodes();
    let is_variable = |id: &NodeId| matches!(nodes[*id].op, Op::Variable(_));
    let last = |wanted: &dyn Fn(&Entry) -> bool| nodes.iter().rposition(|node| *node.path == *scope && wanted(node));
    last(&|node| matches!(node.op, Op::Add(_)) && node.inputs.iter().any(is_variable))
        .or_else(|| last(&|node| matches!(node.op, Op::MatMul(_))))
}

/// One row for each layer: name, kind, output shape, parameters, operations.
///
/// Operations are those of one sample on its way forward, when predicting: 2·m·n·k of a product, one for each element of an
/// elementwise function or a reduction's input, five for each element of a softmax; moving and copying are free.
pub fn layer_rows(recipe: &Recipe, model: &Model) -> Vec<LayerRow> {
    let needed = needed(model);
    let mut output = model.inputs().first().map(|input| input.shape.to_string()).unwrap_or_default();
    let mut rows = vec![];
    for (scope, layer) in scopes(recipe) {
        let inside = |path: &str| path == scope || path.strip_prefix(&scope).is_some_and(|rest| rest.starts_with('/'));
        let parameters =
            model.variables().iter().filter(|v| v.role.trainable() && inside(&v.path)).map(|v| v.len() as u64);
        let nodes = || model.nodes().iter().enumerate().filter(|(_, node)| inside(&node.path));
        if let Some((_, last)) = nodes().rfind(|(id, node)| needed[*id] && !matches!(node.op, Op::Variable(_))) {
            output = last.shape.to_string();
        }
        rows.push(LayerRow {
            name: scope.clone(),
            kind: in_short(layer),
            output: output.clone(),
            parameters: parameters.sum(),
            flops: nodes().filter(|(id, _)| needed[*id]).map(|(id, _)| operations(model, id)).sum(),
        });
    }
    rows
}

/// Which nodes a prediction needs.
fn needed(model: &Model) -> Vec<bool> {
    let mut needed = vec![false; model.nodes().len()];
    model.outputs().iter().for_each(|(_, id)| needed[*id] = true);
    for id in (0..needed.len()).rev() {
        if !needed[id] {
            continue;
        }
        let node = &model.nodes()[id];
        let inputs = if matches!(node.op, Op::Switch(_)) { &node.inputs[1..] } else { &node.inputs[..] };
        inputs.iter().for_each(|input| needed[*input] = true);
    }
    needed
}

/// Floating-point operations of a node for one sample.
fn operations(model: &Model, id: usize) -> u64 {
    let node = &model.nodes()[id];
    let shape = |input: usize| &model.nodes()[node.inputs[input]].shape;
    let elements = node.shape.len_at(1) as u64;
    match &node.op {
        Op::MatMul(product) => {
            let sizes = shape(0).at(1);
            let inner = sizes.len().saturating_sub(if product.transpose_a { 2 } else { 1 });
            2 * elements * sizes.get(inner).copied().unwrap_or(1) as u64
        }
        Op::Conv(_) => {
            2 * elements * (shape(1).len_at(1) / shape(1).at(1).last().map_or(1, |&filters| filters.max(1))) as u64
        }
        Op::ConvInput(_) => {
            2 * shape(0).len_at(1) as u64
                * (shape(1).len_at(1) / shape(0).at(1).last().map_or(1, |&filters| filters.max(1))) as u64
        }
        Op::Reduce(_) | Op::Max(_) | Op::ArgMax(_) => shape(0).len_at(1) as u64,
        Op::Softmax(_) | Op::LogSoftmax(_) => 5 * elements,
        Op::Input(_)
        | Op::Variable(_)
        | Op::Flat(_)
        | Op::Pack(_)
        | Op::Step
        | Op::Poison
        | Op::Fill(_)
        | Op::Count(_) => 0,
        Op::Iota(_) | Op::Reshape(_) | Op::Permute(_) | Op::Slice(_) | Op::Expand(_) | Op::Concat(_) | Op::Pad(_) => 0,
        Op::Gather(_) | Op::StopGradient(_) | Op::Switch(_) | Op::Random(_) => 0,
        _ => elements,
    }
}

/// A layer in a few words: `dense 128 relu`.
fn in_short(layer: &AnyLayer) -> String {
    match layer {
        AnyLayer::Dense(dense) => {
            let activation = match dense.activation.key() {
                "identity" => String::new(),
                key => format!(" {key}"),
            };
            let bias = if dense.bias { "" } else { " without bias" };
            format!("dense {}{activation}{bias}", dense.units)
        }
        AnyLayer::Activation(activation) => activation.0.key().to_string(),
        AnyLayer::Dropout(dropout) => format!("dropout {}", dropout.rate),
        AnyLayer::MultiSampleDropout(dropout) => {
            let head: Vec<String> = dropout.layers.iter().map(in_short).collect();
            format!("{} masks of dropout {}, {}", dropout.samples, dropout.rate, head.join(", "))
        }
        AnyLayer::Maxout(maxout) => format!("maxout {} of {}", maxout.units, maxout.pieces),
        _ => layer.name(),
    }
}
