//! `gradus lr-find`: the range test of learning rates.

use super::{RecipeArgs, write_text};
use crate::failure::{Failure, Result};
use crate::materials::{self, Materials};
use crate::report::chart::{Chart, Line, Mark};
use crate::report::scale::{Scale, Spread, bounds, figure};
use crate::report::terminal;
use crate::{console, network, session};
use clap::Args;
use gradus_train::{LrFindOptions, LrVerdict};
use std::path::PathBuf;

/// Propose a learning rate: train a copy for some steps while the rate rises, and see where the loss falls
///
/// The rate rises exponentially from --from to --to, by the recipe's own optimiser. It ends early where the running mean of
/// the loss is more than 4 times its lowest. Two rates are read from the smoothed curve: where it falls fastest, and a tenth of
/// where it is lowest; the smaller one is proposed. Where the curve is flat, noisy, or still falls at its end, none is.
#[derive(Args, Debug)]
pub struct LrFind {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// The first rate
    #[arg(long, value_name = "RATE", default_value_t = 1e-7)]
    from: f64,
    /// The last rate
    #[arg(long, value_name = "RATE", default_value_t = 10.0)]
    to: f64,
    /// How many steps: mini-batches
    #[arg(long, value_name = "N", default_value_t = 200)]
    steps: u64,
    /// The picture to write
    #[arg(long, value_name = "FILE.svg", default_value = "lr-find.svg")]
    out: PathBuf,
    /// Print one object of JSON
    #[arg(long)]
    json: bool,
}

impl LrFind {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        if !(self.from > 0.0 && self.to > self.from && self.to.is_finite()) {
            let problem = format!("--from {} --to {} is no rising range of rates above 0", self.from, self.to);
            return Err(Failure::usage(problem, "leave them out for 1e-7 to 10"));
        }
        let (recipe, document) = self.recipe.load()?;
        let materials = Materials::load(&recipe, &materials::locator(&self.recipe.recipe))?;
        let model = network::build(&recipe, &document, &materials)?.model;
        let trainer = session::trainer(&recipe, &model, &materials.train);
        let options = LrFindOptions { low: self.from, high: self.to, steps: self.steps };
        let found = trainer.lr_find(&materials.train, options)?;
        write_text(&self.out, &picture(&recipe.name, &found), "--out")?;
        if self.json {
            let mut value = serde_json::to_value(&found).unwrap_or_default();
            if let Some(object) = value.as_object_mut() {
                object.insert("name".into(), recipe.name.into());
                object.insert("words".into(), found.words().into());
            }
            return console::print_json(&value);
        }
        let rule = recipe.train.optimizer.key();
        let mut text =
            format!("{}: {} steps of {rule} from {:e} to {:e}", recipe.name, found.points.len(), self.from, self.to);
        text +=
            &found.ended_at.map_or_else(|| "\n\n".into(), |lr| format!("; ended at {lr:.2e}, where the loss rose\n\n"));
        text += &drawing(&found);
        let rate = |lr: Option<f64>| lr.map_or_else(|| "–".into(), |lr| format!("{lr:.2e}"));
        text += &format!("\n  steepest descent at        {}\n", rate(found.steepest));
        text += &format!("  a tenth of the lowest's     {}\n", rate(found.tenth));
        match found.proposed {
            Some(lr) => {
                let lr = rounded(lr);
                text += &format!("  proposed                    {lr}  (the smaller one)\n\n  {}\n", found.words());
                text += &format!("  try it: --set train.optimizer.{rule}.lr={lr}\n");
            }
            None => text += &format!("\n  {}\n", found.words().replace("; ", ";\n  ")),
        }
        text += &format!("  picture: {}\n", self.out.display());
        console::print(&text)
    }
}

/// To one or two digits, as people write rates: 0.013, 0.05.
fn rounded(lr: f64) -> f64 {
    format!("{lr:.1e}").parse().unwrap_or(lr)
}

/// From a little below the lowest smoothed loss to a little above the highest before it.
fn limits(found: &gradus_train::LrFind) -> [f64; 2] {
    let smoothed = || found.points.iter().map(|p| p.smoothed);
    let [low, _] = bounds(smoothed());
    let lowest = smoothed().position(|s| s == low).unwrap_or(0);
    let [_, high] = bounds(found.points.iter().take(lowest + 1).map(|p| p.loss));
    let room = 0.25 * (high - low).max(1e-3 * high.abs());
    [low - 0.5 * room, high + room]
}

fn drawing(found: &gradus_train::LrFind) -> String {
    let points: Vec<[f64; 2]> = found.points.iter().map(|p| [p.lr, p.smoothed]).collect();
    if points.len() < 2 {
        return String::new();
    }
    let x = Scale::log([points[0][0], points[points.len() - 1][0]], 0.0, 1.0);
    let y = Scale::linear(limits(found), 0.0, 1.0);
    format!("  loss\n{}", terminal::plot(&points, x, y, console::width().saturating_sub(24).min(76), 12))
}

fn picture(name: &str, found: &gradus_train::LrFind) -> String {
    let line = |value: fn(&gradus_train::LrPoint) -> f64| found.points.iter().map(|p| [p.lr, value(p)]).collect();
    let mut marks = vec![];
    for (lr, words) in [(found.tenth, "lowest / 10"), (found.steepest, "steepest")] {
        if let Some(lr) = lr {
            let main = found.proposed == Some(lr);
            let words = if main {
                format!("{words}: {} (proposed)", rounded(lr))
            } else {
                format!("{words}: {}", figure(rounded(lr)))
            };
            marks.push(Mark { x: lr, words, main });
        }
    }
    marks.sort_by(|a, b| a.x.total_cmp(&b.x));
    let words = found.words();
    Chart {
        title: &format!("{name}: loss over the learning rate"),
        subtitle: match found.verdict {
            LrVerdict::Clear => &words,
            _ => words.split(';').next().unwrap_or_default(),
        },
        x: ("learning rate", Spread::Log),
        y: Spread::Linear,
        y_limits: Some(limits(found)),
        lines: vec![
            Line { name: "mini-batches", class: "train", pale: true, points: line(|p| p.loss) },
            Line { name: "smoothed", class: "valid", pale: false, points: line(|p| p.smoothed) },
        ],
        marks,
    }
    .file()
}
