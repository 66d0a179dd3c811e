//! The commands, one file each.

pub mod check;
pub mod compare;
pub mod contour;
pub mod data;
pub mod describe;
pub mod evaluate;
pub mod explain;
pub mod export;
pub mod gradcheck;
pub mod import;
pub mod inspect;
pub mod lr_find;
pub mod onnx_check;
pub mod predict;
pub mod profile;
pub mod render;
pub mod schedule;
pub mod train;

use crate::failure::{Failure, Result};
use crate::recipe::{Document, Recipe};
use clap::{Args, Parser, Subcommand};
use gradus_kernels::Isa;
use std::path::{Path, PathBuf};

/// Describe a network and its data in one short recipe; train it, judge it, use it.
#[derive(Parser, Debug)]
#[command(name = "gradus", version, arg_required_else_help = true, disable_help_subcommand = true)]
#[command(after_help = "Exit codes: 0 done, 2 usage or recipe, 3 data or files, 4 diverged, 5 a check failed,\n\
    130/143 interrupted or terminated with a checkpoint saved.\n\
    GRADUS_DATA names the folder of data sets; NO_COLOR turns colours off; GRADUS_LOG=debug says more.")]
pub struct Gradus {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Train(train::Train),
    Check(check::Check),
    Evaluate(evaluate::Evaluate),
    Predict(predict::Predict),
    Describe(describe::Describe),
    Render(render::Render),
    Gradcheck(gradcheck::Gradcheck),
    Compare(compare::Compare),
    Inspect(inspect::Inspect),
    Profile(profile::Profile),
    Contour(contour::Contour),
    Schedule(schedule::Schedule),
    LrFind(lr_find::LrFind),
    Export(export::Export),
    OnnxCheck(onnx_check::OnnxCheck),
    Import(import::Import),
    Data(data::Data),
    Explain(explain::Explain),
}

/// A recipe with options.
#[derive(Args, Clone, Debug)]
pub struct RecipeArgs {
    /// The recipe, a TOML file
    pub recipe: PathBuf,
    /// Set a key of the recipe, as in --set train.epochs=3 or --set model.layers.1.dense.units=64
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Take this of the recipe's `[[variants]]`; otherwise its own settings
    #[arg(long, value_name = "NAME")]
    pub variant: Option<String>,
}

impl RecipeArgs {
    /// Reads the recipe.
    ///
    /// # Errors
    /// Whatever is wrong with it.
    pub fn load(&self) -> Result<(Recipe, Document)> {
        Ok(Recipe::load_variant(&self.recipe, self.variant.as_deref(), &self.set)?)
    }
}

impl Gradus {
    /// Does what the command line says.
    ///
    /// # Errors
    /// Whatever goes wrong; see [`Failure::code`](crate::failure::Failure::code) for the exit codes.
    pub fn run(self) -> Result<()> {
        start_log();
        match self.command {
            Command::Train(command) => command.run(),
            Command::Check(command) => command.run(),
            Command::Evaluate(command) => command.run(),
            Command::Predict(command) => command.run(),
            Command::Describe(command) => command.run(),
            Command::Render(command) => command.run(),
            Command::Gradcheck(command) => command.run(),
            Command::Compare(command) => command.run(),
            Command::Inspect(command) => command.run(),
            Command::Profile(command) => command.run(),
            Command::Contour(command) => command.run(),
            Command::Schedule(command) => command.run(),
            Command::LrFind(command) => command.run(),
            Command::Export(command) => command.run(),
            Command::OnnxCheck(command) => command.run(),
            Command::Import(command) => command.run(),
            Command::Data(command) => command.run(),
            Command::Explain(command) => command.run(),
        }
    }
}

/// The instruction set that an option names, or the best one.
pub(crate) fn instruction_set(name: Option<&str>) -> Result<Isa> {
    let Some(name) = name else { return Ok(Isa::detect()) };
    let isa: Isa = name.parse().map_err(|e| Failure::usage(format!("{e}"), "leave it out for the best"))?;
    if !isa.is_available() {
        let known = Isa::available().iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        return Err(Failure::usage(format!("this processor has no {isa}"), format!("it has: {known}")));
    }
    Ok(isa)
}

/// Writes a text file, all or nothing. `option` is what names it on the command line.
pub(crate) fn write_text(path: &Path, text: &str, option: &str) -> Result<()> {
    gradus_tensor::write_atomic(path, |out| std::io::Write::write_all(out, text.as_bytes()))
        .map_err(|e| Failure::files(format!("cannot write {}: {e}", path.display()), format!("give another {option}")))
}

/// Columns, these to the left and the others to the right.
pub(crate) fn aligned<const N: usize>(rows: &[[String; N]], left: &[usize]) -> String {
    let width = |c: usize| rows.iter().map(|row| row[c].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..N).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (c, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            line += &if left.contains(&c) { format!("{cell:<width$}  ") } else { format!("{cell:>width$}  ") };
        }
        text += &format!("  {}\n", line.trim_end());
    }
    text
}

/// Log lines go to standard error: warnings, or what `GRADUS_LOG` asks for.
fn start_log() {
    let level = std::env::var("GRADUS_LOG").ok().and_then(|name| name.parse().ok()).unwrap_or(tracing::Level::WARN);
    let log =
        tracing_subscriber::fmt().with_max_level(level).with_writer(std::io::stderr).with_target(false).without_time();
    log.with_ansi(false).init();
}
