//! Scaling by absolute deviations: `y = (x - μ)/Σ|x - μ|`; a constant feature maps to 0.
//!
//! The absolute values of a scaled feature add up to 1 over the training data, so each of N samples has some 1/N: small numbers
//! that want a larger rate or first weights. `average` divides by the mean absolute deviation instead, for numbers about 1.

use super::scale::{On, Per, Scale};
use super::z_score::mean_and_spread;
use crate::dataset::Dataset;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Scales to mean 0 and absolute values that add up to 1 over the training data.
///
/// ```
/// use gradus_data::{Dataset, Pipeline, Target, Transform, transforms::MeanAbsolute};
/// use gradus_tensor::Tensor;
/// let x = Tensor::new([3, 1], vec![0.0f32, 2.0, 4.0])?;
/// let steps = vec![Transform::MeanAbsolute(MeanAbsolute::default())];
/// let (_, data) = Pipeline { steps }.fit_apply(Dataset::new(x, Target::None)?)?;
/// assert_eq!(data.input_values(), [-0.5, 0.0, 0.5]);
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MeanAbsolute {
    /// What to scale.
    pub on: On,
    /// Which numbers share a mean: by default every feature of a table has its own, and a picture has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<Per>,
    /// Whether to divide by the mean of the absolute deviations rather than by their sum.
    pub average: bool,
}

impl MeanAbsolute {
    pub(super) fn fit(&self, data: &Dataset) -> Result<Scale, DataError> {
        Scale::fit(data, self.on, self.per, 0.0, |values, again| {
            let spread = mean_and_spread(values, again, f64::abs);
            let scale = if self.average { spread.sum / spread.count } else { spread.sum };
            (spread.mean, if spread.constant { 0.0 } else { 1.0 / scale })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pipeline, Target, Transform};
    use gradus_tensor::Tensor;

    fn scaled(config: MeanAbsolute, shape: [usize; 2], values: &[f32]) -> Vec<f32> {
        let data = Dataset::new(Tensor::new(shape, values.to_vec()).unwrap(), Target::None).unwrap();
        let (_, data) = Pipeline { steps: vec![Transform::MeanAbsolute(config)] }.fit_apply(data).unwrap();
        data.input_values().to_vec()
    }

    #[test]
    fn absolute_values_add_up_to_one() {
        let x = [1.0, 0.1, 2.0, 0.1, 6.0, 0.1];
        assert_eq!(scaled(MeanAbsolute::default(), [3, 2], &x), [-1.0 / 3.0, 0.0, -1.0 / 6.0, 0.0, 0.5, 0.0]);
        let average = MeanAbsolute { average: true, ..MeanAbsolute::default() };
        assert_eq!(scaled(average, [3, 2], &x), [-1.0, 0.0, -0.5, 0.0, 1.5, 0.0]);
        let whole = MeanAbsolute { per: Some(Per::All), ..MeanAbsolute::default() };
        assert_eq!(scaled(whole, [2, 2], &[0.0, 2.0, 4.0, 6.0]), [-0.375, -0.125, 0.125, 0.375]);
    }
}
