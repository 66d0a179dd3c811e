//! Whether an exported file, read back, says what the network says: on samples of its data, alone and in a batch.

use crate::exported::{Expected, Exported, LABEL};
use crate::failure::Result;
use crate::recipe::Part;
use crate::session::Loaded;
use gradus_data::{Dataset, Locator, Source, Target, check};
use gradus_graph::{Engine, Kind, Node, Request, State};
use gradus_kernels::Pool;
use gradus_onnx::{Bindings, ModelFile, import};
use gradus_tensor::{Rng, Tensor};
use gradus_train::TrainError;
use std::path::Path;

/// The largest difference, relative to an output's largest value, that counts as rounding.
pub const TOLERANCE: f64 = 1e-5;
/// Samples that are compared.
const ROWS: usize = 64;

/// Samples of the data that the network was made for, raw, and where they are from: the test or validation data's file, else that of the
/// training data, else random numbers.
///
/// # Errors
/// Transforms that do not fit the samples.
pub fn samples(loaded: &Loaded, locator: &Locator) -> Result<(String, Dataset)> {
    let data = &loaded.recipe.data;
    let own = [&data.test, &data.valid].into_iter().filter_map(|part| match part {
        Some(Part::Source(source)) => Some(source),
        _ => None,
    });
    for source in own.chain([&data.train]) {
        if let Some(found) = read(source, loaded, locator) {
            let rows = found.len().min(ROWS);
            let places: Vec<usize> = (0..rows).map(|i| i * found.len() / rows).collect();
            return Ok((format!("{rows} rows of {}", source.name()), found.select(&places)?));
        }
    }
    Ok((format!("{ROWS} rows of random numbers (the recipe's data are not here)"), random(loaded)?))
}

/// The inputs of a source, if they can be read and are sound.
fn read(source: &Source, loaded: &Loaded, locator: &Locator) -> Option<Dataset> {
    let data = source.read_inputs(locator, &loaded.schema).ok()?;
    check::check_part(&data, "input").ok()?;
    loaded.transforms.apply(data.clone()).ok()?;
    (!data.is_empty()).then_some(data)
}

/// Random samples: uniform numbers once transformed, or any words.
fn random(loaded: &Loaded) -> Result<Dataset> {
    let schema = &loaded.schema;
    let mut rng = Rng::new(loaded.recipe.seed, 0, 0);
    let words = schema.text.as_ref().map(|text| u32::try_from(text.vocabulary()).unwrap_or(u32::MAX));
    let number = |rng: &mut Rng| match words {
        Some(words) => rng.below(words) as f32,
        None => rng.uniform() as f32,
    };
    let width = schema.feature_len();
    let mut values: Vec<f32> = (0..ROWS * width).map(|_| number(&mut rng)).collect();
    if words.is_none() && loaded.transforms.inputs_come_back() {
        loaded.transforms.inverse_inputs(&mut values, width)?;
    }
    let shape: Vec<usize> = std::iter::once(ROWS).chain(schema.features.iter().copied()).collect();
    Ok(Dataset::new(Tensor::new(shape, values)?, Target::None)?)
}

/// How far an output of a file is from what it should be.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The output.
    pub output: String,
    /// The largest difference, relative to the output's largest value; of labels the share of wrong ones.
    pub largest: f64,
}

/// Runs a file by the importer, the first sample alone and the others in one batch, and compares each output.
///
/// # Errors
/// A file that cannot be read or run.
pub fn differences(path: &Path, exported: &Exported, expected: &Expected) -> Result<Vec<Difference>> {
    let file = ModelFile::open(path)?;
    let imported = import(&file, &Bindings::default())?;
    let nodes: Vec<Node> =
        (0..imported.outputs.len()).map(|i| imported.output(i)).collect::<gradus_onnx::error::Result<_>>()?;
    let names: Vec<&str> = imported.outputs.iter().map(|(name, _)| name.as_str()).collect();
    let pairs: Vec<(&str, &Node)> = names.iter().copied().zip(&nodes).collect();
    let model = imported.graph.model(&pairs)?;
    let mut engine = Engine::<f32>::new(&model, Request::predicting(&names))?;
    let mut state = State::new(&model, 0);
    let (rows, width) = (expected.input.rows(), expected.input.row_len());
    let input = expected.input.to_f32();
    let mut received: Vec<Vec<f32>> = vec![vec![]; names.len()];
    for part in [0..1, 1..rows] {
        if part.is_empty() {
            continue;
        }
        let values = &input[part.start * width..part.end * width];
        engine.run(&mut state, &[values], part.len(), 1, &Pool::new(1)).map_err(TrainError::from)?;
        for (all, name) in received.iter_mut().zip(&names) {
            all.extend_from_slice(engine.output(name).unwrap_or_default());
        }
    }
    let of = |name: &str| names.iter().position(|n| *n == name).map(|i| &received[i][..]).unwrap_or_default();
    let difference = |(name, want): &(String, Tensor)| {
        let largest = match name.as_str() {
            LABEL => wrong_labels(of(name), &want.to_f32(), &expected.outputs[0].1, exported),
            name => largest(of(name), &want.to_f32()),
        };
        Difference { output: name.clone(), largest }
    };
    Ok(expected.outputs.iter().map(difference).collect())
}

/// The largest difference relative to the largest value that should be; infinite where numbers are missing or not finite alike.
fn largest(received: &[f32], expected: &[f32]) -> f64 {
    if received.len() != expected.len() {
        return f64::INFINITY;
    }
    let scale = expected.iter().filter(|y| y.is_finite()).fold(0f64, |most, &y| most.max(f64::from(y).abs()));
    let error = |(&y, &want): (&f32, &f32)| match y.to_bits() == want.to_bits() || y.is_nan() && want.is_nan() {
        true => 0.0,
        false if y.is_finite() && want.is_finite() => (f64::from(y) - f64::from(want)).abs(),
        false => f64::INFINITY,
    };
    let most = received.iter().zip(expected).map(error).fold(0.0, f64::max);
    if most == 0.0 { 0.0 } else { most / scale.max(f64::MIN_POSITIVE) }
}

/// The share of labels that are wrong, not counting those that two classes share but for rounding.
fn wrong_labels(received: &[f32], expected: &[f32], predicted: &Tensor, exported: &Exported) -> f64 {
    if received.len() != expected.len() {
        return f64::INFINITY;
    }
    let threshold = if exported.predictor.gives_scores() { 0.0 } else { 0.5 };
    let values = predicted.to_f32();
    let scale = values.iter().fold(0f64, |most, &y| most.max(f64::from(y).abs()));
    let rows = values.chunks_exact(predicted.row_len().max(1));
    let wrong = received.iter().zip(expected).zip(rows).filter(|((label, want), row)| {
        let gap = match row {
            [one] => (f64::from(*one) - threshold).abs(),
            several => {
                let of = |label: f32| several.get(label as usize).map_or(f64::NEG_INFINITY, |&y| f64::from(y));
                of(**want) - of(**label)
            }
        };
        label != want && gap > TOLERANCE * scale
    });
    wrong.count() as f64 / expected.len().max(1) as f64
}

/// Writes samples with what the network says of them, as arrays by the names of the input and the outputs.
///
/// # Errors
/// A place that cannot be written.
pub fn write(path: &Path, exported: &Exported, expected: &Expected) -> Result<()> {
    let spec = &exported.model.inputs()[0];
    let input = match spec.kind {
        Kind::Index => {
            let whole: Vec<i64> = expected.input.to_f32().into_iter().map(|id| id as i64).collect();
            Tensor::new(expected.input.shape(), whole)?
        }
        Kind::Real => expected.input.clone(),
    };
    let mut arrays = vec![(spec.name.as_str(), &input)];
    arrays.extend(expected.outputs.iter().map(|(name, values)| (name.as_str(), values)));
    Ok(gradus_tensor::npz::write(path, &arrays, false)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_relative_and_never_hidden() {
        assert_eq!(largest(&[1.0, 200.0], &[1.0, 100.0]), 1.0);
        assert_eq!(largest(&[0.0, f32::NAN], &[0.0, f32::NAN]), 0.0);
        assert_eq!(largest(&[0.0], &[0.0, 1.0]), f64::INFINITY);
        assert_eq!(largest(&[f32::NAN], &[1.0]), f64::INFINITY);
        assert_eq!(largest(&[f32::INFINITY, 1.0], &[2.0, 1.0]), f64::INFINITY);
        assert!(largest(&[1.0 + 1e-6], &[1.0]) < TOLERANCE);
        assert!(largest(&[1e-3], &[0.0]) > TOLERANCE);
    }
}
