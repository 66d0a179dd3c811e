//! `gradus import`: from an ONNX file to a model of ours.

use super::describe::{aligned, grouped};
use crate::console;
use crate::failure::{Failure, Result};
use crate::onnx::{describe::Description, loaded};
use crate::run_folder::RunFolder;
use crate::session;
use clap::Args;
use gradus_onnx::ModelFile;
use gradus_train::ModelFile as Weights;
use std::path::PathBuf;

/// Make a model of an ONNX file: to predict with, to look at, and to train on
///
/// The folder gets the network with its weights (best.safetensors, which `predict` and `describe` take and which does not need the ONNX
/// file any more) and a recipe to train on from it (recipe.toml), in which your data are still to be named.
#[derive(Args, Debug)]
pub struct Import {
    /// The ONNX file
    file: PathBuf,
    /// The folder; runs/NAME-1, runs/NAME-2, … where it is not given
    #[arg(long, value_name = "FOLDER")]
    output: Option<PathBuf>,
    /// Replace what is in the folder
    #[arg(long)]
    overwrite: bool,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

impl Import {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        let file = ModelFile::open(&self.file)?;
        if let Some(folder) = self.output.as_ref().filter(|f| !self.overwrite && f.join("recipe.toml").exists()) {
            let problem = format!("{} holds a recipe and its run already", folder.display());
            return Err(Failure::files(problem, "give another --output, or say --overwrite"));
        }
        if !self.quiet {
            console::print(&Description::of(&file, &[])?.text(aligned, grouped))?;
        }
        let loaded = loaded::load(&self.file, None)?;
        let name = self.file.file_stem().map_or_else(|| "model".into(), |stem| stem.to_string_lossy().into_owned());
        let folder = RunFolder::create(self.output.as_deref(), &name, self.overwrite)?;
        let texts = session::texts(&loaded.recipe, &loaded.schema, &loaded.transforms, loaded.graft.as_ref())?;
        let weights = texts.into_iter().fold(Weights::new(&loaded.state)?, |file, (key, text)| file.with(key, text));
        weights.write(&folder.file("best.safetensors"))?;
        folder.write("recipe.toml", &loaded::starting_recipe(&self.file, &loaded))?;
        if self.quiet {
            return Ok(());
        }
        let notes = loaded.graft.iter().flat_map(|graft| &graft.notes).map(|note| format!("{note}\n"));
        let path = folder.path().display();
        let next = format!(
            "\nwritten: {path}/best.safetensors, for gradus predict {path} --input FILE\n         {path}/recipe.toml, to train on from it with your own data\n"
        );
        console::print(&format!("{}{next}", notes.collect::<String>()))
    }
}
