//! A trained network as a model for other programs: its graph from input to prediction, and what the numbers mean.

use crate::failure::Result;
use crate::network::OUTPUT;
use crate::session::{self, Loaded};
use gradus_data::transforms::{Log1p, On, Scale};
use gradus_data::{Column, FittedTransform, TargetSchema};
use gradus_graph::{Graph, Model, Node, State};
use gradus_nn::losses::{Loss, Task};
use gradus_onnx::OnnxError;
use gradus_onnx::export::{Options, encode};
use gradus_tensor::{Shape, Tensor};
use gradus_train::{Predictor, preprocessing};
use serde_json::json;
use std::collections::BTreeMap;

/// The output with the number of the class.
pub const LABEL: &str = "label";

/// A network with one input as it is exported.
pub struct Exported {
    /// The graph, with outputs of plain names.
    pub model: Model,
    /// Its values.
    pub state: State<f32>,
    /// What runs here, to compare with.
    pub predictor: Predictor,
    /// Whether the transforms of the data are in the graph.
    pub with_preprocessing: bool,
    /// Each output's name and meaning.
    pub outputs: Vec<(String, String)>,
    /// What the numbers of the input are.
    pub units: String,
    /// Text by key that goes into the file.
    pub metadata: BTreeMap<String, String>,
}

impl Exported {
    /// Takes the network that predicts, alone or with the transforms of its data before and behind it.
    ///
    /// # Errors
    /// Transforms that do not fit the network.
    pub fn new(loaded: &Loaded, with_preprocessing: bool) -> Result<Exported> {
        let loss = &loaded.recipe.train.loss;
        let predictor = Predictor::new(&loaded.model, OUTPUT, Some(loss), &loaded.state)?;
        let task = loaded.model.output_shape(OUTPUT).map_or(Task::Values, |y| loss.task(y));
        let graph = Graph::new();
        let input = &predictor.model().inputs()[0];
        let raw = graph.add_input(&input.name, input.shape.clone(), input.kind);
        let x = match with_preprocessing {
            true => graph.scope("preprocessing", || preprocessing::transformed(&loaded.transforms, &raw)),
            false => raw,
        };
        let predicted = graph.include(predictor.model(), &[&x]);
        let mut y = predicted[0].1.clone();
        if with_preprocessing && task == Task::Values {
            y = graph.scope("targets", || preprocessing::in_units(&loaded.transforms, &y));
        }
        let name = match task {
            Task::Classes | Task::Binary => "probabilities",
            Task::Sign => "score",
            Task::Values => "y",
        };
        let mut nodes = vec![(name, y.clone())];
        let mut outputs = vec![(name.to_string(), meaning(loaded, task, &y, with_preprocessing))];
        if with_preprocessing && let Some(label) = label(loaded, &predictor, &y) {
            nodes.push((LABEL, label));
            outputs.push((LABEL.to_string(), "the number of the class in `classes`, from 0".to_string()));
        }
        let nodes: Vec<(&str, &Node)> = nodes.iter().map(|(name, node)| (*name, node)).collect();
        let model = graph.model(&nodes)?;
        let mut state = State::new(&model, predictor.state().seed);
        state.copy_from(predictor.state());
        let units = units(loaded, with_preprocessing);
        let metadata = metadata(loaded, with_preprocessing, &units, &outputs)?;
        Ok(Exported { model, state, predictor, with_preprocessing, outputs, units, metadata })
    }

    /// The bytes of a file for this version of the operators, and its number of nodes.
    ///
    /// # Errors
    /// All layers that cannot be written.
    pub fn file(&self, name: &str, version: i64) -> std::result::Result<(Vec<u8>, usize), OnnxError> {
        let names: Vec<&str> = self.outputs.iter().map(|(name, _)| name.as_str()).collect();
        let options = Options { version, name: name.to_string(), metadata: self.metadata.clone() };
        let written = gradus_onnx::export(&self.model, &self.state, &names, &options)?;
        Ok((encode(&written), written.graph.map_or(0, |graph| graph.node.len())))
    }

    /// What the outputs should be for samples as the data's files have them: each output's name and values.
    ///
    /// # Errors
    /// Samples that do not fit.
    pub fn expected(&mut self, loaded: &Loaded, raw: gradus_data::Dataset) -> Result<Expected> {
        let transformed = loaded.transforms.apply(raw.clone())?;
        let data = if self.with_preprocessing { &raw } else { &transformed };
        let input = data.inputs().clone();
        let width = self.predictor.width();
        let mut predicted = self.predictor.predict(transformed.input_values())?;
        let labels: Vec<i64> = predicted.chunks_exact(width).map(|row| self.predictor.class_of(row) as i64).collect();
        if self.with_preprocessing && self.outputs[0].0 == "y" {
            loaded.transforms.inverse_target(&mut predicted, width)?;
        }
        let rows = input.rows();
        let first = &self.outputs[0].0;
        let shape = self.model.output_shape(first).map_or(vec![rows, width], |shape| shape.at(rows));
        let mut outputs = vec![(first.clone(), Tensor::new(shape, predicted)?)];
        if self.outputs.len() > 1 {
            outputs.push((LABEL.to_string(), Tensor::vector(labels)));
        }
        Ok(Expected { input, outputs })
    }
}

/// Samples as an exported model takes them, and what it should give.
pub struct Expected {
    /// The samples.
    pub input: Tensor,
    /// Each output by name.
    pub outputs: Vec<(String, Tensor)>,
}

/// The number of the class, `[B]`, as `gradus predict` chooses it.
fn label(loaded: &Loaded, predictor: &Predictor, y: &Node) -> Option<Node> {
    let classes = loaded.schema.classes()?.len();
    match predictor.width() {
        1 if classes == 2 => {
            let y = y.reshape(Shape::batched(&[1]));
            let yes = if predictor.gives_scores() { y.gt(0.0) } else { y.ge(0.5) };
            Some(Node::concat(&[&(1.0 - &yes), &yes], -1).argmax(-1).squeeze(-1))
        }
        width if width == classes => Some(y.reshape(Shape::batched(&[width])).argmax(-1).squeeze(-1)),
        _ => None,
    }
}

fn meaning(loaded: &Loaded, task: Task, y: &Node, with_preprocessing: bool) -> String {
    let width = y.shape().len_at(1);
    let classes = loaded.schema.classes().unwrap_or_default();
    match (task, classes) {
        (Task::Sign, [no, yes]) => format!("above 0 says {yes:?}, below {no:?}"),
        (Task::Sign, _) => "above 0 says yes".to_string(),
        (Task::Binary, [_, yes]) if width == 1 => format!("the probability of {yes:?}"),
        (Task::Classes | Task::Binary, _) if width == classes.len() => "one for each of `classes`".to_string(),
        (Task::Classes | Task::Binary, _) => "probabilities".to_string(),
        (Task::Values, _) if !scales(loaded, On::Target) => "in the units of the data".to_string(),
        (Task::Values, _) if with_preprocessing => "in the units of the data".to_string(),
        (Task::Values, _) => "scaled: undo the `transforms` of the target".to_string(),
    }
}

/// Whether a transform works on inputs or targets.
fn scales(loaded: &Loaded, part: On) -> bool {
    loaded.transforms.steps.iter().any(|step| match step {
        FittedTransform::Scale(Scale { on, .. }) | FittedTransform::Log1p(Log1p { on }) => *on == part,
        FittedTransform::UnitNorm(_) => part == On::Inputs,
        FittedTransform::OneHot { .. } => false,
    })
}

fn units(loaded: &Loaded, with_preprocessing: bool) -> String {
    let schema = &loaded.schema;
    let encoded = |column: &Column| column.width() != 1 || column.feature_names()[0] != column.name;
    if schema.text.is_some() {
        return "numbers of words: 0 is padding, 1 an unknown word, 2 the first of `words` in `schema`".to_string();
    }
    let mut text = match with_preprocessing || !scales(loaded, On::Inputs) {
        true => "as the data's files have them".to_string(),
        false => "after the `transforms`, which are not part of the graph".to_string(),
    };
    if schema.columns.iter().flatten().any(encoded) {
        text += "; a category is a 1 in the column of its name and 0 in the others";
    }
    text
}

/// What the axes of the input are.
fn layout(loaded: &Loaded) -> &'static str {
    match (loaded.schema.text.is_some(), loaded.schema.features.len()) {
        (true, 1) => "batch, words",
        (true, _) => "batch, sentences, words",
        (false, 1) => "batch, features",
        (false, 2) => "batch, rows, columns",
        (false, 3) => "batch, channels, rows, columns",
        (false, 4) => "batch, channels, depth, rows, columns",
        (false, _) => "batch, then as in the data",
    }
}

fn metadata(
    loaded: &Loaded,
    with_preprocessing: bool,
    units: &str,
    outputs: &[(String, String)],
) -> Result<BTreeMap<String, String>> {
    let texts = session::texts(&loaded.recipe, &loaded.schema, &loaded.transforms, None)?;
    let mut metadata: BTreeMap<String, String> = texts.into_iter().map(|(key, text)| (key.to_string(), text)).collect();
    let mut add = |key: &str, text: String| metadata.insert(key.to_string(), text);
    add("layout", layout(loaded).to_string());
    add("units", units.to_string());
    add("preprocessing", if with_preprocessing { "in the graph" } else { "not in the graph" }.to_string());
    let meanings: serde_json::Map<_, _> = outputs.iter().map(|(name, text)| (name.clone(), json!(text))).collect();
    add("outputs", serde_json::Value::from(meanings).to_string());
    if let Some(columns) = &loaded.schema.columns {
        let names: Vec<String> = columns.iter().flat_map(Column::feature_names).collect();
        add("features", json!(names).to_string());
    }
    if let TargetSchema::Values(names) = &loaded.schema.target {
        add("targets", json!(names).to_string());
    }
    Ok(metadata)
}
