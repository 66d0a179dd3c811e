//! The nodes of a network from a file as layers: rows of the layer table, and what is looked at while it trains.

use crate::network::operations;
use crate::report::data::LayerRow;
use gradus_graph::{Model, NodeId, Op};
use gradus_onnx::import::Applied;
use gradus_train::inspect::Watched;
use std::collections::BTreeSet;

/// Operators with weights whose outputs are looked at.
const WEIGHTED: &[&str] = &["Conv", "ConvTranspose", "Gemm", "MatMul", "LSTM", "GRU", "RNN"];

/// Operators that are an activation, and its key in a recipe.
const ACTIVATIONS: &[(&str, &str)] = &[
    ("Relu", "relu"),
    ("Sigmoid", "sigmoid"),
    ("Tanh", "tanh"),
    ("LeakyRelu", "leaky_relu"),
    ("Elu", "elu"),
    ("Selu", "selu"),
    ("Softplus", "softplus"),
    ("Softmax", "softmax"),
];

fn holds(layer: &Applied, path: &str) -> bool {
    path.strip_prefix(layer.path.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The nodes of a layer that `needed` says are needed, in order.
fn nodes<'m>(layer: &'m Applied, model: &'m Model, needed: &'m [bool]) -> impl Iterator<Item = NodeId> + 'm {
    let is_own = |id: &NodeId| needed[*id] && holds(layer, &model.nodes()[*id].path);
    (0..model.nodes().len()).filter(is_own)
}

/// One row for each node that computes something: its weights are counted where they are first used.
pub fn rows(layers: &[Applied], model: &Model, needed: &[bool]) -> Vec<LayerRow> {
    let mut counted = BTreeSet::new();
    let mut rows = vec![];
    for layer in layers {
        let (mut flops, mut parameters, mut any) = (0, 0, false);
        for id in nodes(layer, model, needed) {
            any = true;
            flops += operations(model, id);
            for &input in &model.nodes()[id].inputs {
                if let Op::Variable(v) = model.nodes()[input].op
                    && counted.insert(v)
                    && model.variables()[v].role.trainable()
                {
                    parameters += model.variables()[v].len() as u64;
                }
            }
        }
        if any {
            rows.push(LayerRow {
                name: layer.path.clone(),
                kind: layer.operator.clone(),
                output: layer.output.as_ref().map(ToString::to_string).unwrap_or_default(),
                parameters,
                flops,
                ..LayerRow::default()
            });
        }
    }
    rows
}

/// The nodes with weights, an activation together with the one before it.
pub fn watched(layers: &[Applied], model: &Model, needed: &[bool]) -> Vec<Watched> {
    const NONE: &str = "identity";
    let mut watched: Vec<Watched> = vec![];
    for layer in layers {
        let Some(output) = nodes(layer, model, needed).last() else { continue };
        let activation = ACTIVATIONS.iter().find(|(operator, _)| *operator == layer.operator);
        if WEIGHTED.contains(&layer.operator.as_str()) {
            watched.push(Watched { name: layer.path.clone(), activation: NONE.into(), output, before: None });
        } else if let (Some((_, key)), Some(last)) = (activation, watched.last_mut())
            && last.activation == NONE
            && model.nodes()[output].inputs.contains(&last.output)
        {
            last.activation = (*key).into();
            last.before = Some(std::mem::replace(&mut last.output, output));
        }
    }
    watched
}
