//! An ONNX file as a model of ours: a recipe to train on from, how data are read and transformed for it, its network with its weights.

use super::Source;
use crate::failure::{Failure, Result};
use crate::network::{self, Network};
use crate::recipe::{Document, Recipe};
use crate::session::Loaded;
use gradus_data::{FittedPipeline, Schema, TargetSchema};
use gradus_graph::{Op, State};
use gradus_onnx::inputs::{self, Size};
use miette::Diagnostic as _;
use serde::de::DeserializeOwned;
use std::path::Path;

/// Whether a path names an ONNX file.
pub fn is_onnx(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx"))
}

/// What a network's answers mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answers {
    /// One of several classes.
    Classes,
    /// Yes or no.
    Binary,
    /// Numbers.
    Values,
}

impl Answers {
    /// The loss that a recipe trains such a network with.
    fn loss(self) -> &'static str {
        match self {
            Answers::Classes => "cross_entropy",
            Answers::Binary => "binary_cross_entropy",
            Answers::Values => "mse",
        }
    }
}

/// Reads an ONNX file. `sample` is the shape of the samples that it is to be given; without one, the file says.
///
/// Classes, the reading of data and their transforms are taken from the file's metadata (`classes`, `schema`, `transforms`) where it has
/// them, as those that `gradus export` writes do.
///
/// # Errors
/// A file that cannot be read, asks for what is not supported, or does not fit the samples.
pub fn load(path: &Path, sample: Option<&[usize]>) -> Result<Loaded> {
    loaded(path, sample).map_err(|failure| match failure {
        // The recipe is ours: no place in it tells people anything.
        Failure::Recipe(error) => {
            let help = error.help().map(|help| help.to_string()).unwrap_or_default();
            Failure::files(error.to_string(), help)
        }
        other => other,
    })
}

fn loaded(path: &Path, sample: Option<&[usize]>) -> Result<Loaded> {
    let source = Source::open(path)?;
    let text = |key: &str| inputs::text(&source.file, key);
    let schema: Option<Schema> = read(text("schema"), path, "schema")?;
    let transforms: Option<FittedPipeline> = match text("preprocessing") {
        Some("in the graph") => None,
        _ => read(text("transforms"), path, "transforms")?,
    };
    let classes: Option<Vec<String>> = read(text("classes"), path, "classes")?;
    let features = match (&schema, sample) {
        (Some(schema), _) => schema.features.clone(),
        (None, Some(sample)) => sample.to_vec(),
        (None, None) => stated(&source, path)?,
    };
    let plain = Schema { features, columns: None, text: None, target: TargetSchema::None };
    let schema = schema.unwrap_or(plain);

    // What the network answers is known once it is built.
    let first = recipe(path, Answers::Values)?;
    let Network { model, .. } = network::bare(&first.0, &first.1, &schema, Some(&source))?;
    let (_, y) = &model.outputs()[0];
    let width = model.nodes()[*y].shape.len_at(1);
    let rows = model.nodes()[*y].shape.rank() == 2;
    let known = schema.classes().map(<[String]>::to_vec).or(classes);
    let op = &model.nodes()[*y].op;
    let each = matches!(op, Op::Sigmoid(_)) && width > 1;
    let fits = |classes: &Vec<String>| rows && !each && (width == classes.len() || width == 1 && classes.len() == 2);
    let (answers, target) = match known.filter(fits) {
        Some(classes) if width == 1 => (Answers::Binary, TargetSchema::Classes(classes)),
        Some(classes) => (Answers::Classes, TargetSchema::Classes(classes)),
        None if rows && matches!(op, Op::Softmax(_)) => {
            (Answers::Classes, TargetSchema::Classes((0..width).map(|k| k.to_string()).collect()))
        }
        None => (Answers::Values, TargetSchema::Values(names(&source, width))),
    };
    let target = match (answers, &schema.target) {
        (Answers::Values, TargetSchema::Values(own)) if own.len() == width => TargetSchema::Values(own.clone()),
        _ => target,
    };
    let schema = Schema { target, ..schema };
    let (recipe, document) = recipe(path, answers)?;
    let Network { model, graft, .. } = network::bare(&recipe, &document, &schema, Some(&source))?;
    let state = State::new(&model, recipe.seed);
    Ok(Loaded { recipe, schema, transforms: transforms.unwrap_or_default(), model, state, source: Some(source), graft })
}

fn read<T: DeserializeOwned>(text: Option<&str>, path: &Path, key: &str) -> Result<Option<T>> {
    let error = |e: serde_json::Error| {
        let problem = format!("{}: its metadata `{key}` cannot be read: {e}", path.display());
        Failure::files(problem, "write the file again, with `gradus export` or without this entry")
    };
    text.map(serde_json::from_str).transpose().map_err(error)
}

/// The shape of a sample as the file states it.
fn stated(source: &Source, path: &Path) -> Result<Vec<usize>> {
    let specs = inputs::inputs(&source.file);
    let sizes = |sample: &[Size]| sample.iter().map(Size::fixed).collect::<Option<Vec<usize>>>();
    if let [one] = &specs[..]
        && let Some(sizes) = one.sample().and_then(sizes)
    {
        return Ok(if sizes.is_empty() { vec![1] } else { sizes });
    }
    let list: Vec<String> = specs.iter().map(ToString::to_string).collect();
    let problem = format!("{} leaves open what it takes: {}", path.display(), list.join("; "));
    let help = "write a recipe with [model] onnx = \"FILE\" and your data, whose shape then counts; \
        further inputs are bound there with `bind`";
    Err(Failure::files(problem, help))
}

/// Names of the columns of the first output.
fn names(source: &Source, width: usize) -> Vec<String> {
    let output = inputs::outputs(&source.file).into_iter().next().map_or_else(|| "y".to_string(), |output| output.name);
    if width == 1 { vec![output] } else { (0..width).map(|k| format!("{output}_{k}")).collect() }
}

/// The recipe to train on from a file.
fn recipe(path: &Path, answers: Answers) -> Result<(Recipe, Document)> {
    let name = path.file_stem().map_or_else(|| "model".into(), |stem| stem.to_string_lossy().into_owned());
    let document = Document::new(format!("a recipe for {}", path.display()), &start(path, answers, &[]), &[]);
    Ok((Recipe::of(&document, &name)?, document))
}

/// The text of a recipe to train on from a file, with names of weights that could be frozen.
fn start(path: &Path, answers: Answers, weights: &[&str]) -> String {
    let quoted = |text: &str| toml::Value::String(text.to_string()).to_string();
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()).display().to_string();
    let task = if answers == Answers::Values { "values" } else { "classes" };
    let pattern = weights.first().map_or("conv1.*", |name| name);
    format!(
        "# Trains on from {name}. Put your own data in place of data.npz (arrays `data` and `label`), see docs/recipes.md and docs/onnx.md.\n\n\
         name = {stem}\n\n\
         [data]\n\
         train = {{ npz = {{ path = \"data.npz\", task = \"{task}\" }} }}\n\
         valid = {{ fraction = 0.1 }}\n\n\
         [model]\n\
         onnx = {file}\n\
         # freeze = [{pattern}]                          # patterns of weights that keep their values\n\
         # output = \"NAME\"                             # a value inside the network that new layers go on from\n\
         # layers = [ {{ dense = {{ units = 10 }} }} ]    # a new head\n\n\
         [train]\n\
         epochs = 10\n\
         loss = {{ {loss} = {{}} }}\n\
         optimizer = {{ adam = {{ lr = 1e-4 }} }}\n",
        name = path.file_name().map(|n| n.to_string_lossy()).unwrap_or_default(),
        stem = quoted(&path.file_stem().map(|stem| stem.to_string_lossy()).unwrap_or_default()),
        file = quoted(&file),
        pattern = quoted(pattern),
        loss = answers.loss(),
    )
}

/// The text of a recipe to train on from the file of a model that was loaded.
pub fn starting_recipe(path: &Path, loaded: &Loaded) -> String {
    let answers = match loaded.recipe.train.loss.key() {
        "cross_entropy" => Answers::Classes,
        "binary_cross_entropy" => Answers::Binary,
        _ => Answers::Values,
    };
    let weights: Vec<&str> = loaded.model.variables().iter().map(|v| v.path.as_str()).collect();
    start(path, answers, &weights)
}
