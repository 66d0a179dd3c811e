//! Min-max scaling: `y = (x - min)/(max - min)·(high - low) + low`; a constant feature maps to 0.

use super::scale::{On, Per, Scale};
use crate::dataset::Dataset;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Scales to the range from `low` to `high`, which the training data fill exactly; other data may fall outside.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MinMax {
    /// What to scale.
    pub on: On,
    /// Which numbers share a range: by default every feature of a table has its own, and a picture has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<Per>,
    /// Where the smallest value goes.
    pub low: f64,
    /// Where the largest value goes.
    pub high: f64,
}

impl Default for MinMax {
    fn default() -> MinMax {
        MinMax { on: On::Inputs, per: None, low: 0.0, high: 1.0 }
    }
}

impl MinMax {
    pub(super) fn fit(&self, data: &Dataset) -> Result<Scale, DataError> {
        let length = self.high - self.low;
        if !(length.is_finite() && length > 0.0) {
            return Err(DataError::Option {
                option: "min_max.high",
                received: self.high.to_string(),
                expected: format!("it must be above `low`, which is {}", self.low),
            });
        }
        Scale::fit(data, self.on, self.per, self.low, |values, _| {
            // Not f64::min and max: they would pass over NaN in silence.
            let (min, max) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| {
                if x.is_nan() {
                    (f64::NAN, f64::NAN)
                } else {
                    (if x < min { x } else { min }, if x > max { x } else { max })
                }
            });
            (min, if max > min || max.is_nan() { length / (max - min) } else { 0.0 })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pipeline, Target, Transform};
    use gradus_tensor::Tensor;

    fn table() -> Dataset {
        let x = Tensor::new([3, 2], vec![1.0f32, 7.0, 2.0, 7.0, 5.0, 7.0]).unwrap();
        let y = Tensor::new([3, 1], vec![100.0f32, 300.0, 200.0]).unwrap();
        Dataset::new(x, Target::from_values(y, None).unwrap()).unwrap()
    }

    #[test]
    fn per_feature_with_a_constant_one() {
        let (_, data) = Pipeline { steps: vec![Transform::MinMax(MinMax::default())] }.fit_apply(table()).unwrap();
        assert_eq!(data.input_values(), [0.0, 0.0, 0.25, 0.0, 1.0, 0.0]);
    }

    #[test]
    fn pictures_share_one_range() {
        let x = Tensor::new([2, 1, 2], vec![0.0f32, 51.0, 102.0, 255.0]).unwrap();
        let data = Dataset::new(x, Target::None).unwrap();
        let (fitted, data) = Pipeline { steps: vec![Transform::MinMax(MinMax::default())] }.fit_apply(data).unwrap();
        assert_eq!(data.input_values(), [0.0, 0.2, 0.4, 1.0]);
        let text = serde_json::to_string(&fitted).unwrap();
        assert_eq!(serde_json::from_str::<crate::FittedPipeline>(&text).unwrap(), fitted);
    }

    #[test]
    fn a_scaled_target_comes_back() {
        let scale = MinMax { on: On::Target, low: -1.0, ..MinMax::default() };
        let (fitted, data) = Pipeline { steps: vec![Transform::MinMax(scale)] }.fit_apply(table()).unwrap();
        let mut values = data.values().unwrap().to_f32();
        assert_eq!(values, [-1.0, 1.0, 0.0]);
        fitted.inverse_target(&mut values, 1).unwrap();
        assert_eq!(values, [100.0, 300.0, 200.0]);
        assert_eq!(fitted.target_factor(0), Some(0.01));
    }

    #[test]
    fn a_constant_feature_is_zero_in_any_range() {
        let steps = vec![Transform::MinMax(MinMax { low: -1.0, ..MinMax::default() })];
        let (fitted, data) = Pipeline { steps }.fit_apply(table()).unwrap();
        let mut values = data.input_values().to_vec();
        assert_eq!(values, [-1.0, 0.0, -0.5, 0.0, 1.0, 0.0]);
        fitted.inverse_inputs(&mut values, 2).unwrap();
        assert_eq!(values, [1.0, 7.0, 2.0, 7.0, 5.0, 7.0]);
    }

    #[test]
    fn per_channel() {
        let x = Tensor::new([2, 2, 1, 2], vec![1.0f32, 3.0, 10.0, 30.0, 5.0, 2.0, 50.0, 20.0]).unwrap();
        let steps = vec![Transform::MinMax(MinMax { per: Some(Per::Channel), ..MinMax::default() })];
        let (_, data) = Pipeline { steps }.fit_apply(Dataset::new(x, Target::None).unwrap()).unwrap();
        assert_eq!(data.input_values(), [0.0, 0.5, 0.0, 0.5, 1.0, 0.25, 1.0, 0.25]);
    }

    #[test]
    fn bad_input() {
        let upside_down = MinMax { high: -1.0, ..MinMax::default() };
        assert_eq!(
            upside_down.fit(&table()).unwrap_err().to_string(),
            "min_max.high is -1: it must be above `low`, which is 0"
        );
        let x = Tensor::new([2, 2], vec![1.0f32, 2.0, 3.0, f32::NAN]).unwrap();
        let error = MinMax::default().fit(&Dataset::new(x, Target::None).unwrap()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "a transform cannot be fitted: feature 1 of sample 1 or near it is not a finite number; remove or fill such values \
             first"
        );
        let (fitted, _) = Pipeline { steps: vec![Transform::MinMax(MinMax::default())] }.fit_apply(table()).unwrap();
        let narrow = Dataset::new(Tensor::new([1, 1], vec![0.0f32]).unwrap(), Target::None).unwrap();
        assert_eq!(
            fitted.apply(narrow).unwrap_err().to_string(),
            "the data do not fit: 2 features a sample, as the transform was fitted to, expected, but 1 a sample received; give \
             data like those the model was trained on"
        );
    }
}
