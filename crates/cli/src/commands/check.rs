//! `gradus check`: is this worth starting? Data, shapes, memory, time, and whether the net learns a handful of samples.

use super::RecipeArgs;
use crate::checks::{self, Finding, Level};
use crate::failure::{Failure, Result};
use crate::materials::{self, Materials};
use crate::{console, network};
use clap::Args;
use gradus_train::OverfitOptions;

/// Check a recipe before a run: its data, its memory and time, and that the net can learn
///
/// The net must learn a handful of samples by heart, with dropout, penalties and schedule off. Samples in two parts of the
/// data, classes without samples, features without scale and the loss at the start are told. Exit code 5 if a check failed.
#[derive(Args, Debug)]
pub struct Check {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// How many samples the net must learn by heart
    #[arg(long, default_value_t = 10, value_name = "N")]
    samples: usize,
    /// In at most this many steps, each on all of these samples
    #[arg(long, default_value_t = 20_000, value_name = "N")]
    steps: u64,
    /// How small their loss must become, as a share of its start
    #[arg(long, default_value_t = 0.1, value_name = "SHARE")]
    share: f64,
    /// Print one object of JSON
    #[arg(long)]
    json: bool,
}

impl Check {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        if self.samples < 2 || self.steps == 0 || !(self.share > 0.0 && self.share < 1.0) {
            return Err(Failure::usage(
                "--samples must be at least 2, --steps at least 1, and --share between 0 and 1",
                "leave them out to use the usual ones",
            ));
        }
        let (recipe, document) = self.recipe.load()?;
        let locator = materials::locator(&self.recipe.recipe);
        let materials = Materials::load(&recipe, &locator)?;
        let model = network::build(&recipe, &document, &materials)?.model;
        let resolved = materials::with_absolute_paths(&recipe, &locator);
        let mut findings = checks::data(&resolved, &materials);
        findings.extend(checks::net(&recipe, &model, &materials)?);
        let options = OverfitOptions {
            samples: self.samples.min(materials.train.len()),
            steps: self.steps,
            share: self.share,
            ..OverfitOptions::default()
        };
        findings.push(checks::overfit(&recipe, &materials, options)?);
        let failed = findings.iter().any(|finding| finding.level == Level::Failed);
        if self.json {
            let list: Vec<_> = findings.iter().map(Finding::json).collect();
            console::print_json(&serde_json::json!({ "name": recipe.name, "passed": !failed, "checks": list }))?;
        } else {
            console::print(&format!("{}\n{}", recipe.name, checks::table(&findings, console::width())))?;
        }
        if failed { Err(Failure::Check) } else { Ok(()) }
    }
}
