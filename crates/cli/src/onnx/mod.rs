//! Networks from ONNX files: which input the data feed, where the network ends, what is frozen, and what a file of trained weights keeps
//! of the ONNX file.
//!
//! A recipe's `[model]` names the file with `onnx`; its `layers` go on from the file's output, or from the value that `output` names. The
//! weights have the names that they have in the file, the new layers' stand under `head/`.

pub mod describe;
pub mod edge;
pub mod loaded;
pub mod table;

use crate::failure::{Failure, Result};
use crate::recipe::{Document, ModelSection, RecipeError, nearest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge::Edge;
use gradus_data::Schema;
use gradus_graph::{Graph, Model, Node, Op, Role, Values, Variable};
use gradus_nn::{AnyLoss, Group, Loss as _};
use gradus_onnx::import::Applied;
use gradus_onnx::inputs::{Size, Spec};
use gradus_onnx::{Bindings, ModelFile, OnnxError, Trouble, import_into, inputs, structure};
use gradus_tensor::{Dim, Kind, Shape};
use std::collections::BTreeMap;
use std::path::Path;

/// The scope of the layers that go on from a network from a file.
pub const HEAD: &str = "head";
/// The key under which a file of trained weights keeps the structure.
pub const KEY: &str = "onnx";
/// What the paths of a file start with whose own names would look like the head's.
const APART: &str = "onnx/";
/// The most names that a message lists.
const MOST: usize = 24;

/// An ONNX file, or the structure of one whose weights are elsewhere.
pub struct Source {
    /// The contents.
    pub file: ModelFile,
    /// The structure as text, if the weights are elsewhere.
    text: Option<String>,
}

impl Source {
    /// Reads an ONNX file.
    ///
    /// # Errors
    /// A file that is not there or is no ONNX model.
    pub fn open(path: &Path) -> Result<Source> {
        Ok(Source { file: ModelFile::open(path)?, text: None })
    }

    /// The structure that a file of trained weights keeps. `name` is that file, for messages.
    ///
    /// # Errors
    /// Text that is damaged.
    pub fn of_text(text: &str, name: &str) -> Result<Source> {
        let name = format!("the network in {name}");
        let bytes = STANDARD.decode(text).map_err(|_| {
            Failure::files(format!("{name} cannot be read: it is damaged"), "copy the file again, or train anew")
        })?;
        Ok(Source { file: ModelFile::decode(&bytes, &name)?, text: Some(text.to_string()) })
    }
}

/// The part of a network that comes from a file.
#[derive(Clone, Debug)]
pub struct Graft {
    /// The file's structure as text, for files of its weights.
    pub structure: String,
    /// The nodes of the file.
    pub layers: Vec<Applied>,
    /// The shape of the value that the layers go on from.
    pub output: Shape,
    /// What people should know of it.
    pub notes: Vec<String>,
}

/// What the paths of a file's weights and layers start with: nothing, unless they would look like the head's.
pub fn prefix(file: &ModelFile) -> &'static str {
    let head = |name: &str| name.trim_start_matches('/').split('/').next() == Some(HEAD);
    let graph = file.graph();
    let clash = graph.initializer.iter().any(|w| head(&w.name)) || graph.node.iter().any(|node| head(&node.name));
    if clash { APART } else { "" }
}

/// Adds a file's network to a graph, fed by the data's features as input `x`. With it comes the value that the recipe's layers go on from.
///
/// # Errors
/// Inputs that the data do not fit or that nothing feeds, names that the file does not have, and what the importer refuses.
pub fn graft(
    graph: &Graph,
    source: &Source,
    model: &ModelSection,
    loss: &AnyLoss,
    schema: &Schema,
    document: &Document,
) -> Result<(Graft, Node)> {
    let (file, prefix) = (&source.file, prefix(&source.file));
    let at = |key: &str, problem: String, label: &str, help: &str| -> Failure {
        RecipeError::at_path(document, key, problem, label, help).into()
    };
    let specs = inputs::inputs(file);
    let fed = fed(&specs, model).map_err(|(key, problem, help)| at(key, problem, "here", &help))?;
    let whole = fed.kind.is_some_and(|kind| !kind.is_float());
    if schema.text.is_some() && !whole {
        let problem = format!(
            "the data are texts, which are ids of words, but the input `{}` of {} takes real numbers",
            fed.name, file.name
        );
        return Err(at(
            "model.onnx",
            problem,
            "takes real numbers",
            "give data of numbers, or a network that takes ids",
        ));
    }
    let x = match &schema.text {
        Some(text) => graph.index_input("x", &schema.features).with_ids(text.vocabulary()),
        None if whole => graph.index_input("x", &schema.features),
        None => graph.input("x", &schema.features),
    };
    let mut notes = vec![];
    let edge = match fed.sample() {
        None => Edge::Direct,
        Some(wanted) => Edge::between(&schema.features, wanted).ok_or_else(|| misfit(document, file, fed, schema))?,
    };
    notes.extend(edge.describe(&schema.features));
    let mut feeds = BTreeMap::from([(fed.name.clone(), edge.apply(&x))]);
    for (name, value) in &model.bind {
        let spec = specs.iter().find(|spec| spec.name == *name && spec.name != fed.name).ok_or_else(|| {
            let others: Vec<&str> = specs.iter().map(|s| s.name.as_str()).filter(|n| *n != fed.name).collect();
            let problem = format!("`model.bind` names `{name}`, which is no further input of {}", file.name);
            at("model.bind", problem, "no such input", &known("its further inputs", name, &others))
        })?;
        let node = bound(graph, spec, value).map_err(|(problem, help)| {
            at(&format!("model.bind.{name}"), format!("`model.bind.{name}` {problem}"), "here", &help)
        })?;
        feeds.insert(name.clone(), node);
    }
    let given: Vec<String> = inputs::outputs(file).into_iter().map(|output| output.name).collect();
    let output = match (&model.output, given.first()) {
        (Some(name), _) => {
            let values = inputs::values(file);
            if !values.contains(&name.as_str()) {
                let problem = format!("`model.output` is `{name}`, which nothing in {} computes", file.name);
                let label = match nearest::meant(name, &values) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => "no such value".to_string(),
                };
                return Err(at("model.output", problem, &label, &known("values, the nearest first", name, &values)));
            }
            name.clone()
        }
        (None, Some(name)) => name.clone(),
        (None, None) => {
            return Err(at("model.onnx", format!("{} has no outputs", file.name), "here", "name one with `output`"));
        }
    };
    let bindings = Bindings {
        outputs: vec![output.clone()],
        prefix: prefix.to_string(),
        weights_elsewhere: source.text.is_some(),
        ..Bindings::default()
    };
    let imported = import_into(graph, file, &bindings, &feeds).map_err(|e| with_advice(e, fed))?;
    let mut y = imported.output(0).map_err(|e| e.in_file(&file.name))?;
    if !y.shape().dims().first().is_some_and(|d| matches!(d, Dim::Batch(1))) {
        let problem = format!("`{output}` of {} is {}, without the batch as its first axis", file.name, y.shape());
        let key = if model.output.is_some() { "model.output" } else { "model.onnx" };
        return Err(at(
            key,
            problem,
            "must begin with the batch",
            "write the file with an open batch, or choose another value as `output`",
        ));
    }
    (y, notes) = without_probabilities(graph, y, model, loss, &output, notes)?;
    freeze(graph, &y, model, prefix, file, document)?;
    let structure = match &source.text {
        Some(text) => text.clone(),
        None => STANDARD.encode(structure::of(file, &imported.reader, bindings.limits)?),
    };
    Ok((Graft { structure, layers: imported.layers, output: y.shape(), notes }, y))
}

type Refused = (&'static str, String, String);

/// The input that the data feed; all others must be bound.
fn fed<'s>(specs: &'s [Spec], model: &ModelSection) -> std::result::Result<&'s Spec, Refused> {
    let free: Vec<&Spec> = specs.iter().filter(|spec| !model.bind.contains_key(&spec.name)).collect();
    let names: Vec<&str> = free.iter().map(|spec| spec.name.as_str()).collect();
    let list = |specs: &[&Spec]| specs.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let real: Vec<&&Spec> = free.iter().filter(|spec| spec.kind.is_some_and(Kind::is_float)).collect();
    let chosen = match (&model.input, &free[..], &real[..]) {
        (Some(name), ..) => *free.iter().find(|spec| spec.name == *name).ok_or_else(|| {
            let problem = format!("`model.input` is `{name}`, which is no free input of the network");
            ("model.input", problem, known("its free inputs", name, &names))
        })?,
        (None, [one], _) => *one,
        (None, [], _) => {
            let problem = "no input of the network is left for the data to feed".to_string();
            return Err(("model.onnx", problem, "bind all inputs but one".into()));
        }
        (None, _, [one]) => **one,
        (None, several, _) => {
            let problem = format!("the data feed one input, but the network has several: {}", list(several));
            let help = "name the one that the data feed with `input = \"NAME\"`, and bind the others to constants: `bind = { NAME = 1 }`";
            return Err(("model.onnx", problem, help.into()));
        }
    };
    let others: Vec<&Spec> = free.iter().copied().filter(|spec| spec.name != chosen.name).collect();
    if others.is_empty() {
        return Ok(chosen);
    }
    let problem = format!("the data feed the input `{}`, and nothing feeds {}", chosen.name, list(&others));
    let example: Vec<String> = others.iter().map(|spec| format!("{} = 1", spec.name)).collect();
    let help = format!("bind these to constants in a recipe, as in [model] bind = {{ {} }}", example.join(", "));
    Err(("model.onnx", problem, help))
}

/// The error for data that do not fit.
fn misfit(document: &Document, file: &ModelFile, fed: &Spec, schema: &Schema) -> Failure {
    let wanted: Vec<String> = fed.sample().unwrap_or_default().iter().map(Size::to_string).collect();
    let problem = format!(
        "the data do not fit the input `{}` of {}: it takes samples of shape [{}], and the data's are {:?}",
        fed.name,
        file.name,
        wanted.join(", "),
        schema.features
    );
    let help =
        "bring the data into that shape; channels first or last, and flat samples of as many numbers, need nothing";
    RecipeError::at_path(document, "model.onnx", problem, format!("takes [{}]", wanted.join(", ")), help).into()
}

/// An importer's refusal, with advice where a fixed batch is the likely reason.
fn with_advice(error: OnnxError, fed: &Spec) -> OnnxError {
    let batch = fed.sizes.as_ref().and_then(|sizes| sizes.first()).and_then(Size::fixed);
    match batch {
        Some(size) if error.trouble == Trouble::Unsupported && !error.place.starts_with("the whole") => {
            let help = format!(
                "the file is written for a batch of {size}: write it again with an open batch (torch.onnx.export: dynamic_shapes)"
            );
            error.help(help)
        }
        _ => error,
    }
}

/// The value that an input is bound to, in the shape that the input has; or what is wrong and what to do.
fn bound(graph: &Graph, spec: &Spec, value: &toml::Value) -> std::result::Result<Node, (String, String)> {
    let mut numbers = vec![];
    let mut shape = vec![];
    flatten(value, 0, &mut shape, &mut numbers).map_err(|problem| {
        (problem, "give a number, true or false, or lists of these, one within the other".to_string())
    })?;
    let kind = spec.kind.unwrap_or(Kind::F32);
    if !kind.is_float() && numbers.iter().any(|v| v.fract() != 0.0) {
        let problem = format!("has a fraction, but the input takes {}", spec.data_type);
        return Err((problem, "give whole numbers".into()));
    }
    let stated: Vec<Dim> = match &spec.sizes {
        None => shape.iter().map(|&size| Dim::Fixed(size)).collect(),
        Some(sizes) => {
            let axes = sizes.len();
            let own = |axis: usize| (axis + shape.len()).checked_sub(axes).map(|at| shape[at]);
            sizes
                .iter()
                .enumerate()
                .map(|(axis, size)| match (size, own(axis)) {
                    (Size::Fixed(size), _) => Dim::Fixed(*size),
                    (Size::Open(_), Some(size)) if axis > 0 => Dim::Fixed(size),
                    (Size::Open(_), _) => {
                        if axis == 0 {
                            Dim::Batch(1)
                        } else {
                            Dim::Fixed(1)
                        }
                    }
                })
                .collect()
        }
    };
    let wanted = Shape::new(stated);
    if let [number] = numbers[..] {
        return Ok(graph.fill(number, wanted));
    }
    let fits = shape.len() <= wanted.rank()
        && wanted.dims()[wanted.rank() - shape.len()..].iter().zip(&shape).all(|(d, &size)| match d {
            Dim::Fixed(wanted) => *wanted == size || size == 1,
            Dim::Batch(_) => size == 1,
        });
    if !fits {
        let problem = format!("has the shape {shape:?}, but the input is {spec}");
        return Err((problem, "give one number for all places, or a list for the axes behind the batch".into()));
    }
    Ok(graph.variable(&format!("bind/{}", spec.name), shape, Values(numbers), Role::Frozen).expand(wanted))
}

/// The numbers of lists within lists, and how long these are.
fn flatten(
    value: &toml::Value,
    depth: usize,
    shape: &mut Vec<usize>,
    numbers: &mut Vec<f64>,
) -> std::result::Result<(), String> {
    match value {
        toml::Value::Integer(number) => numbers.push(*number as f64),
        toml::Value::Float(number) => numbers.push(*number),
        toml::Value::Boolean(yes) => numbers.push(f64::from(u8::from(*yes))),
        toml::Value::Array(list) => {
            match shape.get(depth) {
                None => shape.push(list.len()),
                Some(&length) if length != list.len() => return Err("has lists of different lengths".into()),
                Some(_) => {}
            }
            for entry in list {
                flatten(entry, depth + 1, shape, numbers)?;
            }
            return Ok(());
        }
        other => return Err(format!("is {}, but must be numbers", other.type_str())),
    }
    if depth < shape.len() { Err("has lists of different depths".into()) } else { Ok(()) }
}

/// The logits before probabilities that the loss would make of them once more.
fn without_probabilities(
    graph: &Graph,
    y: Node,
    model: &ModelSection,
    loss: &AnyLoss,
    output: &str,
    mut notes: Vec<String>,
) -> Result<(Node, Vec<String>)> {
    let built = graph.model(&[("y", &y)])?;
    let entry = &built.nodes()[y.id()];
    let name = match entry.op {
        Op::Softmax(_) => "softmax",
        Op::Sigmoid(_) => "sigmoid",
        _ => return Ok((y, notes)),
    };
    let before = graph.node(entry.inputs[0]).filter(|before| before.shape() == y.shape());
    let Some(before) = before else { return Ok((y, notes)) };
    if !model.layers.is_empty() {
        notes.push(format!(
            "the new layers go on from `{output}`, probabilities after a {name}; `output` under [model] can name a value before it"
        ));
        return Ok((y, notes));
    }
    let (extended, outputs) = built.extend();
    let again = loss.predictions(&outputs[0].1).iter().any(|(_, node)| {
        let id = node.id();
        extended.model(&[("p", node)]).is_ok_and(|m| match (&m.nodes()[id].op, &entry.op) {
            (Op::Softmax(_), Op::Softmax(_)) | (Op::Sigmoid(_), Op::Sigmoid(_)) => id != y.id(),
            _ => false,
        })
    });
    if !again {
        return Ok((y, notes));
    }
    notes.push(format!("the {name} at the end is left to the loss `{}`, which takes the values before it", loss.key()));
    Ok((before, notes))
}

/// Freezes what the recipe's patterns choose, and what the output does not depend on.
fn freeze(
    graph: &Graph,
    y: &Node,
    model: &ModelSection,
    prefix: &str,
    file: &ModelFile,
    document: &Document,
) -> Result<()> {
    let needed = graph.variables_of(&[y]);
    graph.freeze(|variable| !needed.contains(&variable.path));
    let variables = graph.variables();
    let stored = |path: &str| {
        let name = path.strip_prefix(prefix).unwrap_or(path);
        file.graph().initializer.iter().any(|w| w.name == name)
    };
    let names: Vec<&str> = variables.iter().map(|v| v.path.as_str()).filter(|path| stored(path)).collect();
    for (i, pattern) in model.freeze.iter().enumerate() {
        let group = Group::new(pattern.clone());
        let chosen = |path: &str| group.fits(path) || path.strip_prefix(prefix).is_some_and(|name| group.fits(name));
        if !names.iter().any(|path| chosen(path)) {
            let problem = format!("`model.freeze.{i}` is `{pattern}`, which fits no weight of {}", file.name);
            let help = format!("{}; `*` stands for any characters, `?` for one", known("its weights", pattern, &names));
            return Err(
                RecipeError::at_path(document, &format!("model.freeze.{i}"), problem, "fits nothing", help).into()
            );
        }
        graph.freeze(|variable| stored(&variable.path) && chosen(&variable.path));
    }
    Ok(())
}

/// `its weights: a, b, c`, the nearest to a name first.
fn known(what: &str, name: &str, names: &[&str]) -> String {
    let sorted = nearest::sorted(name, names);
    if sorted.is_empty() {
        return format!("{what}: none");
    }
    let more = sorted.len().saturating_sub(MOST);
    let mut list: Vec<String> = sorted.iter().take(MOST).map(|name| format!("`{name}`")).collect();
    if more > 0 {
        list.push(format!("and {more} more"));
    }
    format!("{what}: {}", list.join(", "))
}

/// How many numbers are parameters that keep their values.
pub fn frozen(model: &Model) -> usize {
    let chosen =
        |v: &&Variable| v.role == Role::Frozen && !["constants/", "bind/"].iter().any(|p| v.path.starts_with(p));
    model.variables().iter().filter(chosen).map(Variable::len).sum()
}
