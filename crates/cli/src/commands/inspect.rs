//! `gradus inspect`: what a network's layers give and what gradients come back, at the start and through training.

use crate::failure::{Failure, Result};
use crate::materials::{self, Materials};
use crate::network::Network;
use crate::recipe::{Document, Recipe};
use crate::report::inspect::{self, Inspected, moment, scores};
use crate::report::scale::figure;
use crate::report::terminal;
use crate::{console, network, session};
use clap::Args;
use gradus_graph::State;
use gradus_train::ModelFile;
use gradus_train::inspect::verdict::{self, in_short};
use gradus_train::inspect::{Histogram, InspectOptions, Inspection, LayerSnapshot, Level, Snapshot};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Most steps of a recipe that are trained, unless --epochs says more.
const MOST_STEPS: u64 = 1000;
/// Characters of a histogram.
const BARS: usize = 16;

/// Look into networks: activations and gradients of each layer, dead and saturated units, updates; with a verdict
///
/// A recipe's network is trained for a while and looked at a few times; of a run folder the first and the best weights are looked
/// at. Several recipes, or one with `[[variants]]`, are put side by side. A page of small pictures is written, too.
#[derive(Args, Debug)]
pub struct Inspect {
    /// Recipes, or one run folder
    #[arg(required = true, value_name = "RECIPE|RUN")]
    paths: Vec<PathBuf>,
    /// Set a key of the recipes, as in --set train.epochs=3
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// How long to train, fractions allowed; 0 looks at the first weights only. Otherwise as the recipe says, but at most 1,000 steps
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    epochs: Option<f64>,
    /// When to look, as shares of the training
    #[arg(long, value_name = "SHARES", value_delimiter = ',', default_values_t = [0.0, 0.1, 0.5, 1.0])]
    at: Vec<f64>,
    /// How many training samples to look with
    #[arg(long, value_name = "N", default_value_t = 512)]
    samples: usize,
    /// The page to write; a run's goes into its folder where none is given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print one object of JSON for each network, and write no page unless --out asks for it
    #[arg(long)]
    json: bool,
}

impl Inspect {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        if self.epochs.is_some_and(|epochs| !(0.0..1e9).contains(&epochs)) {
            return Err(Failure::usage("--epochs must be 0 or more", "leave it out for at most 1,000 steps"));
        }
        let run = self.paths.iter().find(|path| path.is_dir());
        let mut seed = 0;
        let mut looked = vec![];
        for path in &self.paths {
            if run.is_some() && self.paths.len() > 1 {
                return Err(Failure::usage("a run folder is looked at alone", "give one run folder, or recipes"));
            }
            let seen = match path.is_dir() {
                true => vec![self.run_folder(path)?],
                false => variants(path, &self.set)?
                    .iter()
                    .map(|variant| self.recipe(path, variant.as_deref()))
                    .collect::<Result<Vec<_>>>()?,
            };
            for (recipe, inspection) in seen {
                if self.json {
                    console::print_json(&as_json(&recipe.name, &inspection))?;
                }
                seed = recipe.seed;
                looked.push(Inspected { name: recipe.name, description: recipe.description, inspection });
            }
        }
        Inspection::share_axes(&mut looked.iter_mut().map(|one| &mut one.inspection).collect::<Vec<_>>());
        let out = match (&self.out, run) {
            (Some(out), _) => Some(out.clone()),
            (None, _) if self.json => None,
            (None, Some(folder)) => Some(folder.join("inspect.html")),
            (None, None) => Some(PathBuf::from("inspect.html")),
        };
        if let Some(out) = &out {
            super::write_text(out, &inspect::page(&looked, seed), "--out")?;
        }
        if self.json {
            return Ok(());
        }
        let mut text = match &looked[..] {
            [one] => in_text(one),
            several => overview(several, console::width()),
        };
        if let Some(out) = out {
            text += &format!("\n  pictures: {}\n", out.display());
        }
        console::print(&text)
    }

    /// Trains a recipe's network and looks at it.
    fn recipe(&self, path: &Path, variant: Option<&str>) -> Result<(Recipe, Inspection)> {
        let (recipe, document) = Recipe::load_variant(path, variant, &self.set)?;
        let materials = Materials::load(&recipe, &materials::locator(path))?;
        let Network { model, layers, .. } = network::build(&recipe, &document, &materials)?;
        let trainer = session::trainer(&recipe, &model, &materials.train);
        let per_epoch = materials.train.len().div_ceil(recipe.train.batch_size.max(1)) as u64;
        let run = recipe.train.epochs.saturating_mul(per_epoch);
        let steps = self.epochs.map_or(run.min(MOST_STEPS), |epochs| (epochs * per_epoch as f64).round() as u64);
        let options = InspectOptions { steps, at: self.at.clone(), samples: self.samples, run: Some(run) };
        let inspection = trainer.inspect(&materials.train, &layers, &options)?;
        Ok((recipe, inspection))
    }

    /// Looks at the weights of a run.
    fn run_folder(&self, folder: &Path) -> Result<(Recipe, Inspection)> {
        let source = folder.join("recipe.toml");
        if !source.is_file() {
            let problem = format!("there is no run in {}: it has no recipe.toml", folder.display());
            return Err(Failure::files(problem, "give a recipe, or the folder of a run, such as runs/digits-1"));
        }
        let (recipe, document) = Recipe::load(&source, &self.set)?;
        let materials = Materials::load(&recipe, &materials::locator(&source))?;
        let best_file = ModelFile::read(&folder.join("best.safetensors"))?;
        let source = session::source_in(&best_file)?;
        let Network { model, layers, .. } = network::bare(&recipe, &document, &materials.schema, source.as_ref())?;
        let trainer = session::trainer(&recipe, &model, &materials.train);
        let (mut initial, mut best) = (State::new(&model, recipe.seed), State::new(&model, recipe.seed));
        let first = folder.join("initial.safetensors");
        if first.is_file() {
            ModelFile::read(&first)?.restore(&mut initial)?;
        }
        best_file.restore(&mut best)?;
        let states = [("first weights", &initial), ("best weights", &best)];
        let inspection = trainer.inspect_states(&materials.train, &layers, &states, self.samples)?;
        Ok((recipe, inspection))
    }
}

/// The variants of a recipe file, itself among them as `None` unless it is left out.
fn variants(path: &Path, sets: &[String]) -> Result<Vec<Option<String>>> {
    let (base, variants) = Document::load(path, sets)?.variants()?;
    let own = variants.is_empty() || base.is_some();
    Ok(own.then_some(None).into_iter().chain(variants.into_iter().map(|variant| Some(variant.name))).collect())
}

fn as_json(name: &str, inspection: &Inspection) -> serde_json::Value {
    let findings = |snapshot: &Snapshot| -> Vec<serde_json::Value> {
        let one = |finding: &verdict::Finding| {
            let mut value = serde_json::to_value(finding).unwrap_or_default();
            if let Some(object) = value.as_object_mut() {
                object.insert("level".into(), json!(finding.level()));
                object.insert("text".into(), finding.to_string().into());
            }
            value
        };
        snapshot.findings().iter().map(one).collect()
    };
    let mut value = serde_json::to_value(inspection).unwrap_or_default();
    let snapshots = value.get_mut("snapshots").and_then(serde_json::Value::as_array_mut);
    for (value, snapshot) in snapshots.into_iter().flatten().zip(&inspection.snapshots) {
        if let Some(object) = value.as_object_mut() {
            object.insert("findings".into(), findings(snapshot).into());
        }
    }
    if let Some(object) = value.as_object_mut() {
        object.insert("name".into(), name.into());
    }
    value
}

/// One network: a table for each look, and what it shows.
fn in_text(one: &Inspected) -> String {
    let inspection = &one.inspection;
    let mut text = format!("{}, looked into with {} training samples\n", one.name, inspection.samples);
    for snapshot in &inspection.snapshots {
        text += &format!("\n{}: {}\n", moment(snapshot), scores(snapshot));
        text += &table(snapshot);
        for finding in snapshot.findings() {
            let mark = match finding.level() {
                Level::Good => '✓',
                Level::Warning => '!',
                Level::Bad => '✗',
            };
            text += &format!("  {mark} {finding}\n");
            if !finding.remedy().is_empty() {
                text += &format!("    try: {}\n", finding.remedy());
            }
        }
    }
    if let Some(snapshot) = inspection.snapshots.first() {
        text += &format!("\n  {}\n", axes(snapshot));
    }
    text + &legend()
}

/// What the columns mean, and from where on something is told.
fn legend() -> String {
    format!(
        "  dead: units that are 0 for every sample; sat.: values beyond 0.05 or 0.95 (sigmoid), ±0.95 (tanh);\n  \
         gradient: its norm for one sample; Δw/w: change of the weight in the next step.\n  \
         Vanishing: first layer's gradient below {} of the last's; exploding: above {} times; collapse: last\n  \
         hidden layer's spread below {} of the first's; saturated: {:.0} % of a layer's values.\n",
        verdict::VANISHING,
        verdict::EXPLODING,
        verdict::COLLAPSING,
        100.0 * verdict::SATURATED
    )
}

/// Over which values the histograms go.
fn axes(snapshot: &Snapshot) -> String {
    let mut seen: Vec<String> = vec![];
    for layer in &snapshot.layers {
        let histogram = &layer.output.histogram;
        let words = format!("{} from {} to {}", layer.activation, in_short(histogram.low), in_short(histogram.high));
        if !seen.contains(&words) {
            seen.push(words);
        }
    }
    if let Some(Histogram { low, high, .. }) = snapshot.layers.first().map(|layer| &layer.gradient.histogram) {
        seen.push(format!("log10 |gradient| from {low} to {high}"));
    }
    format!("histograms: {}", seen.join("; "))
}

fn table(snapshot: &Snapshot) -> String {
    let heads = ["layer", "", "mean", "sd", "dead", "sat.", "values", "gradient", "log10 |gradient|", "Δw/w"];
    let mut rows = vec![heads.map(String::from)];
    for layer in &snapshot.layers {
        let update = snapshot.updates.iter().find(|u| u.path == format!("{}/weight", layer.name)).and_then(|u| u.ratio);
        let saturated = layer.saturated_low + layer.saturated_high;
        rows.push([
            layer.name.clone(),
            layer.activation.clone(),
            in_short(layer.output.mean),
            in_short(layer.output.sd),
            if layer.activation == "identity" { "–".into() } else { format!("{}/{}", layer.dead, layer.units) },
            if gradus_train::inspect::saturation(&layer.activation).is_some() {
                format!("{:.0}%", 100.0 * saturated)
            } else {
                "–".into()
            },
            bars(layer, false),
            in_short(layer.gradient.norm),
            bars(layer, true),
            update.map_or_else(|| "–".into(), in_short),
        ]);
    }
    super::aligned(&rows, &[0, 1, 6, 8])
}

/// A histogram in a line; a blank where nothing lies.
fn bars(layer: &LayerSnapshot, gradients: bool) -> String {
    let shares = &if gradients { &layer.gradient } else { &layer.output }.histogram.shares;
    let each = shares.len().div_ceil(BARS).max(1);
    let mut sums: Vec<f64> = shares.chunks(each).map(|part| part.iter().sum()).collect();
    let histogram = &layer.output.histogram;
    if !gradients && layer.output.zeros > 0.0 {
        let place = (-histogram.low / (histogram.high - histogram.low) * sums.len() as f64) as usize;
        if let Some(sum) = sums.get_mut(place) {
            *sum += layer.output.zeros;
        }
    }
    terminal::bars(&sums)
}

/// Several networks: a line for each and what it shows.
fn overview(looked: &[Inspected], width: usize) -> String {
    let mut rows = vec![["network", "layers", "spread", "gradient", "loss", "", "accuracy", ""].map(String::from)];
    for one in looked {
        let (Some(start), Some(end)) = (one.inspection.snapshots.first(), one.inspection.snapshots.last()) else {
            continue;
        };
        let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "–".into(), in_short);
        let share = |share: Option<f64>| share.map_or_else(|| "–".into(), |share| format!("{:.1}%", 100.0 * share));
        let trained = one.inspection.snapshots.len() > 1;
        let after = |text: String| if trained { format!("→ {text}") } else { String::new() };
        rows.push([
            one.name.clone(),
            start.layers.len().to_string(),
            ratio(start.spread_ratio()),
            ratio(start.gradient_ratio()),
            figure(start.loss),
            after(figure(end.loss)),
            share(start.accuracy),
            after(share(end.accuracy)),
        ]);
    }
    let mut text = super::aligned(&rows, &[0, 5, 7]);
    text += "  spread: last hidden layer's over the first's; gradient: first layer's norm over the last's; both at the start\n";
    for one in looked {
        text += &format!("\n{}\n", one.name);
        let snapshots = &one.inspection.snapshots;
        let ends = [snapshots.first(), snapshots.last().filter(|_| snapshots.len() > 1)];
        for snapshot in ends.into_iter().flatten() {
            let titles: Vec<&str> = snapshot.findings().iter().map(verdict::Finding::title).collect();
            let words = if titles.is_empty() { "nothing odd".into() } else { titles.join(", ") };
            text += &format!("  {:<22} {words}\n", format!("{}:", moment(snapshot)));
        }
        if let Some(start) = snapshots.first() {
            let hidden = &start.layers[..start.layers.len().saturating_sub(1)];
            let room = width.saturating_sub(25) / (BARS + 2);
            let shown: Vec<String> = hidden.iter().map(|layer| bars(layer, false)).collect();
            for part in shown.chunks(room.max(1)) {
                text += format!("  {:<22} {}", "", part.join("  ")).trim_end();
                text += "\n";
            }
        }
    }
    text
}
