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
            let spread = mean_and_spread(values, again, |d| d * d);
            (spread.mean, if spread.constant { 0.0 } else { 1.0 / (spread.sum / spread.count).sqrt() })
        })
    }
}

/// The mean of some numbers, and how far they are from it.
pub(super) struct Spread {
    pub count: f64,
    pub mean: f64,
    /// The sum of a function of the deviations from the mean.
    pub sum: f64,
    /// Whether all numbers are the same.
    pub constant: bool,
}

/// Takes the same numbers twice, and sums `f` of their deviations from the mean.
pub(super) fn mean_and_spread(
    values: &mut dyn Iterator<Item = f64>,
    again: &mut dyn Iterator<Item = f64>,
    f: impl Fn(f64) -> f64,
) -> Spread {
    let (count, total) = values.fold((0.0, 0.0), |(count, total), x| (count + 1.0, total + x));
    let mean = total / count;
    let (sum, most) = again.fold((0.0, 0f64), |(sum, most), x| {
        let d = x - mean;
        (sum + f(d), if d.is_nan() { f64::NAN } else { most.max(d.abs()) })
    });
    // A constant column's deviations are rounding errors of its mean, not a spread.
    Spread { count, mean, sum, constant: most <= mean.abs() * 1e-12 }
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
