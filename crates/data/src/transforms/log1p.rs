//! Logarithm: `y = ln(1 + x)` for x > -1, undone by `eʸ - 1`.
//!
//! For counts, prices and other positive numbers whose sizes differ by orders of magnitude. There is nothing to fit; values at or
//! below -1 are errors.

use super::scale::On;
use crate::check::index_of;
use crate::dataset::{Dataset, Target};
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Takes the logarithm of 1 + x.
///
/// ```
/// use gradus_data::{Dataset, Pipeline, Target, Transform, transforms::Log1p};
/// use gradus_tensor::Tensor;
/// let x = Tensor::new([2, 1], vec![0.0f32, 999.0])?;
/// let steps = vec![Transform::Log1p(Log1p::default())];
/// let (_, data) = Pipeline { steps }.fit_apply(Dataset::new(x, Target::None)?)?;
/// assert_eq!(data.input_values(), [0.0, 1000f32.ln()]);
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log1p {
    /// What to take the logarithm of. Predictions of a target are taken back.
    pub on: On,
}

impl Log1p {
    /// Fails at the first value that has no logarithm. Data without a target stay as they are if the target is meant.
    pub(super) fn apply(&self, mut data: Dataset) -> Result<Dataset, DataError> {
        if self.on == On::Target && matches!(data.target, Target::None) {
            return Ok(data);
        }
        let (values, shape) = super::numbers(&data, self.on)?;
        let width: usize = shape.iter().product();
        if let Some(at) = values.iter().position(|&x| x.is_nan() || x <= -1.0) {
            let (row, feature) = (at / width, at % width);
            let place = match (self.on, data.feature_names(), &data.target) {
                (On::Target, _, Target::Values { names, .. }) => format!("target {:?}", names[feature]),
                (_, Some(names), _) => format!("feature {:?}", names[feature]),
                _ => format!("feature {}", index_of(feature, shape)),
            };
            return Err(DataError::unfit(
                format!("log1p needs values above -1, but {place} of row {row} is {}", values[at]),
                "leave log1p out, or shift the values first, for example with min_max",
            ));
        }
        let tensor = match &mut data.target {
            Target::Values { values, .. } if self.on == On::Target => values,
            _ => &mut data.inputs,
        };
        for x in tensor.f32_mut().unwrap_or_default() {
            *x = f64::from(*x).ln_1p() as f32;
        }
        Ok(data)
    }

    /// `eʸ - 1` in place. What is finite stays so: a prediction too large for `f32` becomes its largest number.
    pub(super) fn invert(values: &mut [f32]) {
        for y in values.iter_mut().filter(|y| y.is_finite()) {
            *y = (f64::from(*y).exp_m1() as f32).min(f32::MAX);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::readers::Embedded;
    use crate::{FittedPipeline, Pipeline};
    use gradus_tensor::Tensor;

    fn pipeline(text: &str) -> Pipeline {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_target_comes_back_through_all_its_transforms() {
        let x = Tensor::new([3, 1], vec![0.0f32; 3]).unwrap();
        let y = Target::from_values(Tensor::vector(vec![0.0f32, 120.0, 450_000.0]), None).unwrap();
        let pipeline = pipeline(r#"[{ "log1p": { "on": "target" } }, { "z_score": { "on": "target" } }]"#);
        let (fitted, data) = pipeline.fit_apply(Dataset::new(x, y).unwrap()).unwrap();
        let stored = serde_json::to_string(&fitted).unwrap();
        let fitted: FittedPipeline = serde_json::from_str(&stored).unwrap();
        let mut values = data.values().unwrap().to_f32();
        fitted.inverse_target(&mut values, 1).unwrap();
        for (found, expected) in values.iter().zip([0.0, 120.0, 450_000.0]) {
            assert!((found - expected).abs() <= 1e-5 * (1.0 + expected), "{values:?}");
        }
        assert_eq!(fitted.target_factor(0), None);
    }

    #[test]
    fn finite_predictions_stay_finite() {
        let mut values = [0.0, -1.0, 100.0, f32::NAN];
        Log1p::invert(&mut values);
        assert_eq!(values[..3], [0.0, (-1f64).exp_m1() as f32, f32::MAX]);
        assert!(values[3].is_nan());
    }

    #[test]
    fn bad_input_is_named() {
        let mut iris = Embedded::Iris.read();
        iris.inputs.f32_mut().unwrap()[7] = -1.0;
        let error = pipeline(r#"[{ "log1p": {} }]"#).fit_apply(iris).unwrap_err().to_string();
        assert_eq!(
            error,
            "log1p needs values above -1, but feature \"petal width (cm)\" of row 1 is -1; leave log1p out, or shift the values \
             first, for example with min_max"
        );
        let x = Tensor::new([2, 1, 2], vec![0.0f32, 0.0, 0.0, f32::NAN]).unwrap();
        let y = Tensor::new([2, 2], vec![1.0f32, 1.0, 1.0, -3.0]).unwrap();
        let data = Dataset::new(x, Target::from_values(y, None).unwrap()).unwrap();
        let error = |text: &str| pipeline(text).fit_apply(data.clone()).unwrap_err().to_string();
        assert!(error(r#"[{ "log1p": {} }]"#).contains("feature [0, 1] of row 1 is NaN"));
        assert!(error(r#"[{ "log1p": { "on": "target" } }]"#).contains("target \"y1\" of row 1 is -3"));
        let labels = pipeline(r#"[{ "log1p": { "on": "target" } }]"#).fit(&Embedded::Iris.read());
        assert!(labels.unwrap_err().to_string().contains("the target is not real numbers"));
    }
}
