//! Transforms: fitted on the training data, stored with the model, applied to anything, undone for predicted values.
//!
//! ```toml
//! transforms = [ "min_max", { z_score = { on = "target" } }, "one_hot" ]
//! ```
//!
//! | transform | formula | a constant feature | undone |
//! |---|---|---|---|
//! | [`MinMax`] | to the range from `low` to `high` | 0 | yes |
//! | [`ZScore`] | `(x - μ)/σ` | 0 | yes |
//! | [`Robust`] | `(x - median)/(Q₃ - Q₁)` | 0 | yes |
//! | [`MeanAbsolute`] | `(x - μ)/Σ\|x - μ\|` | 0 | yes |
//! | [`UnitNorm`] | `x/‖x‖` of each sample | | no, so not for targets |
//! | [`Log1p`] | `ln(1 + x)` | | yes |
//! | [`OneHot`] | class `k` to a row of 0 with a 1 at `k` | | |
//!
//! The first four are fitted [`Per`] feature, per channel, or over the whole array.

mod log1p;
mod mean_absolute;
mod min_max;
mod one_hot;
mod robust;
mod scale;
mod unit_norm;
mod z_score;

pub use log1p::Log1p;
pub use mean_absolute::MeanAbsolute;
pub use min_max::MinMax;
pub use one_hot::OneHot;
pub use robust::Robust;
pub use scale::{On, Per, Scale};
pub use unit_norm::{Norm, UnitNorm};
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
    /// To median 0 and quartiles at a distance of 1.
    Robust(Robust),
    /// To mean 0 and absolute values that add up to 1.
    MeanAbsolute(MeanAbsolute),
    /// Each sample to length 1.
    UnitNorm(UnitNorm),
    /// To `ln(1 + x)`.
    Log1p(Log1p),
    /// Class labels to rows of 0 and 1.
    OneHot(OneHot),
}

/// One transform with the numbers it took from the training data.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum FittedTransform {
    /// `y = (x - center)·factor + offset`.
    Scale(Scale),
    /// Each sample to length 1.
    UnitNorm(UnitNorm),
    /// To `ln(1 + x)`.
    Log1p(Log1p),
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
    #[serde(deserialize_with = "crate::named::list")]
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
    /// Whether the inputs stay as they are.
    pub fn is_empty_for_inputs(&self) -> bool {
        self.steps.iter().all(|step| match step {
            Transform::MinMax(config) => config.on == On::Target,
            Transform::ZScore(config) => config.on == On::Target,
            Transform::Robust(config) => config.on == On::Target,
            Transform::MeanAbsolute(config) => config.on == On::Target,
            Transform::Log1p(config) => config.on == On::Target,
            Transform::UnitNorm(_) => false,
            Transform::OneHot(_) => true,
        })
    }

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
            step.invert(On::Target, values, width)?;
        }
        Ok(())
    }

    /// Undoes the transforms of inputs, `[N, features…]` row after row with `width` numbers each, in place.
    ///
    /// # Errors
    /// Another width than was fitted, or a transform with no way back: see [`FittedPipeline::inputs_come_back`].
    pub fn inverse_inputs(&self, values: &mut [f32], width: usize) -> Result<(), DataError> {
        for step in self.steps.iter().rev() {
            step.invert(On::Inputs, values, width)?;
        }
        Ok(())
    }

    /// Whether the transforms of inputs can be undone: not so with [`UnitNorm`].
    pub fn inputs_come_back(&self) -> bool {
        !self.steps.iter().any(|step| matches!(step, FittedTransform::UnitNorm(_)))
    }

    /// The slope of target `k` under all its transforms together: an error in scaled units divided by this is one in real units.
    /// `None` where the slope is not the same everywhere, as with [`Log1p`].
    pub fn target_factor(&self, k: usize) -> Option<f64> {
        let slope = |step: &FittedTransform| match step {
            FittedTransform::Scale(scale @ Scale { on: On::Target, .. }) => Some(scale.factor(k)),
            FittedTransform::Log1p(Log1p { on: On::Target }) => None,
            _ => Some(1.0),
        };
        self.steps.iter().map(slope).product()
    }
}

impl Transform {
    /// Takes the numbers it needs from the training data.
    pub fn fit(&self, train: &Dataset) -> Result<FittedTransform, DataError> {
        match self {
            Transform::MinMax(config) => config.fit(train).map(FittedTransform::Scale),
            Transform::ZScore(config) => config.fit(train).map(FittedTransform::Scale),
            Transform::Robust(config) => config.fit(train).map(FittedTransform::Scale),
            Transform::MeanAbsolute(config) => config.fit(train).map(FittedTransform::Scale),
            Transform::UnitNorm(config) => config.fit(),
            Transform::Log1p(config) => numbers(train, config.on).map(|_| FittedTransform::Log1p(config.clone())),
            Transform::OneHot(config) => config.fit(train),
        }
    }
}

impl FittedTransform {
    /// Transforms data, in place where possible.
    pub fn apply(&self, data: Dataset) -> Result<Dataset, DataError> {
        match self {
            FittedTransform::Scale(scale) => scale.apply(data),
            FittedTransform::UnitNorm(config) => Ok(config.apply(data)),
            FittedTransform::Log1p(config) => config.apply(data),
            FittedTransform::OneHot { classes } => one_hot::apply(classes, data),
        }
    }

    /// Undoes the transform in place if it works on `on`.
    fn invert(&self, on: On, values: &mut [f32], width: usize) -> Result<(), DataError> {
        match self {
            FittedTransform::Scale(scale) if scale.on == on => scale.invert(values, width),
            FittedTransform::Log1p(config) if config.on == on => {
                Log1p::invert(values);
                Ok(())
            }
            FittedTransform::UnitNorm(_) if on == On::Inputs => Err(DataError::unfit(
                "the inputs cannot be scaled back: unit_norm drops the length of each sample",
                "keep a copy of the data as they were",
            )),
            _ => Ok(()),
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
