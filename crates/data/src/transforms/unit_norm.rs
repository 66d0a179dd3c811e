//! Unit norm: `y = x/‖x‖`, each sample by itself; a sample of zeros stays one.
//!
//! There is nothing to fit, and no way back: the length of a sample is lost.

use super::FittedTransform;
use super::scale::On;
use crate::dataset::Dataset;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Scales each sample to length 1.
///
/// ```
/// use gradus_data::{Dataset, Pipeline, Target, Transform, transforms::UnitNorm};
/// use gradus_tensor::Tensor;
/// let x = Tensor::new([2, 2], vec![3.0f32, -4.0, 0.0, 0.0])?;
/// let steps = vec![Transform::UnitNorm(UnitNorm::default())];
/// let (_, data) = Pipeline { steps }.fit_apply(Dataset::new(x, Target::None)?)?;
/// assert_eq!(data.input_values(), [0.6, -0.8, 0.0, 0.0]);
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UnitNorm {
    /// The inputs. The target is refused: a prediction could not be scaled back.
    pub on: On,
    /// What counts as length.
    pub norm: Norm,
}

/// The length of a sample.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Norm {
    /// `√Σx²`.
    #[default]
    L2,
    /// `Σ|x|`.
    L1,
    /// `max |x|`.
    Max,
}

impl UnitNorm {
    pub(super) fn fit(&self) -> Result<FittedTransform, DataError> {
        match self.on {
            On::Inputs => Ok(FittedTransform::UnitNorm(self.clone())),
            On::Target => Err(DataError::Option {
                option: "unit_norm.on",
                received: "\"target\"".to_string(),
                expected:
                    "it must be \"inputs\", since the length of a target is lost and a prediction could not be scaled \
                           back; scale the target with min_max, z_score or robust"
                        .to_string(),
            }),
        }
    }

    pub(super) fn apply(&self, mut data: Dataset) -> Dataset {
        let width = data.feature_len().max(1);
        for row in data.inputs.f32_mut().unwrap_or_default().chunks_exact_mut(width) {
            let numbers = row.iter().map(|&x| f64::from(x));
            let norm = match self.norm {
                Norm::L2 => numbers.map(|x| x * x).sum::<f64>().sqrt(),
                Norm::L1 => numbers.map(f64::abs).sum(),
                Norm::Max => numbers.map(f64::abs).fold(0.0, f64::max),
            };
            if norm != 0.0 {
                row.iter_mut().for_each(|x| *x = (f64::from(*x) / norm) as f32);
            }
        }
        data
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pipeline, Target, Transform};
    use gradus_tensor::Tensor;

    fn pipeline(text: &str) -> Pipeline {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn each_norm() {
        let apply = |norm: &str| {
            let x = Tensor::new([2, 1, 3], vec![1.0f32, -2.0, 5.0, 0.0, 0.0, 0.0]).unwrap();
            let pipeline = pipeline(&format!(r#"[{{ "unit_norm": {{ "norm": "{norm}" }} }}]"#));
            let (fitted, data) = pipeline.fit_apply(Dataset::new(x, Target::None).unwrap()).unwrap();
            let text = serde_json::to_string(&fitted).unwrap();
            assert_eq!(serde_json::from_str::<crate::FittedPipeline>(&text).unwrap(), fitted);
            data.input_values().to_vec()
        };
        assert_eq!(apply("l1"), [0.125, -0.25, 0.625, 0.0, 0.0, 0.0]);
        assert_eq!(apply("max"), [0.2, -0.4, 1.0, 0.0, 0.0, 0.0]);
        let length: f32 = apply("l2").iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-6, "{length}");
    }

    #[test]
    fn no_way_back() {
        let x = Tensor::new([1, 2], vec![3.0f32, 4.0]).unwrap();
        let y = Target::from_values(Tensor::vector(vec![1.0f32]), None).unwrap();
        let data = Dataset::new(x, y).unwrap();
        assert_eq!(
            pipeline(r#"[{ "unit_norm": { "on": "target" } }]"#).fit(&data).unwrap_err().to_string(),
            "unit_norm.on is \"target\": it must be \"inputs\", since the length of a target is lost and a prediction could not \
             be scaled back; scale the target with min_max, z_score or robust"
        );
        let fitted = Pipeline { steps: vec![Transform::UnitNorm(UnitNorm::default())] }.fit(&data).unwrap();
        assert!(!fitted.inputs_come_back());
        assert_eq!(
            fitted.inverse_inputs(&mut [0.6, 0.8], 2).unwrap_err().to_string(),
            "the inputs cannot be scaled back: unit_norm drops the length of each sample; keep a copy of the data as they were"
        );
        let mut values = [5.0];
        fitted.inverse_target(&mut values, 1).unwrap();
        assert_eq!((values, fitted.target_factor(0)), ([5.0], Some(1.0)));
    }
}
