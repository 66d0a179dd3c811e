//! Standardisation: `y = (x - μ)/σ` with the population standard deviation; a constant feature maps to 0.

use super::scale::{On, Per, Scale};
use crate::dataset::Dataset;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Scales to mean 0 and standard deviation 1 over the training data.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ZScore {
    /// What to scale.
    pub on: On,
    /// Which numbers share a mean: by default every feature of a table has its own, and a picture has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<Per>,
}

impl ZScore {
    pub(super) fn fit(&self, data: &Dataset) -> Result<Scale, DataError> {
        Scale::fit(data, self.on, self.per, 0.0, |values, again| {
            let (count, sum) = values.fold((0.0, 0.0), |(count, sum), x| (count + 1.0, sum + x));
            let mean = sum / count;
            let (squares, most) = again.fold((0.0, 0f64), |(squares, most), x| {
                let d = x - mean;
                (squares + d * d, if d.is_nan() { f64::NAN } else { most.max(d.abs()) })
            });
            // A constant column's deviations are rounding errors of its mean, not a spread.
            let constant = most <= mean.abs() * 1e-12;
            (mean, if constant { 0.0 } else { 1.0 / (squares / count).sqrt() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pipeline, Target, Transform};
    use gradus_tensor::Tensor;

    #[test]
    fn population_deviation_and_constants() {
        let x = Tensor::new([4, 2], vec![2.0f32, 0.1, 4.0, 0.1, 4.0, 0.1, 6.0, 0.1]).unwrap();
        let data = Dataset::new(x, Target::None).unwrap();
        let (_, data) = Pipeline { steps: vec![Transform::ZScore(ZScore::default())] }.fit_apply(data).unwrap();
        let root = 2f32.sqrt();
        assert_eq!(data.input_values(), [-root, 0.0, 0.0, 0.0, 0.0, 0.0, root, 0.0]);
    }

    #[test]
    fn per_channel() {
        let x = Tensor::new([2, 2, 1, 2], vec![1.0f32, 3.0, 10.0, 30.0, 3.0, 1.0, 30.0, 10.0]).unwrap();
        let data = Dataset::new(x, Target::None).unwrap();
        let steps = vec![Transform::ZScore(ZScore { per: Some(Per::Channel), ..ZScore::default() })];
        let (_, data) = Pipeline { steps }.fit_apply(data).unwrap();
        assert_eq!(data.input_values(), [-1.0, 1.0, -1.0, 1.0, 1.0, -1.0, 1.0, -1.0]);
    }
}
