//! Regression errors, accumulated in one pass.
//!
//! With `e = ŷ - y`: MSE `mean e²`, RMSE its root, MAE `mean |e|`, `R² = 1 - Σe² / Σ(y - ȳ)²`, MAPE `mean |e| / max(|y|, ε)`.
//! With several outputs each figure is the plain mean over outputs of that output's figure, as scikit-learn's
//! `uniform_average`. The spread of `y` comes from Welford's update (1962), merged by Chan, Golub & LeVeque (1979), so it
//! stays right where the mean is large against the spread.

use serde::{Deserialize, Serialize};

use crate::error::MetricError;

/// Errors of predicted against true values, over any number of batches.
///
/// ```
/// use gradus_metrics::Regression;
///
/// let mut errors = Regression::new(1)?;
/// errors.extend(&[2.5, 0.0, 2.0, 8.0], &[3.0, -0.5, 2.0, 7.0])?; // predicted, true
/// assert_eq!(errors.mse(), 0.375);
/// assert_eq!(errors.mae(), 0.5);
/// assert!((errors.r2() - 0.9486081).abs() < 1e-7);
/// # Ok::<(), gradus_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Regression {
    rows: u64,
    outputs: Vec<Sums>,
}

/// The sums of one output.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Sums {
    squared: f64,
    absolute: f64,
    relative: f64,
    largest: f64,
    mean: f64,
    spread: f64,
}

impl Regression {
    /// Nothing seen yet, for rows of `outputs` values.
    ///
    /// # Errors
    /// [`MetricError::Parameter`] for 0 outputs.
    pub fn new(outputs: usize) -> Result<Self, MetricError> {
        if outputs == 0 {
            return Err(MetricError::Parameter { name: "outputs", value: 0.0, expected: "at least 1".into() });
        }
        Ok(Self { rows: 0, outputs: vec![Sums::default(); outputs] })
    }

    /// Adds a batch: `predicted: [n, outputs]`, `truth: [n, outputs]`. On an error nothing is added.
    ///
    /// # Errors
    /// [`MetricError::Length`] when the two differ or do not hold whole rows.
    pub fn extend<P, Y>(&mut self, predicted: &[P], truth: &[Y]) -> Result<(), MetricError>
    where
        P: Copy + Into<f64>,
        Y: Copy + Into<f64>,
    {
        let outputs = self.outputs.len();
        if predicted.len() != truth.len() {
            let (expected, received) = (truth.len(), predicted.len());
            return Err(MetricError::Length { what: "predicted values", expected, received });
        }
        if !truth.len().is_multiple_of(outputs) {
            let expected = truth.len() / outputs * outputs;
            return Err(MetricError::Length { what: "whole rows of values", expected, received: truth.len() });
        }
        for (predicted, truth) in predicted.chunks_exact(outputs).zip(truth.chunks_exact(outputs)) {
            self.rows += 1;
            for ((sums, &predicted), &truth) in self.outputs.iter_mut().zip(predicted).zip(truth) {
                sums.add(predicted.into(), truth.into(), self.rows as f64);
            }
        }
        Ok(())
    }

    /// Adds the sums of another part of the same data.
    ///
    /// # Errors
    /// [`MetricError::Length`] when the numbers of outputs differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        if self.outputs.len() != other.outputs.len() {
            let (expected, received) = (self.outputs.len(), other.outputs.len());
            return Err(MetricError::Length { what: "outputs of the merged part", expected, received });
        }
        for (sums, more) in self.outputs.iter_mut().zip(&other.outputs) {
            sums.merge(more, self.rows as f64, other.rows as f64);
        }
        self.rows += other.rows;
        Ok(())
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        self.rows = 0;
        self.outputs.fill(Sums::default());
    }

    /// Rows seen.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Mean squared error; NaN without rows.
    pub fn mse(&self) -> f64 {
        self.mean(|sums| sums.squared / self.rows as f64)
    }

    /// Mean over outputs of the root of the mean squared error; NaN without rows.
    pub fn rmse(&self) -> f64 {
        self.mean(|sums| (sums.squared / self.rows as f64).sqrt())
    }

    /// Mean absolute error; NaN without rows.
    pub fn mae(&self) -> f64 {
        self.mean(|sums| sums.absolute / self.rows as f64)
    }

    /// Mean over outputs of [`Self::r2_of`].
    pub fn r2(&self) -> f64 {
        self.mean(|sums| sums.r2(self.rows))
    }

    /// Coefficient of determination of one output: 1 is perfect, 0 no better than the mean, below 0 worse.
    ///
    /// A constant target gives 1 when every prediction is exact and 0 otherwise. NaN with fewer than two rows, or where
    /// there is no such output.
    pub fn r2_of(&self, output: usize) -> f64 {
        self.outputs.get(output).map_or(f64::NAN, |sums| sums.r2(self.rows))
    }

    /// Largest absolute error over all rows and outputs; NaN without rows.
    pub fn max_error(&self) -> f64 {
        if self.rows == 0 {
            return f64::NAN;
        }
        self.outputs.iter().map(|sums| sums.largest).fold(0.0, |a, b| if b.is_nan() || b > a { b } else { a })
    }

    /// Mean of `|e| / max(|y|, ε)`, a share and not a percentage, ε the spacing of `f64` at 1; NaN without rows.
    pub fn mape(&self) -> f64 {
        self.mean(|sums| sums.relative / self.rows as f64)
    }

    fn mean(&self, figure: impl Fn(&Sums) -> f64) -> f64 {
        self.outputs.iter().map(figure).sum::<f64>() / self.outputs.len() as f64
    }
}

impl Sums {
    fn add(&mut self, predicted: f64, truth: f64, rows: f64) {
        let error = predicted - truth;
        self.squared += error * error;
        self.absolute += error.abs();
        self.relative += error.abs() / truth.abs().max(f64::EPSILON);
        self.largest = larger(self.largest, error.abs());
        let delta = truth - self.mean;
        self.mean += delta / rows;
        self.spread += delta * (truth - self.mean);
    }

    fn merge(&mut self, other: &Self, rows: f64, more: f64) {
        if more == 0.0 {
            return;
        }
        self.squared += other.squared;
        self.absolute += other.absolute;
        self.relative += other.relative;
        self.largest = larger(self.largest, other.largest);
        let delta = other.mean - self.mean;
        self.mean += delta * (more / (rows + more));
        self.spread += other.spread + delta * delta * (rows * more / (rows + more));
    }

    fn r2(&self, rows: u64) -> f64 {
        if rows < 2 {
            f64::NAN
        } else if self.spread != 0.0 {
            1.0 - self.squared / self.spread
        } else {
            f64::from(u8::from(self.squared == 0.0))
        }
    }
}

/// The larger of two, NaN if either is.
fn larger(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spread_survives_a_large_mean() {
        let truth: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 10)).collect();
        let predicted: Vec<f64> = truth.iter().map(|y| y + 1.0).collect();
        let mut errors = Regression::new(1).unwrap();
        errors.extend(&predicted, &truth).unwrap();
        // Population variance of 0..=9 is 8.25 and every squared error is 1.
        assert!((errors.r2() - (1.0 - 1.0 / 8.25)).abs() < 1e-9, "{}", errors.r2());
    }

    #[test]
    fn parts_make_the_whole() {
        let truth: Vec<f64> = (0..101).map(|i| (f64::from(i) * 0.37).sin() * 5.0).collect();
        let predicted: Vec<f64> = truth.iter().enumerate().map(|(i, y)| y + (i as f64 * 1.7).cos()).collect();
        let mut whole = Regression::new(1).unwrap();
        whole.extend(&predicted, &truth).unwrap();
        let mut parts = Regression::new(1).unwrap();
        for range in [0..1, 1..40, 40..40, 40..101] {
            let mut part = Regression::new(1).unwrap();
            part.extend(&predicted[range.clone()], &truth[range]).unwrap();
            parts.merge(&part).unwrap();
        }
        for (a, b) in [(whole.mse(), parts.mse()), (whole.r2(), parts.r2()), (whole.mae(), parts.mae())] {
            assert!((a - b).abs() < 1e-12, "{a} {b}");
        }
        assert_eq!(whole.max_error(), parts.max_error());
    }

    #[test]
    fn constant_targets_follow_the_convention() {
        let mut errors = Regression::new(1).unwrap();
        errors.extend(&[0.1, 0.1, 0.1], &[0.1, 0.1, 0.1]).unwrap();
        assert_eq!(errors.r2(), 1.0);
        errors.extend(&[0.2], &[0.1]).unwrap();
        assert_eq!(errors.r2(), 0.0);
    }

    #[test]
    fn nothing_is_invented() {
        let mut errors = Regression::new(2).unwrap();
        assert!(errors.mse().is_nan() && errors.max_error().is_nan() && errors.r2().is_nan());
        assert!(errors.extend(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0]).is_err());
        errors.extend(&[f64::NAN, 1.0], &[0.0, 1.0]).unwrap();
        assert!(errors.max_error().is_nan() && errors.mae().is_nan());
        assert!(Regression::new(0).is_err());
    }
}
