//! `gradus contour`: paths of optimisers over a surface.

use super::write_text;
use crate::console;
use crate::failure::{Failure, Result};
use crate::recipe::{Document, RecipeError};
use crate::report::contour::{Path, draw};
use crate::report::scale::figure;
use clap::Args;
use gradus_nn::AnyOptimizer;
use gradus_train::Surface;
use serde_json::json;
use std::path::PathBuf;

/// Most steps of a path.
const MOST_STEPS: usize = 100_000;
/// What is drawn where no optimiser is named.
const USUAL: [&str; 4] = ["sgd:lr=0.95", "momentum:lr=0.1", "rmsprop:lr=0.5", "adam:lr=0.5"];

/// Draw the paths of optimisers over a surface of two parameters, as SVG
///
/// The paths are those of the optimisers that train networks, run in double precision on the surface's graph. Surfaces: bowl
/// (z = x²/10 + y²), rosenbrock, beale, saddle (z = x² - y²).
#[derive(Args, Debug)]
pub struct Contour {
    /// The surface
    #[arg(default_value = "bowl")]
    surface: String,
    /// An optimiser with settings, as in --optimizer sgd:lr=0.95 or adam:lr=0.5,beta1=0.8; give several to compare them
    #[arg(long, value_name = "NAME:SETTING=VALUE,…")]
    optimizer: Vec<String>,
    /// Where the paths start
    #[arg(long, value_name = "X,Y", allow_hyphen_values = true)]
    start: Option<String>,
    /// How many steps
    #[arg(long, value_name = "N", default_value_t = 30)]
    steps: usize,
    /// The part to draw
    #[arg(long, value_name = "X0,X1,Y0,Y1", allow_hyphen_values = true)]
    window: Option<String>,
    /// The picture to write
    #[arg(long, value_name = "FILE.svg", default_value = "contour.svg")]
    out: PathBuf,
    /// Print one object of JSON with every point
    #[arg(long)]
    json: bool,
}

impl Contour {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        let known = || Surface::ALL.map(Surface::name).join(", ");
        let surface = Surface::ALL.into_iter().find(|surface| surface.name() == self.surface).ok_or_else(|| {
            Failure::usage(format!("there is no surface `{}`", self.surface), format!("known: {}", known()))
        })?;
        if self.steps == 0 || self.steps > MOST_STEPS {
            return Err(Failure::usage(
                format!("--steps is {}, but must be 1 to {MOST_STEPS}", self.steps),
                "30 show much",
            ));
        }
        let start = match &self.start {
            Some(text) => numbers::<2>("--start", text, "-7,2")?,
            None => surface.start(),
        };
        let window = self.window(surface, start)?;
        let usual = USUAL.map(String::from);
        let texts = if self.optimizer.is_empty() { &usual[..] } else { &self.optimizer[..] };
        let mut paths = vec![];
        for text in texts {
            let points = surface.descend(&*optimizer(text)?, start, self.steps)?;
            let diverged = points.len() <= self.steps;
            paths.push(Path { name: text.clone(), points, diverged });
        }
        write_text(&self.out, &draw(surface, window, &paths), "--out")?;
        if self.json {
            return console::print_json(&as_json(surface, start, &paths));
        }
        let mut text = format!(
            "{} from ({}, {}), {} steps\n\n",
            surface.formula(),
            figure(start[0]),
            figure(start[1]),
            self.steps
        );
        text += &table(surface, &paths);
        text += &format!("\n  picture: {}\n", self.out.display());
        console::print(&text)
    }

    /// The surface's own window, made larger where the start lies outside; or what --window says.
    fn window(&self, surface: Surface, start: [f64; 2]) -> Result<[[f64; 2]; 2]> {
        if let Some(text) = &self.window {
            let [x0, x1, y0, y1] = numbers::<4>("--window", text, "-9,9,-4,4")?;
            if x0 >= x1 || y0 >= y1 {
                let problem = format!("--window {text} is empty");
                return Err(Failure::usage(problem, "write the smaller number first, as in --window -9,9,-4,4"));
            }
            return Ok([[x0, x1], [y0, y1]]);
        }
        let mut window = surface.window();
        for (range, at) in window.iter_mut().zip(start) {
            let margin = 0.08 * (range[1] - range[0]).max((at - range[0]).abs()).max((at - range[1]).abs());
            *range = [range[0].min(at - margin), range[1].max(at + margin)];
        }
        // A start well inside needs no more room.
        let own = surface.window();
        for axis in 0..2 {
            if (own[axis][0]..=own[axis][1]).contains(&start[axis]) {
                window[axis] = own[axis];
            }
        }
        Ok(window)
    }
}

/// `sgd:lr=0.95` as the table of a recipe, read as one.
fn optimizer(text: &str) -> Result<AnyOptimizer> {
    let (name, settings) = text.split_once(':').unwrap_or((text, ""));
    let pairs: Vec<String> =
        settings.split(',').filter(|pair| !pair.trim().is_empty()).map(|pair| pair.replacen('=', " = ", 1)).collect();
    let document = Document::new("--optimizer", &format!("{} = {{ {} }}", name.trim(), pairs.join(", ")), &[]);
    let optimizer: AnyOptimizer = document.parse()?;
    optimizer.check().map_err(|error| RecipeError::setting(&document, optimizer.key(), &error))?;
    Ok(optimizer)
}

/// As many numbers, with commas between them.
fn numbers<const N: usize>(option: &str, text: &str, example: &str) -> Result<[f64; N]> {
    let list: Option<Vec<f64>> =
        text.split(',').map(|part| part.trim().parse().ok().filter(|x: &f64| x.is_finite())).collect();
    list.and_then(|list| list.try_into().ok()).ok_or_else(|| {
        Failure::usage(format!("{option} {text} is not {N} numbers"), format!("write {option} {example}"))
    })
}

fn table(surface: Surface, paths: &[Path]) -> String {
    let mut rows = vec![["optimizer", "steps", "x", "y", "z", "least z"].map(String::from)];
    for path in paths {
        let least = path.points.iter().map(|&point| surface.at(point)).fold(f64::INFINITY, f64::min);
        let steps = path.points.len().saturating_sub(1);
        let [x, y] = path.points.last().copied().unwrap_or_default();
        rows.push(match path.diverged {
            true => [
                path.name.clone(),
                steps.to_string(),
                "–".into(),
                "–".into(),
                format!("diverged in step {}", steps + 1),
                figure(least),
            ],
            false => {
                [path.name.clone(), steps.to_string(), figure(x), figure(y), figure(surface.at([x, y])), figure(least)]
            }
        });
    }
    super::aligned(&rows, &[0])
}

fn as_json(surface: Surface, start: [f64; 2], paths: &[Path]) -> serde_json::Value {
    let path = |path: &Path| {
        json!({
            "optimizer": path.name, "diverged": path.diverged, "points": path.points,
            "values": path.points.iter().map(|&point| console::number(surface.at(point))).collect::<Vec<_>>(),
        })
    };
    json!({ "surface": surface.name(), "start": start, "paths": paths.iter().map(path).collect::<Vec<_>>() })
}
