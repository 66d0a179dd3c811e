//! `gradus render`: the recipe with every default filled in.

use super::RecipeArgs;
use crate::console;
use crate::failure::Result;
use crate::recipe;
use clap::Args;

/// Print the recipe with every default filled in
#[derive(Args, Debug)]
pub struct Render {
    #[command(flatten)]
    recipe: RecipeArgs,
}

impl Render {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        let (recipe, _) = self.recipe.load()?;
        console::print(&recipe::render(&recipe))
    }
}
