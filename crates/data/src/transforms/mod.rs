//! Transforms: fitted on the training data, stored with the model, applied to anything, undone for predicted values.
//!
//! ```toml
//! transforms = [ { min_max = {} }, { z_score = { on = "target" } }, { one_hot = {} } ]
//! ```

mod min_max;
mod one_hot;
mod scale;
mod z_score;

pub use min_max::MinMax;
pub use one_hot::OneHot;
pub use scale::{On, Per, Scale};
pub use z_score::ZScore;

use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// One transform, as a recipe writes it.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Transform {
    /// To a range.
    MinMax(MinMax),
    /// To mean 0 and standard deviation 1.
    ZScore(ZScore),
    /// Class labels to rows of 0 and 1.
    OneHot(OneHot),
}

/// One transform with the numbers it took from the training data.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FittedTransform {
    /// `y = (x - center)·factor + offset`.
    Scale(Scale),
    /// Class labels to rows of 0 and 1.
    OneHot {
        /// The classes in the order of the columns.
        classes: Vec<String>,
    },
}

/// Transforms in their order, before they have seen data.
///
/// ```
/// use gradus_data::{Dataset, Pipeline, Target};
/// use gradus_tensor::Tensor;
/// let train = Dataset::new(Tensor::new([3, 1], vec![10.0f32, 20.0, 30.0])?, Target::None)?;
/// let other = Dataset::new(Tensor::new([1, 1], vec![40.0f32])?, Target::None)?;
/// let pipeline: Pipeline = serde_json::from_str(r#"[{ "min_max": {} }]"#).unwrap();
/// let (fitted, train) = pipeline.fit_apply(train)?;
/// assert_eq!(train.input_values(), [0.0, 0.5, 1.0]);
/// assert_eq!(fitted.apply(other)?.input_values(), [1.5]);
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pipeline {
    /// The transforms.
    pub steps: Vec<Transform>,
}

/// Transforms with the numbers they took from the training data. Stored in the model file.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FittedPipeline {
    /// The transforms.
    pub steps: Vec<FittedTransform>,
}

impl Pipeline {
    /// Fits every transform to the data as the ones before it leave them.
    pub fn fit(&self, train: &Dataset) -> Result<FittedPipeline, DataError> {
        match &self.steps[..] {
            [] => Ok(FittedPipeline::default()),
            [only] => Ok(FittedPipeline { steps: vec![only.fit(train)?] }),
            _ => self.fit_apply(train.clone()).map(|(fitted, _)| fitted),
        }
    }

    /// Fits every transform to the data as the ones before it leave them, and gives the transformed data, changed in place.
    pub fn fit_apply(&self, mut train: Dataset) -> Result<(FittedPipeline, Dataset), DataError> {
        let mut fitted = FittedPipeline::default();
        for transform in &self.steps {
            let step = transform.fit(&train)?;
            train = step.apply(train)?;
            fitted.steps.push(step);
        }
        Ok((fitted, train))
    }
}

impl FittedPipeline {
    /// Transforms data, in place where possible. Transforms of a target are left out where there is none.
    pub fn apply(&self, data: Dataset) -> Result<Dataset, DataError> {
        self.steps.iter().try_fold(data, |data, step| step.apply(data))
    }

    /// Undoes the transforms of real-valued targets on predicted `values`, `[N, K]` row after row with `width` = K, in place.
    pub fn inverse_target(&self, values: &mut [f32], width: usize) -> Result<(), DataError> {
        for step in self.steps.iter().rev() {
            if let FittedTransform::Scale(scale @ Scale { on: On::Target, .. }) = step {
                scale.invert(values, width)?;
            }
        }
        Ok(())
    }

    /// Undoes the transforms of inputs, `[N, features…]` row after row with `width` numbers each, in place.
    pub fn inverse_inputs(&self, values: &mut [f32], width: usize) -> Result<(), DataError> {
        for step in self.steps.iter().rev() {
            if let FittedTransform::Scale(scale @ Scale { on: On::Inputs, .. }) = step {
                scale.invert(values, width)?;
            }
        }
        Ok(())
    }

    /// The slope of target `k` under all its scalings together: an error in scaled units divided by this is one in real units.
    pub fn target_factor(&self, k: usize) -> f64 {
        let scales = self.steps.iter().filter_map(|step| match step {
            FittedTransform::Scale(scale @ Scale { on: On::Target, .. }) => Some(scale.factor(k)),
            _ => None,
        });
        scales.product()
    }
}

impl Transform {
    /// Takes the numbers it needs from the training data.
    pub fn fit(&self, train: &Dataset) -> Result<FittedTransform, DataError> {
        match self {
            Transform::MinMax(config) => config.fit(train).map(FittedTransform::Scale),
            Transform::ZScore(config) => config.fit(train).map(FittedTransform::Scale),
            Transform::OneHot(config) => config.fit(train),
        }
    }
}

impl FittedTransform {
    /// Transforms data, in place where possible.
    pub fn apply(&self, data: Dataset) -> Result<Dataset, DataError> {
        match self {
            FittedTransform::Scale(scale) => scale.apply(data),
            FittedTransform::OneHot { classes } => one_hot::apply(classes, data),
        }
    }
}

/// The numbers that a transform works on: `(values, numbers per row, shape of a row)`.
fn numbers(data: &Dataset, on: On) -> Result<(&[f32], &[usize]), DataError> {
    match (on, data.target()) {
        (On::Inputs, _) => Ok((data.input_values(), data.feature_shape())),
        (On::Target, Target::Values { values, .. }) => Ok((values.slice().unwrap_or_default(), &values.shape()[1..])),
        (On::Target, _) => Err(DataError::unfit(
            "a transform is to scale the target, but the target is not real numbers",
            "leave out `on = \"target\"`, or say task = \"values\" where the data are read",
        )),
    }
}
