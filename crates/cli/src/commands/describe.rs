//! `gradus describe`: layers with shapes, parameters and operations; memory and schedule of the compiled step.

use super::RecipeArgs;
use crate::failure::Result;
use crate::materials::{self, Materials};
use crate::network::Network;
use crate::session;
use crate::{console, network};
use clap::Args;
use gradus_graph::{Engine, Model, Request, State, fold};

/// Show the layers: output shapes, parameters, operations per sample; and the memory of the compiled step
///
/// Operations are those of one sample on its way forward: 2·m·n·k of a product, one for each element of an elementwise
/// function or a sum's input, five for each element of a softmax. Layers that others hold stand below them, a part of their numbers.
/// "Sees" is the receptive field: how many inputs an element of the output depends on along each axis of space or time.
#[derive(Args, Debug)]
pub struct Describe {
    #[command(flatten)]
    recipe: RecipeArgs,
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
        let (recipe, document) = self.recipe.load()?;
        let materials = Materials::load(&recipe, &materials::locator(&self.recipe.recipe))?;
        let Network { model, vectors, .. } = network::build(&recipe, &document, &materials)?;
        let rows = network::layer_rows(&recipe, &model);
        let trainer = session::trainer(&recipe, &model, &materials.train);
        let step = trainer.step(&materials.train)?;
        let mut engine: Engine<f32> = Engine::new(&step, Request::training(&["data_loss"]))?;
        let batch = recipe.train.batch_size;
        let plan = if self.folded { predicting(&model, batch)? } else { engine.describe(batch)? };
        let outer = || rows.iter().filter(|row| row.depth == 0);
        let (parameters, flops) = (model.parameters(), outer().map(|row| row.flops).sum::<u64>());
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
        let input = model.inputs().first().map(|input| input.shape.to_string()).unwrap_or_default();
        let [zero, none] = ["0", ""].map(String::from);
        let mut table = vec![["layer", "kind", "output", "sees", "parameters", "FLOPs/sample"].map(String::from)];
        table.push(["x".into(), "input".into(), input, none.clone(), zero.clone(), zero]);
        for row in &rows {
            let name = format!("{}{}", "  ".repeat(row.depth), row.name);
            let (parameters, flops) = (grouped(row.parameters), grouped(row.flops));
            table.push([name, row.kind.clone(), row.output.clone(), row.field.clone(), parameters, flops]);
        }
        table.push(["total".into(), none.clone(), none.clone(), none, grouped(parameters as u64), grouped(flops)]);
        let mut text = format!("{}\n\n{}\n", recipe.name, aligned(&table));
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

/// The compiled step of the folded model.
fn predicting(model: &Model, batch: usize) -> Result<String> {
    let (folded, _) = fold(model, &State::<f32>::new(model, 0))?;
    Ok(Engine::<f32>::new(&folded, Request::predicting(&[network::OUTPUT]))?.describe(batch)?)
}

/// Columns; the last three to the right, and one without entries left out.
fn aligned(rows: &[[String; 6]]) -> String {
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
fn grouped(n: u64) -> String {
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
