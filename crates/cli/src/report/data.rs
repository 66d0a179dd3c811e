//! All that a report is made from, as plain data.
//!
//! Everything but the title may be left empty: a section without data is left out. Not-a-number values are written as
//! `null` and read back as NaN.

use gradus_metrics::ConfusionMatrix;
use serde::{Deserialize, Deserializer, Serialize};

/// A finished (or interrupted) run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReportData {
    /// Name of the recipe.
    pub title: String,
    /// One sentence on the task, if the recipe has one.
    pub description: String,
    /// The figures in short.
    pub summary: Summary,
    /// How well it fits.
    pub verdict: Option<Verdict>,
    /// Loss and metrics over the epochs, in the order they are to be shown.
    pub curves: Vec<Curve>,
    /// The predictions against the truth.
    pub evaluation: Option<Evaluation>,
    /// The learnt function, where it can be drawn.
    pub picture: Option<Picture>,
    /// The network, from input to output.
    pub layers: Vec<LayerRow>,
    /// The resolved recipe, TOML.
    pub recipe: String,
    /// Machine, threads, data fingerprint, …: name and value.
    pub environment: Vec<(String, String)>,
}

/// How well a run fits, in words.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Verdict {
    /// `good fit`, `over-fit`, …
    pub headline: String,
    /// Each comparison with its threshold.
    pub reasons: Vec<String>,
    /// What to try.
    pub advice: Option<String>,
}

/// The run in short.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Summary {
    /// Losses and metrics of the best weights on each part of the data.
    pub splits: Vec<SplitScores>,
    /// Recipe key of the stop condition: `epochs`, `loss_below`, `patience`, …
    pub stopped_by: String,
    /// Epochs trained; a part of one counts as a fraction.
    pub epochs: f64,
    /// How it was trained on all of the data after that, in words; empty if it was not.
    pub retrained: String,
    /// Epoch (from 1, as in the curves) of the weights that were kept.
    pub best_epoch: Option<f64>,
    /// Optimiser steps.
    pub steps: u64,
    /// Wall time of the training.
    pub seconds: f64,
    /// Trainable values.
    pub parameters: u64,
    /// Seed of the run.
    pub seed: u64,
    /// Version of Gradus.
    pub version: String,
}

/// How well the best weights do on one part of the data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SplitScores {
    /// `train`, `valid` or `test`.
    pub split: String,
    /// Rows of it.
    pub rows: u64,
    /// Loss and metrics by their history key: `loss`, `accuracy`, `r2`, …
    pub scores: Vec<Score>,
}

/// One figure.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// `loss` or a metric's name.
    pub metric: String,
    /// Its value; NaN where undefined.
    #[serde(deserialize_with = "null_is_nan")]
    pub value: f64,
}

/// One quantity over the epochs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Curve {
    /// `loss` or a metric's name.
    pub metric: String,
    /// On the training data, one point per check, in ascending order of epoch.
    pub train: Vec<Point>,
    /// On the validation data, one point per check, in ascending order of epoch.
    pub valid: Vec<Point>,
}

/// A value at a moment of the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Epochs trained so far: 1 is the end of the first.
    #[serde(deserialize_with = "null_is_nan")]
    pub epoch: f64,
    /// The value; NaN or infinite leaves a gap.
    #[serde(deserialize_with = "null_is_nan")]
    pub value: f64,
}

/// Predictions against the truth.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evaluation {
    /// Of a classifier.
    Classes {
        /// Which part of the data: `test`, `valid`.
        split: String,
        /// Names of the classes, by index.
        names: Vec<String>,
        /// True against predicted classes.
        matrix: ConfusionMatrix,
    },
    /// Of a regression.
    Values {
        /// Which part of the data: `test`, `valid`.
        split: String,
        /// One per output of the network.
        targets: Vec<Target>,
    },
}

/// One output of a regression, in the units of the data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Target {
    /// Name of the target column.
    pub name: String,
    /// True values: `[n]`.
    #[serde(deserialize_with = "nulls_are_nan")]
    pub truth: Vec<f64>,
    /// Predicted values: `[n]`.
    #[serde(deserialize_with = "nulls_are_nan")]
    pub predicted: Vec<f64>,
}

/// The learnt function, where it can be drawn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Picture {
    /// A regression of one feature.
    Fit {
        /// Name of the feature.
        x_name: String,
        /// Name of the target.
        y_name: String,
        /// The data, `[x, y]` each, in the units of the data.
        data: Vec<[f64; 2]>,
        /// The learnt curve at ascending x.
        curve: Vec<[f64; 2]>,
    },
    /// A classifier of two features.
    Regions {
        /// Name of the first feature, drawn from left to right.
        x_name: String,
        /// Name of the second feature, drawn from bottom to top.
        y_name: String,
        /// Names of the classes, by index.
        names: Vec<String>,
        /// Lowest and highest x of the grid's outer edges.
        x_range: [f64; 2],
        /// Lowest and highest y of the grid's outer edges.
        y_range: [f64; 2],
        /// Cells from left to right.
        columns: usize,
        /// Predicted class of each cell's centre, row by row from the bottom, each row from the left.
        grid: Vec<usize>,
        /// The data: x, y and true class.
        points: Vec<(f64, f64, usize)>,
    },
}

/// One layer of the network.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LayerRow {
    /// Path of the layer: `block1/conv2d`.
    pub name: String,
    /// Its kind and settings in short: `dense 128 relu`.
    pub kind: String,
    /// Shape of its output: `[B, 128]`.
    pub output: String,
    /// Its trainable values.
    pub parameters: u64,
    /// Floating-point operations of the forward pass per sample.
    pub flops: u64,
    /// How many inputs an element of its output sees along each axis of space or time: `7`, `7×5`; empty where that is not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub field: String,
    /// How many layers hold it: its parameters and operations are part of theirs.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub depth: usize,
}

fn is_zero(depth: &usize) -> bool {
    *depth == 0
}

impl ReportData {
    /// The split that stands for the run: `test`, else `valid`, else the last there is.
    pub fn headline(&self) -> Option<&SplitScores> {
        let splits = &self.summary.splits;
        let named = |name: &str| splits.iter().find(|split| split.split == name);
        named("test").or_else(|| named("valid")).or_else(|| splits.last())
    }
}

impl SplitScores {
    /// The value of a metric, if it is there.
    pub fn value(&self, metric: &str) -> Option<f64> {
        self.scores.iter().find(|score| score.metric == metric).map(|score| score.value)
    }
}

fn null_is_nan<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(from)?.unwrap_or(f64::NAN))
}

fn nulls_are_nan<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f64>, D::Error> {
    let values = Vec::<Option<f64>>::deserialize(from)?;
    Ok(values.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}
