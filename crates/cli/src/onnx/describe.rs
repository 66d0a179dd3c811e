//! What an ONNX file holds, in a table: its nodes with shapes, parameters and operations, what it takes and gives, what is not supported.

use crate::failure::{Failure, Result};
use crate::network;
use gradus_onnx::survey::{Row, Survey, survey};
use gradus_onnx::{Bindings, ModelFile, OnnxError, Trouble};
use gradus_tensor::{Dim, Shape};
use serde_json::json;
use std::collections::BTreeMap;

/// The longest text of a metadata entry that is shown.
const LONGEST: usize = 60;

/// A file with what was found in it.
pub struct Description {
    name: String,
    survey: Survey,
    flops: Vec<u64>,
}

impl Description {
    /// Looks at a file. `shapes` are those of inputs whose sizes it leaves open, as in `x=batch,3,224,224`.
    ///
    /// # Errors
    /// A shape that cannot be read, or of an input that is not there.
    pub fn of(file: &ModelFile, shapes: &[String]) -> Result<Description> {
        let mut bindings = Bindings::default();
        for text in shapes {
            let (name, shape) = shape_of(text)?;
            let known = gradus_onnx::inputs::inputs(file);
            if !known.iter().any(|spec| spec.name == name) {
                let list: Vec<String> = known.iter().map(ToString::to_string).collect();
                let problem = format!("--shape names `{name}`, which is no input of {}", file.name);
                return Err(Failure::usage(problem, format!("its inputs: {}", list.join("; "))));
            }
            bindings.shapes.insert(name, shape);
        }
        let survey = survey(file, &bindings)?;
        let flops = match &survey.model {
            None => vec![0; survey.rows.len()],
            Some(model) => {
                let needed = network::needed(model);
                let of = |row: &Row| {
                    row.nodes.clone().filter(|&id| needed[id]).map(|id| network::operations(model, id)).sum()
                };
                survey.rows.iter().map(of).collect()
            }
        };
        let name = file.name.rsplit(['/', '\\']).next().unwrap_or(&file.name).to_string();
        Ok(Description { name, survey, flops })
    }

    /// Parameters and operations of a sample.
    fn totals(&self) -> (u64, u64) {
        (self.survey.rows.iter().map(|row| row.parameters).sum(), self.flops.iter().sum())
    }

    /// Everything for machines.
    pub fn json(&self) -> serde_json::Value {
        let survey = &self.survey;
        let row = |(row, flops): (&Row, &u64)| {
            json!({
                "name": row.name, "kind": row.operator, "output": row.output.as_ref().map(ToString::to_string),
                "parameters": row.parameters, "flops": flops, "supported": row.supported,
            })
        };
        let trouble = |e: &OnnxError| {
            json!({
                "place": e.place, "expected": e.expected, "received": e.received, "help": e.help,
                "unreadable": e.trouble == Trouble::Unreadable,
            })
        };
        let spec = |spec: &gradus_onnx::inputs::Spec| {
            let sizes = spec.sizes.as_ref().map(|sizes| sizes.iter().map(ToString::to_string).collect::<Vec<_>>());
            json!({ "name": spec.name, "type": spec.data_type, "shape": sizes })
        };
        let (parameters, flops) = self.totals();
        json!({
            "name": self.name, "producer": survey.producer, "opset": survey.version,
            "inputs": survey.inputs.iter().map(spec).collect::<Vec<_>>(),
            "outputs": survey.outputs.iter().map(spec).collect::<Vec<_>>(),
            "metadata": survey.metadata.iter().cloned().collect::<BTreeMap<_, _>>(),
            "layers": survey.rows.iter().zip(&self.flops).map(row).collect::<Vec<_>>(),
            "parameters": parameters, "flops": flops,
            "supported": survey.troubles.is_empty(), "missing_operators": survey.missing,
            "troubles": survey.troubles.iter().map(trouble).collect::<Vec<_>>(),
        })
    }

    /// The table for people. `aligned` makes columns, `grouped` numbers.
    pub fn text(&self, aligned: impl Fn(&[[String; 6]]) -> String, grouped: impl Fn(u64) -> String) -> String {
        let survey = &self.survey;
        let by = if survey.producer.is_empty() { String::new() } else { format!(" by {}", survey.producer) };
        let mut text = format!("{}: written{by} with the operators of version {}\n\n", self.name, survey.version);
        let [none, zero] = ["", "0"].map(String::from);
        let mut table = vec![["layer", "kind", "output", "", "parameters", "FLOPs/sample"].map(String::from)];
        for input in &survey.inputs {
            let sizes = input.sizes.as_ref().map_or_else(String::new, |sizes| {
                format!("[{}]", sizes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
            });
            table.push([input.name.clone(), "input".into(), sizes, none.clone(), zero.clone(), zero.clone()]);
        }
        let (shown, hidden): (Vec<_>, Vec<_>) = survey.rows.iter().zip(&self.flops).partition(|(row, _)| is_shown(row));
        for (row, &flops) in shown {
            let kind = if row.supported { row.operator.clone() } else { format!("{} (not supported)", row.operator) };
            let output = row.output.as_ref().map_or("?".into(), ToString::to_string);
            let flops = if row.output.is_some() { grouped(flops) } else { "?".into() };
            table.push([row.name.clone(), kind, output, none.clone(), grouped(row.parameters), flops]);
        }
        let (parameters, flops) = self.totals();
        let [whole, empty, blank] = ["total", "", ""].map(String::from);
        table.push([whole, empty, blank, none, grouped(parameters), grouped(flops)]);
        text += &format!("{}\n", aligned(&table));
        if !hidden.is_empty() {
            text += &format!("{} nodes that give sizes and constants are left out\n", hidden.len());
        }
        let list =
            |specs: &[gradus_onnx::inputs::Spec]| specs.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        text += &format!("takes {}\ngives {}\n", list(&survey.inputs), list(&survey.outputs));
        for (key, value) in &survey.metadata {
            let short: String = value.chars().take(LONGEST).collect();
            let more = if short.len() < value.len() { "…" } else { "" };
            text += &format!("metadata {key}: {}{more}\n", short.replace('\n', " "));
        }
        if survey.troubles.is_empty() {
            return text + "all of it is supported\n";
        }
        if !survey.missing.is_empty() {
            text += &format!("operators that are not supported: {}\n", survey.missing.join(", "));
        }
        text += "what is in the way:\n";
        for trouble in &survey.troubles {
            text += &format!("  {}: expected {}, received {}\n", trouble.place, trouble.expected, trouble.received);
        }
        text
    }
}

/// Whether a node is more than a step in the computation of sizes and constants.
fn is_shown(row: &Row) -> bool {
    let single = |shape: &Shape| shape.rank() < 2 && !shape.has_batch();
    row.operator != "Constant" && (row.parameters > 0 || !row.supported || !row.output.as_ref().is_some_and(single))
}

/// The parts of `x=batch,3,224,224`: a size that is no number is the batch.
fn shape_of(text: &str) -> Result<(String, Shape)> {
    let wrong = || {
        let help = "write --shape NAME=SIZES, as in --shape x=batch,3,224,224";
        Failure::usage(format!("--shape is `{text}`"), help)
    };
    let (name, sizes) = text.rsplit_once('=').ok_or_else(wrong)?;
    let size = |(axis, size): (usize, &str)| match size.trim().parse::<usize>() {
        Ok(size) => Ok(Dim::Fixed(size)),
        Err(_) if axis == 0 && !size.trim().is_empty() => Ok(Dim::Batch(1)),
        Err(_) => Err(wrong()),
    };
    let dims = sizes.split(',').enumerate().map(size).collect::<Result<Vec<_>>>()?;
    Ok((name.to_string(), Shape::new(dims)))
}
