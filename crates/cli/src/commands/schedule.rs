//! `gradus schedule`: the learning rate over a run, before anything runs.

use super::{RecipeArgs, write_text};
use crate::console;
use crate::failure::{Failure, Result};
use crate::materials::{self, Materials};
use crate::recipe::RecipeError;
use crate::report::chart::{Chart, Line};
use crate::report::scale::{Scale, Spread, bounds, count, epoch, figure};
use crate::report::terminal;
use clap::Args;
use gradus_nn::schedules::{Curve, Per};
use serde_json::json;
use std::path::PathBuf;

/// Of longer runs evenly spread steps are drawn.
const MOST_STEPS: u64 = 20_000;

/// Draw the learning rate over the run, before anything runs
///
/// The rates are computed by the same formulas as in training. What a plateau schedule waits for is not known before: its rate is
/// drawn as if it were never cut.
#[derive(Args, Debug)]
pub struct Schedule {
    #[command(flatten)]
    recipe: RecipeArgs,
    /// Steps in an epoch; otherwise the data are read to count them
    #[arg(long, value_name = "N")]
    steps_per_epoch: Option<u64>,
    /// The picture to write
    #[arg(long, value_name = "FILE.svg", default_value = "schedule.svg")]
    out: PathBuf,
    /// Print one object of JSON
    #[arg(long)]
    json: bool,
}

/// The rate at a step.
struct At {
    step: u64,
    epoch: f64,
    rate: f64,
    momentum: Option<f64>,
}

impl Schedule {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        let (recipe, document) = self.recipe.load()?;
        let per_epoch = match self.steps_per_epoch {
            Some(0) => {
                return Err(Failure::usage(
                    "--steps-per-epoch is 0, but must be at least 1",
                    "leave it out to count them",
                ));
            }
            Some(steps) => steps,
            None => {
                let materials = Materials::load(&recipe, &materials::locator(&self.recipe.recipe))?;
                gradus_data::check::check_training(&materials.train, recipe.train.batch_size)?;
                materials.train.len().div_ceil(recipe.train.batch_size.max(1)) as u64
            }
        };
        let limits = recipe.train.stop.iter().filter_map(|stop| stop.last_step(per_epoch));
        let total = limits.fold(recipe.train.epochs.saturating_mul(per_epoch), u64::min).max(1);
        let (schedule, per) = (&recipe.train.schedule, recipe.train.schedule_per);
        schedule.check().map_err(|error| RecipeError::setting(&document, "train.schedule", &error))?;
        let base = recipe.train.optimizer.lr();
        let mut curve = Curve::new(&**schedule, base, per, per_epoch, Some(total), recipe.seed)?;
        let mut at = |step: u64| {
            let point = curve.at(step);
            At { step, epoch: step as f64 / per_epoch as f64, rate: point.rate, momentum: point.momentum }
        };
        let every = total.div_ceil(MOST_STEPS).max(1);
        let mut line: Vec<At> = (0..total).step_by(every as usize).map(&mut at).collect();
        if line.last().is_some_and(|last| last.step + 1 < total) {
            line.push(at(total - 1));
        }
        let tenths: Vec<At> = (0..=10).map(|i| at(((total - 1) as f64 * f64::from(i) / 10.0).round() as u64)).collect();
        let waits = schedule.plateau().is_some();
        write_text(&self.out, &picture(&recipe.name, schedule.key(), per, &line), "--out")?;
        if self.json {
            let values = |list: &[At]| {
                let one =
                    |at: &At| json!({ "step": at.step, "epoch": at.epoch, "rate": at.rate, "momentum": at.momentum });
                list.iter().map(one).collect::<Vec<_>>()
            };
            let peak = peak(&line).map(|at| at.step);
            return console::print_json(&json!({
                "name": recipe.name, "schedule": schedule.key(), "per": per, "steps_per_epoch": per_epoch, "steps": total,
                "first": tenths[0].rate, "peak": peak.map(|step| at(step).rate), "peak_step": peak, "last": tenths[10].rate,
                "tenths": values(&tenths), "waits": waits,
            }));
        }
        let mut text = format!(
            "{}: {} over {} steps, {} in an epoch\n\n",
            recipe.name,
            schedule.key(),
            count(total),
            count(per_epoch)
        );
        text += &drawing(&line);
        text += &table(&line, &tenths);
        if waits {
            text += "\n  a plateau schedule waits for a watched value: the rate is shown as if it were never cut\n";
        }
        text += &format!("\n  picture: {}\n", self.out.display());
        console::print(&text)
    }
}

/// The first step with the highest rate.
fn peak(line: &[At]) -> Option<&At> {
    line.iter().reduce(|best, at| if at.rate > best.rate { at } else { best })
}

/// From 0, or from a little below the lowest.
fn limits(line: &[At]) -> [f64; 2] {
    let [low, high] = bounds(line.iter().map(|at| at.rate));
    if low < 0.5 * high || low == high {
        [0.0, high * 1.05]
    } else {
        [low - 0.1 * (high - low), high + 0.1 * (high - low)]
    }
}

fn drawing(line: &[At]) -> String {
    let points: Vec<[f64; 2]> = line.iter().map(|at| [at.epoch, at.rate]).collect();
    let last = line.last().map_or(1.0, |at| at.epoch);
    let (x, y) = (Scale::linear([0.0, last], 0.0, 1.0), Scale::linear(limits(line), 0.0, 1.0));
    format!("  learning rate\n{}", terminal::plot(&points, x, y, console::width().saturating_sub(24).min(76), 10))
        .trim_end()
        .to_string()
        + "  epochs\n\n"
}

fn table(line: &[At], tenths: &[At]) -> String {
    let moves = tenths.iter().any(|at| at.momentum.is_some());
    let row = |name: String, at: &At| {
        let momentum = at.momentum.filter(|_| moves).map_or_else(String::new, figure);
        [name, count(at.step + 1), epoch(at.epoch), figure(at.rate), momentum]
    };
    let mut rows = vec![["", "step", "epoch", "rate", if moves { "momentum" } else { "" }].map(String::from)];
    rows.push(row("first".into(), &tenths[0]));
    rows.extend(peak(line).map(|at| row("peak".into(), at)));
    rows.extend((1..10).map(|i| row(format!("{} %", 10 * i), &tenths[i])));
    rows.push(row("last".into(), &tenths[10]));
    super::aligned(&rows, &[0])
}

fn picture(name: &str, key: &str, per: Per, line: &[At]) -> String {
    let per = match per {
        Per::Fraction => "changes in every step",
        Per::Epoch => "changes with every epoch",
        Per::Step => "counts steps",
    };
    Chart {
        title: &format!("{name}: learning rate"),
        subtitle: &format!("{key}, {per}"),
        x: ("epoch", Spread::Linear),
        y: Spread::Linear,
        y_limits: None,
        lines: vec![Line {
            name: "learning rate",
            class: "train",
            pale: false,
            points: line.iter().map(|at| [at.epoch, at.rate]).collect(),
        }],
        marks: vec![],
    }
    .file()
}
