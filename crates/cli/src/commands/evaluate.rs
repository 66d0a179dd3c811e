//! `gradus evaluate`: loss and metrics of a run's best weights.

use crate::failure::{Failure, Result};
use crate::materials::{self, Materials};
use crate::recipe::Recipe;
use crate::report::tables::{metric_title, metric_value};
use crate::report::terminal;
use crate::session::{self, Loaded};
use crate::{console, network};
use clap::Args;
use gradus_graph::State;
use std::path::PathBuf;

/// Judge the best weights of a run
#[derive(Args, Debug)]
pub struct Evaluate {
    /// The run folder
    run: PathBuf,
    /// Which part of the data: test, valid or train
    #[arg(long, default_value = "test", value_name = "PART")]
    data: String,
    /// Print one object of JSON
    #[arg(long)]
    json: bool,
}

impl Evaluate {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        if !["train", "valid", "test"].contains(&self.data.as_str()) {
            return Err(Failure::usage(
                format!("there is no part `{}` of the data", self.data),
                "choose test, valid or train",
            ));
        }
        let source = self.run.join("recipe.toml");
        if !source.is_file() {
            let problem = format!("there is no run in {}: it has no recipe.toml", self.run.display());
            return Err(Failure::files(problem, "give the folder of a run, such as runs/digits-1"));
        }
        let loaded = Loaded::read(&self.run)?;
        let (recipe, document) = Recipe::load(&source, &[])?;
        let materials = Materials::load(&recipe, &materials::locator(&source))?;
        let model = network::bare(&recipe, &document, &materials.schema, loaded.source.as_ref())?.model;
        let mut state = State::new(&model, recipe.seed);
        state.copy_from(&loaded.state);
        let mut trainer = session::trainer(&recipe, &model, &materials.train);
        let judged =
            session::judge(&mut trainer, &state, materials.part(&self.data)?, &materials.transforms, &self.data)?;
        if self.json {
            let mut value = judged.json();
            if let Some(object) = value.as_object_mut() {
                object.insert("data".into(), self.data.clone().into());
                object.insert("rows".into(), judged.rows.into());
                if let Some(matrix) = &judged.confusion {
                    let rows = (0..matrix.classes())
                        .map(|t| (0..matrix.classes()).map(|p| matrix.count(t, p)).collect::<Vec<_>>());
                    object.insert("confusion".into(), serde_json::json!(rows.collect::<Vec<_>>()));
                    object.insert("classes".into(), serde_json::json!(materials.schema.classes()));
                }
            }
            return console::print_json(&value);
        }
        let mut text = format!("{} on the {} data, {} rows\n", recipe.name, self.data, judged.rows);
        for score in judged.split_scores().scores {
            text += &format!("  {:12} {}\n", metric_title(&score.metric), metric_value(&score.metric, score.value));
        }
        if let (Some(matrix), Some(classes)) = (&judged.confusion, materials.schema.classes()) {
            text += "\n";
            text += &terminal::per_class(matrix, classes, console::width());
        }
        console::print(&text)
    }
}
