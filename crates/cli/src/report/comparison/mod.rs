//! The report of a comparison: recipes side by side, over several seeds.
//!
//! [`Comparison`] is plain data; [`page()`] makes one HTML file of it, [`text::summary`] short plain text.

pub mod overlay;
mod page;
pub mod strips;
pub mod tables;
pub mod text;

pub use page::page;

use super::data::Point;
use gradus_metrics::{Direction, Metric};

/// Recipes side by side.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Comparison {
    /// What it is called.
    pub title: String,
    /// One sentence on the task.
    pub description: String,
    /// What the recipes are compared by, such as `accuracy`.
    pub metric: String,
    /// The part of the data that judges: `test` or `valid`.
    pub part: String,
    /// All figures that are told beside it.
    pub metrics: Vec<String>,
    /// The seeds, in their order.
    pub seeds: Vec<u64>,
    /// The confidence of the intervals, such as 0.95.
    pub confidence: f64,
    /// Which test was used and why, what the recipes share, what they may spend: sentences under a heading.
    pub method: Vec<(String, String)>,
    /// What to know before reading the figures.
    pub notes: Vec<String>,
    /// What takes part; the first is what the others are compared with.
    pub recipes: Vec<Compared>,
    /// Machine, threads, time: name and value.
    pub environment: Vec<(String, String)>,
}

/// One of them, over all seeds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compared {
    /// Its name.
    pub name: String,
    /// What it sets otherwise than the first: key, the first's value, its own.
    pub differs: Vec<[String; 3]>,
    /// Its runs, in the order of the seeds.
    pub runs: Vec<RunRow>,
    /// Mean and standard deviation of each metric, in the order of [`Comparison::metrics`].
    pub scores: Vec<(f64, f64)>,
    /// How it compares with the first.
    pub versus: Option<Versus>,
    /// Its weights: means over the runs.
    pub weights: Option<Weights>,
}

/// One run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunRow {
    /// Its seed.
    pub seed: u64,
    /// Its figures in the order of [`Comparison::metrics`]; empty where it did not end as it should.
    pub scores: Vec<f64>,
    /// Why it has no figures, or why it ended.
    pub ended: String,
    /// Whether it diverged.
    pub diverged: bool,
    /// Epochs, steps and seconds of training.
    pub spent: (f64, u64, f64),
    /// The epoch of the weights kept, if not the last.
    pub best_epoch: Option<f64>,
    /// Its folder.
    pub folder: String,
    /// Loss over the epochs: training and validation.
    pub curves: [Vec<Point>; 2],
}

/// A comparison of pairs of runs with the same seed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Versus {
    /// Pairs.
    pub pairs: usize,
    /// The mean difference, this recipe less the first.
    pub mean: f64,
    /// Where the true difference lies, with the confidence of the report.
    pub interval: [f64; 2],
    /// The statistic.
    pub t: f64,
    /// How likely so large a difference is where there is none; NaN where all runs are alike.
    pub p: f64,
    /// As `p`, for the number of comparisons in the report (Holm 1979).
    pub adjusted: f64,
}

/// Weights, means over runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// How many there are.
    pub weights: u64,
    /// The sum of their absolute values.
    pub absolute: f64,
    /// How many are under 1e-2, 1e-4 and 1e-5.
    pub below: [f64; 3],
    /// Each layer's path, weights, L1 and L2 norm.
    pub layers: Vec<(String, u64, f64, f64)>,
}

impl Comparison {
    /// Which way the metric improves.
    pub fn direction(&self) -> Direction {
        self.metric.parse::<Metric>().map_or(Direction::Lower, Metric::direction)
    }

    /// The place of the metric among all.
    pub fn place(&self) -> usize {
        self.metrics.iter().position(|name| *name == self.metric).unwrap_or(0)
    }

    /// The recipe with the best mean, if several have one.
    pub fn best(&self) -> Option<&Compared> {
        let mean = |recipe: &Compared| recipe.scores.get(self.place()).map_or(f64::NAN, |score| score.0);
        let mut best: Option<&Compared> = None;
        for recipe in self.recipes.iter().filter(|recipe| !mean(recipe).is_nan()) {
            if best.is_none_or(|best| self.direction().is_better(mean(recipe), mean(best))) {
                best = Some(recipe);
            }
        }
        best
    }

    /// The values of the metric of a recipe's runs that ended as they should, with their seeds.
    pub fn values<'a>(&self, recipe: &'a Compared) -> impl Iterator<Item = (u64, f64)> + 'a {
        let place = self.place();
        recipe.runs.iter().filter_map(move |run| Some((run.seed, *run.scores.get(place)?)))
    }
}

impl Compared {
    /// Its runs that ended as they should.
    pub fn done(&self) -> impl Iterator<Item = &RunRow> {
        self.runs.iter().filter(|run| !run.scores.is_empty())
    }
}

impl Versus {
    /// What the test says, in one word or a few. `better` is the direction of the metric.
    pub fn verdict(&self, better: Direction) -> &'static str {
        if self.p.is_nan() {
            return if self.mean == 0.0 { "the same" } else { "untested" };
        }
        if self.adjusted >= 0.05 {
            return "no clear difference";
        }
        if better.is_better(self.mean, 0.0) { "better" } else { "worse" }
    }
}
