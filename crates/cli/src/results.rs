//! What a run leaves behind: the report and the pictures in it.

use crate::failure::Result;
use crate::materials::Materials;
use crate::network::{self, OUTPUT};
use crate::recipe::{self, Recipe};
use crate::report::ReportData;
use crate::report::data::{Curve, Evaluation, Picture, Point, Summary, Verdict};
use crate::session::{self, Judgement};
use gradus_data::{DataError, Dataset, FittedTransform, Target};
use gradus_graph::{Model, State};
use gradus_train::{Outcome, Predictor, Record, Scores, Trainer};

/// More points than this are not to be told apart on a page.
const MOST_POINTS: usize = 600;
/// Cells of a picture from left to right and from bottom to top.
const CELLS: usize = 120;
/// Most data points in a picture.
const MOST_DOTS: usize = 2000;

/// Everything that the report shows.
///
/// # Errors
/// Predictions that fail.
pub fn report(
    recipe: &Recipe,
    model: &Model,
    materials: &Materials,
    outcome: &Outcome,
    judgements: &[Judgement],
    trainer: &Trainer<'_>,
    environment: Vec<(String, String)>,
) -> Result<ReportData> {
    let factor = session::common_factor(&materials.transforms, materials.train.target());
    let shown =
        judgements.iter().find(|j| j.split == "test").or_else(|| judgements.iter().find(|j| j.split == "valid"));
    let shown = shown.or_else(|| judgements.first());
    let evaluation = shown.and_then(|judgement| match (&judgement.confusion, materials.schema.classes()) {
        (Some(matrix), Some(classes)) => {
            let (split, names) = (judgement.split.clone(), classes.to_vec());
            Some(Evaluation::Classes { split, names, matrix: matrix.clone() })
        }
        _ if judgement.values.is_empty() => None,
        _ => Some(Evaluation::Values { split: judgement.split.clone(), targets: judgement.values.clone() }),
    });
    Ok(ReportData {
        title: recipe.name.clone(),
        description: recipe.description.clone(),
        summary: Summary {
            splits: judgements.iter().map(Judgement::split_scores).collect(),
            stopped_by: outcome.stopped_by.clone(),
            epochs: outcome.epochs,
            retrained: String::new(),
            best_epoch: outcome.best.as_ref().map(|best| best.epoch),
            steps: outcome.steps,
            seconds: outcome.seconds,
            parameters: model.parameters() as u64,
            seed: recipe.seed,
            version: env!("CARGO_PKG_VERSION").into(),
        },
        verdict: None,
        curves: curves(&outcome.history, factor),
        evaluation,
        picture: picture(materials, trainer, &outcome.state)?,
        layers: network::layer_rows(recipe, model, None),
        recipe: recipe::render(recipe),
        environment,
    })
}

/// How well a run fits, for the report.
pub fn verdict(verdict: &gradus_train::verdict::Verdict, retrained: bool) -> Verdict {
    let before = if retrained { ", before it was retrained" } else { "" };
    let headline = format!("{}{before}", verdict.headline());
    Verdict { headline, reasons: verdict.reasons.clone(), advice: verdict.advice() }
}

/// How well a run fits, for machines.
pub fn verdict_json(verdict: &gradus_train::verdict::Verdict) -> serde_json::Value {
    let evidence = &verdict.evidence;
    let number = crate::console::number;
    serde_json::json!({
        "verdict": verdict.headline(), "under_fit": verdict.under_fit, "over_fit": verdict.over_fit,
        "over_confident": verdict.over_confident, "measure": evidence.measure, "train_error": number(evidence.train_error),
        "valid_error": evidence.valid_error.map(number), "baseline": evidence.baseline,
        "baseline_error": number(evidence.baseline_error), "reasons": verdict.reasons, "remedies": verdict.remedies,
    })
}

/// Loss and metrics over the epochs; errors in the units of the data.
fn curves(history: &[Record], factor: Option<f64>) -> Vec<Curve> {
    let stride = history.len().div_ceil(MOST_POINTS).max(1);
    let kept: Vec<&Record> = history.iter().rev().step_by(stride).rev().collect();
    let series = |name: &str, part: &dyn Fn(&Record) -> Option<Scores>| -> Vec<Point> {
        let point = |record: &&Record| {
            let value = part(record)?.get(name)?;
            let value = factor.map_or(value, |factor| session::in_units(name, value, factor));
            Some(Point { epoch: record.epoch, value })
        };
        kept.iter().filter_map(point).collect()
    };
    let curve = |name: &&str| Curve {
        metric: (*name).to_string(),
        train: series(name, &|record| Some(record.train.clone())),
        valid: series(name, &|record| record.valid.clone()),
    };
    ["loss", "accuracy", "mae", "r2"].iter().map(curve).filter(|c| !c.train.is_empty() || !c.valid.is_empty()).collect()
}

/// The fitted curve of one feature, or the decision regions of two.
fn picture(materials: &Materials, trainer: &Trainer<'_>, state: &State<f32>) -> Result<Option<Picture>> {
    let train = &materials.train;
    let width = match train.feature_shape() {
        [width @ (1 | 2)] if materials.transforms.inputs_come_back() => *width,
        _ => return Ok(None),
    };
    let names = train.feature_names().unwrap_or_else(|| match width {
        1 => vec!["x".into()],
        _ => vec!["x1".into(), "x2".into()],
    });
    let mut x = train.input_values().to_vec();
    materials.transforms.inverse_inputs(&mut x, width)?;
    let stride = train.len().div_ceil(MOST_DOTS).max(1);
    let rows = (0..train.len()).step_by(stride);
    // A logarithm may not exist below the least value.
    let bounded = materials.transforms.steps.iter().any(|step| matches!(step, FittedTransform::Log1p(_)));
    let range = |k: usize| {
        let column = x.iter().skip(k).step_by(width).map(|&x| f64::from(x));
        let (low, high) = column.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), x| (low.min(x), high.max(x)));
        let margin = ((high - low) * 0.04).max(f64::from(f32::EPSILON));
        [if bounded { low } else { low - margin }, high + margin]
    };
    let mut predictor = trainer.predictor(OUTPUT, state)?;
    match (width, train.target(), materials.schema.classes()) {
        (1, Target::Values { values, names: targets }, None) if targets.len() == 1 => {
            let mut y = values.to_f32();
            materials.transforms.inverse_target(&mut y, 1)?;
            let [low, high] = range(0);
            let grid: Vec<f32> = (0..=400).map(|i| (low + (high - low) * f64::from(i) / 400.0) as f32).collect();
            let Some(mut curve) = predict(materials, &mut predictor, grid.clone(), 1)? else { return Ok(None) };
            materials.transforms.inverse_target(&mut curve, 1)?;
            let pair = |x: f32, y: f32| [f64::from(x), f64::from(y)];
            Ok(Some(Picture::Fit {
                x_name: names[0].clone(),
                y_name: targets[0].clone(),
                data: rows.map(|row| pair(x[row], y[row])).collect(),
                curve: grid.iter().zip(&curve).map(|(&x, &y)| pair(x, y)).collect(),
            }))
        }
        (2, Target::Classes { labels, classes }, _) => {
            let ranges = [range(0), range(1)];
            let centre = |k: usize, i: usize| {
                let [low, high] = ranges[k];
                (low + (high - low) * (i as f64 + 0.5) / CELLS as f64) as f32
            };
            let grid = (0..CELLS * CELLS).flat_map(|cell| [centre(0, cell % CELLS), centre(1, cell / CELLS)]).collect();
            let outputs = predictor.width();
            let Some(predicted) = predict(materials, &mut predictor, grid, 2)? else { return Ok(None) };
            Ok(Some(Picture::Regions {
                x_name: names[0].clone(),
                y_name: names[1].clone(),
                names: classes.clone(),
                x_range: ranges[0],
                y_range: ranges[1],
                columns: CELLS,
                grid: predicted.chunks_exact(outputs).map(|row| predictor.class_of(row)).collect(),
                points: rows
                    .map(|row| (f64::from(x[2 * row]), f64::from(x[2 * row + 1]), labels[row] as usize))
                    .collect(),
            }))
        }
        _ => Ok(None),
    }
}

/// Predictions for inputs in the units of the data; `None` where one of them cannot be transformed.
fn predict(materials: &Materials, predictor: &mut Predictor, rows: Vec<f32>, width: usize) -> Result<Option<Vec<f32>>> {
    let rows = gradus_tensor::Tensor::new([rows.len() / width, width], rows)?;
    match materials.transforms.apply(Dataset::new(rows, Target::None)?) {
        Err(DataError::Unfit { .. }) => Ok(None),
        data => Ok(Some(predictor.predict(data?.input_values())?)),
    }
}
