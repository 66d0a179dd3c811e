//! `gradus gradcheck`: compiled gradients against central differences in double precision.

use super::RecipeArgs;
use crate::failure::{Failure, Result};
use crate::materials::{self, Materials};
use crate::{console, network, session};
use clap::Args;
use gradus_train::GradientCheckOptions;

/// Compare the compiled gradients with central differences in f64, parameter by parameter
///
/// The loss of the first batch at the initial weights is taken. Of large parameters some elements are drawn.
#[derive(Args, Debug)]
pub struct Gradcheck {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// At most this many elements of a parameter
    #[arg(long, default_value_t = 200, value_name = "N")]
    samples: usize,
    /// The largest relative error that passes
    #[arg(long, default_value_t = 1e-7, value_name = "ERROR")]
    tolerance: f64,
    /// Print one object of JSON
    #[arg(long)]
    json: bool,
}

impl Gradcheck {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        if self.samples == 0 || self.tolerance.is_nan() || self.tolerance <= 0.0 {
            return Err(Failure::usage(
                "--samples and --tolerance must be above 0",
                "leave them out to use the usual ones",
            ));
        }
        let (recipe, document) = self.recipe.load()?;
        let materials = Materials::load(&recipe, &materials::locator(&self.recipe.recipe))?;
        let model = network::build(&recipe, &document, &materials)?.model;
        let trainer = session::trainer(&recipe, &model, &materials.train);
        let options = GradientCheckOptions { samples: self.samples, tolerance: self.tolerance, ..Default::default() };
        let check = trainer.gradient_check(&materials.train, options)?;
        if self.json {
            let value = serde_json::to_value(&check).map_err(|e| Failure::usage(e.to_string(), "leave out --json"))?;
            console::print_json(&value)?;
        } else {
            console::print(&format!("{check}\n"))?;
        }
        if check.passed { Ok(()) } else { Err(Failure::Check) }
    }
}
