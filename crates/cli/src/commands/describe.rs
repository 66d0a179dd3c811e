//! `gradus describe`: layers with shapes, parameters and operations; memory and schedule of the compiled step.

use crate::failure::{Failure, Result};
use crate::materials::{self, Materials};
use crate::network::Network;
use crate::onnx::describe::Description;
use crate::onnx::loaded::is_onnx;
use crate::onnx::{self, Graft};
use crate::recipe::Recipe;
use crate::report::data::LayerRow;
use crate::session::{self, Loaded};
use crate::{console, network};
use clap::Args;
use gradus_graph::{Engine, Model, Request, State, fold};
use gradus_onnx::ModelFile;
use std::path::PathBuf;

/// Show the layers: output shapes, parameters, operations per sample; and the memory of the compiled step
///
/// Operations are those of one sample on its way forward: 2·m·n·k of a product, one for each element of an elementwise
/// function or a sum's input, five for each element of a softmax. Layers that others hold stand below them, a part of their numbers.
/// "Sees" is the receptive field: how many inputs an element of the output depends on along each axis of space or time.
///
/// Of an ONNX file it shows the nodes, what the file takes and gives, and everything that is not supported, without running it.
#[derive(Args, Debug)]
pub struct Describe {
    /// The recipe; or a run folder, a model file, an ONNX file
    recipe: PathBuf,
    /// Set a key of the recipe, as in --set train.epochs=3 or --set model.layers.1.dense.units=64
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Take this of the recipe's `[[variants]]`; otherwise its own settings
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// The shape of an ONNX file's input that leaves sizes open, as in --shape x=batch,3,224,224
    #[arg(long, value_name = "NAME=SIZES")]
    shape: Vec<String>,
    /// Print the compiled step: kernels, shapes and bytes in the order they run
    #[arg(long)]
    plan: bool,
    /// Print the step that predicts instead, with normalisations folded into the products beside them
    #[arg(long)]
    folded: bool,
    /// Print one object of JSON
    #[arg(long)]
    json: bool,
}

impl Describe {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        if is_onnx(&self.recipe) {
            let description = Description::of(&ModelFile::open(&self.recipe)?, &self.shape)?;
            return match self.json {
                true => console::print_json(&description.json()),
                false => console::print(&description.text(aligned, grouped)),
            };
        }
        if !self.shape.is_empty() {
            return Err(Failure::usage("--shape is for ONNX files", "leave it out: a recipe's data have their shape"));
        }
        if self.recipe.is_dir() || self.recipe.extension().is_some_and(|ending| ending == "safetensors") {
            return self.trained();
        }
        let (recipe, document) = Recipe::load_variant(&self.recipe, self.variant.as_deref(), &self.set)?;
        let materials = Materials::load(&recipe, &materials::locator(&self.recipe))?;
        let Network { model, vectors, graft, .. } = network::build(&recipe, &document, &materials)?;
        let rows = network::layer_rows(&recipe, &model, graft.as_ref());
        let trainer = session::trainer(&recipe, &model, &materials.train);
        let step = trainer.step(&materials.train)?;
        let mut engine: Engine<f32> = Engine::new(&step, Request::training(&["data_loss"]))?;
        let batch = recipe.train.batch_size;
        let plan = if self.folded { predicting(&model, batch)? } else { engine.describe(batch)? };
        let (parameters, flops) = (model.parameters(), flops(&rows));
        let memory = engine.memory(batch)?;
        if self.json {
            return console::print_json(&serde_json::json!({
                "name": recipe.name, "layers": rows, "parameters": parameters, "flops": flops, "batch_size": batch,
                "memory": {
                    "arena": memory.arena, "constants": memory.constants, "state": memory.state, "total": memory.total(),
                },
                "plan": if self.plan || self.folded { Some(plan.lines().collect::<Vec<_>>()) } else { None },
            }));
        }
        let mut text = format!("{}\n\n{}\n", recipe.name, table(&model, &rows));
        text += &remarks(&model, graft.as_ref());
        text += &format!(
            "a training step of batch size {batch} works in {}: arena {}, constants {}, state {}\n",
            size(memory.total()),
            size(memory.arena),
            size(memory.constants),
            size(memory.state)
        );
        if let Some(words) = &materials.schema.text {
            text += &format!(
                "texts are {:?} ids of {}: padding, the unknown word, and {} words of the training data\n",
                words.shape(),
                words.vocabulary(),
                words.words.len()
            );
        }
        vectors.iter().for_each(|found| text += &format!("{found}\n"));
        if !recipe.data.augment.is_empty() {
            let steps: Vec<String> = recipe.data.augment.iter().map(ToString::to_string).collect();
            text += &format!("each epoch changes the training pictures: {}\n", steps.join("; "));
        }
        if self.plan || self.folded {
            text += &format!("\n{plan}");
        }
        console::print(&text)
    }
}

impl Describe {
    /// The layers of a run folder's best weights, or of a model file.
    fn trained(&self) -> Result<()> {
        if self.plan || self.folded || !self.set.is_empty() || self.variant.is_some() {
            let help = "give the recipe for these: of a run folder its recipe.toml";
            return Err(Failure::usage("--plan, --folded, --set and --variant are about recipes", help));
        }
        let Loaded { recipe, schema, model, graft, .. } = Loaded::read(&self.recipe)?;
        let rows = network::layer_rows(&recipe, &model, graft.as_ref());
        if self.json {
            return console::print_json(&serde_json::json!({
                "name": recipe.name, "layers": rows, "parameters": model.parameters(), "flops": flops(&rows),
                "classes": schema.classes(),
            }));
        }
        let mut text = format!("{}\n\n{}\n", recipe.name, table(&model, &rows));
        text += &remarks(&model, graft.as_ref());
        if let Some(classes) = schema.classes() {
            text += &format!("classes: {}\n", classes.join(", "));
        }
        console::print(&text)
    }
}

/// Operations of all layers.
fn flops(rows: &[LayerRow]) -> u64 {
    rows.iter().filter(|row| row.depth == 0).map(|row| row.flops).sum()
}

/// The table of layers.
fn table(model: &Model, rows: &[LayerRow]) -> String {
    let input = model.inputs().first().map(|input| input.shape.to_string()).unwrap_or_default();
    let [zero, none] = ["0", ""].map(String::from);
    let mut table = vec![["layer", "kind", "output", "sees", "parameters", "FLOPs/sample"].map(String::from)];
    table.push(["x".into(), "input".into(), input, none.clone(), zero.clone(), zero]);
    for row in rows {
        let name = format!("{}{}", "  ".repeat(row.depth), row.name);
        let (parameters, flops) = (grouped(row.parameters), grouped(row.flops));
        table.push([name, row.kind.clone(), row.output.clone(), row.field.clone(), parameters, flops]);
    }
    let parameters = grouped(model.parameters() as u64);
    table.push(["total".into(), none.clone(), none.clone(), none, parameters, grouped(flops(rows))]);
    aligned(&table)
}

/// What people should know of a network from a file.
fn remarks(model: &Model, graft: Option<&Graft>) -> String {
    let Some(graft) = graft else { return String::new() };
    let frozen = onnx::frozen(model);
    let kept = if frozen == 0 { String::new() } else { format!("{} numbers are frozen\n", grouped(frozen as u64)) };
    graft.notes.iter().map(|note| format!("{note}\n")).chain([kept]).collect()
}

/// The compiled step of the folded model.
fn predicting(model: &Model, batch: usize) -> Result<String> {
    let (folded, _) = fold(model, &State::<f32>::new(model, 0))?;
    Ok(Engine::<f32>::new(&folded, Request::predicting(&[network::OUTPUT]))?.describe(batch)?)
}

/// Columns; the last three to the right, and one without entries left out.
pub(super) fn aligned(rows: &[[String; 6]]) -> String {
    let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
    let filled = |c: usize| rows.iter().skip(1).any(|row| !row[c].is_empty());
    let columns: Vec<(usize, usize)> = (0..6).filter(|&c| filled(c)).map(|c| (c, width(c))).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for &(c, width) in &columns {
            let cell = &row[c];
            line += &if c < 3 { format!("{cell:<width$}  ") } else { format!("{cell:>width$}  ") };
        }
        text += &format!("  {}\n", line.trim_end());
    }
    text
}

/// `109,386`
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1.5 MiB`
pub(super) fn size(bytes: usize) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}
