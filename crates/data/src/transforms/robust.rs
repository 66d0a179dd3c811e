//! Robust scaling: `y = (x - median)/(Q₃ - Q₁)`, the distance of the quartiles; a constant feature maps to 0.
//!
//! Quantiles are interpolated linearly between neighbours (Hyndman & Fan 1996, type 7), as NumPy and scikit-learn have them.

use super::scale::{On, Per, Scale};
use crate::dataset::Dataset;
use crate::error::DataError;
use serde::{Deserialize, Serialize};

/// Scales to median 0 and a distance of 1 between two quantiles, which outliers hardly move.
///
/// ```
/// use gradus_data::{Dataset, Pipeline, Target, Transform, transforms::Robust};
/// use gradus_tensor::Tensor;
/// let x = Tensor::new([5, 1], vec![1.0f32, 2.0, 3.0, 4.0, 1000.0])?;
/// let steps = vec![Transform::Robust(Robust::default())];
/// let (_, data) = Pipeline { steps }.fit_apply(Dataset::new(x, Target::None)?)?;
/// assert_eq!(data.input_values(), [-1.0, -0.5, 0.0, 0.5, 498.5]);
/// # Ok::<(), gradus_data::DataError>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Robust {
    /// What to scale.
    pub on: On,
    /// Which numbers share a median: by default every feature of a table has its own, and a picture has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<Per>,
    /// The two quantiles whose distance becomes 1, between 0 and 1: the quartiles by default.
    pub quantiles: [f64; 2],
}

impl Default for Robust {
    fn default() -> Robust {
        Robust { on: On::Inputs, per: None, quantiles: [0.25, 0.75] }
    }
}

impl Robust {
    pub(super) fn fit(&self, data: &Dataset) -> Result<Scale, DataError> {
        let [low, high] = self.quantiles;
        if !(low >= 0.0 && low < high && high <= 1.0) {
            return Err(DataError::Option {
                option: "robust.quantiles",
                received: format!("[{low}, {high}]"),
                expected: "it must be two numbers from 0 to 1, the lower one first".to_string(),
            });
        }
        Scale::fit(data, self.on, self.per, 0.0, |values, _| {
            let mut values: Vec<f32> = values.map(|x| x as f32).collect();
            if !values.iter().all(|x| x.is_finite()) {
                return (f64::NAN, f64::NAN);
            }
            let constant = values.iter().all(|x| *x == values[0]);
            let distance = quantile(&mut values, high) - quantile(&mut values, low);
            let factor = match distance {
                _ if constant => 0.0,
                // Most values are the same: the others keep their distance from them, as in scikit-learn.
                0.0 => 1.0,
                distance => 1.0 / distance,
            };
            (quantile(&mut values, 0.5), factor)
        })
    }
}

/// The `q`-quantile, 0 ≤ q ≤ 1, of at least one finite value, which it reorders.
fn quantile(values: &mut [f32], q: f64) -> f64 {
    let place = q * (values.len() - 1) as f64;
    let below = place.floor() as usize;
    let (_, low, above) = values.select_nth_unstable_by(below, f32::total_cmp);
    let low = f64::from(*low);
    let high = above.iter().copied().min_by(f32::total_cmp).map_or(low, f64::from);
    low + (high - low) * (place - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Pipeline, Target, Transform};
    use gradus_tensor::Tensor;

    #[test]
    fn quantiles_lie_between_neighbours() {
        let mut values = [7.0, 1.0, 3.0, 15.0];
        let found = [0.0, 0.25, 0.5, 0.75, 1.0].map(|q| quantile(&mut values, q));
        assert_eq!(found, [1.0, 2.5, 5.0, 9.0, 15.0]);
        assert_eq!(quantile(&mut [4.0], 0.75), 4.0);
    }

    #[test]
    fn constant_and_nearly_constant_features() {
        let x = Tensor::new([5, 2], vec![7.0f32, 2.0, 7.0, 2.0, 7.0, 2.0, 7.0, 2.0, 7.0, 5.0]).unwrap();
        let data = Dataset::new(x, Target::None).unwrap();
        let (_, data) = Pipeline { steps: vec![Transform::Robust(Robust::default())] }.fit_apply(data).unwrap();
        assert_eq!(data.input_values(), [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 3.0]);
    }

    #[test]
    fn a_scaled_target_comes_back() {
        let x = Tensor::new([3, 1], vec![0.0f32; 3]).unwrap();
        let y = Tensor::new([3, 2], vec![1.0f32, 10.0, 2.0, 30.0, 3.0, 20.0]).unwrap();
        let data = Dataset::new(x, Target::from_values(y, None).unwrap()).unwrap();
        let steps = vec![Transform::Robust(Robust { on: On::Target, ..Robust::default() })];
        let (fitted, data) = Pipeline { steps }.fit_apply(data).unwrap();
        let mut values = data.values().unwrap().to_f32();
        assert_eq!(values, [-1.0, -1.0, 0.0, 1.0, 1.0, 0.0]);
        fitted.inverse_target(&mut values, 2).unwrap();
        assert_eq!(values, [1.0, 10.0, 2.0, 30.0, 3.0, 20.0]);
        assert_eq!([fitted.target_factor(0), fitted.target_factor(1)], [Some(1.0), Some(0.1)]);
    }

    #[test]
    fn bad_input() {
        let x = Tensor::new([2, 1], vec![0.0f32, f32::INFINITY]).unwrap();
        let data = Dataset::new(x, Target::None).unwrap();
        assert_eq!(
            Robust { quantiles: [0.75, 0.25], ..Robust::default() }.fit(&data).unwrap_err().to_string(),
            "robust.quantiles is [0.75, 0.25]: it must be two numbers from 0 to 1, the lower one first"
        );
        assert_eq!(
            Robust::default().fit(&data).unwrap_err().to_string(),
            "a transform cannot be fitted: feature 0 of sample 1 or near it is not a finite number; remove or fill such values \
             first"
        );
    }
}
