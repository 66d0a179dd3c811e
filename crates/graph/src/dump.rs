//! Graphs as text, for people and for tests of passes.

use crate::model::{Entry, Model, NodeId};
use crate::{Kind, Op};
use std::fmt::Write;

/// One line for each node that the roots need: `%3 [B, 4] = add(%1, %2)  // dense`.
pub(crate) fn dump(nodes: &[Entry], roots: &[NodeId], model: &Model) -> String {
    let mut live = vec![false; nodes.len()];
    let mut stack: Vec<NodeId> = roots.to_vec();
    while let Some(id) = stack.pop() {
        if !std::mem::replace(&mut live[id], true) {
            stack.extend(&nodes[id].inputs);
        }
    }
    let mut text = String::new();
    for (id, node) in nodes.iter().enumerate().filter(|(id, _)| live[*id]) {
        let mark = if node.kind == Kind::Index { "#" } else { "" };
        let call = match &node.op {
            Op::Input(i) => format!("input \"{}\"", model.inner.inputs[*i].name),
            Op::Variable(v) => format!("variable \"{}\"", model.inner.variables[*v].path),
            op => {
                let args: Vec<String> = node.inputs.iter().map(|i| format!("%{i}")).collect();
                format!("{}({})", label(op), args.join(", "))
            }
        };
        let scope = if node.path.is_empty() { String::new() } else { format!("  // {}", node.path) };
        let _ = writeln!(text, "%{id} {}{mark} = {call}{scope}", node.shape);
    }
    text
}

/// The op's name with its settings, as in `sum{axes: [0]}`.
fn label(op: &Op) -> String {
    let debug = op.settings();
    let settings = debug.find('{').map_or(String::new(), |i| debug[i..].replace("{ ", "{").replace(" }", "}"));
    format!("{}{settings}", op.name())
}
