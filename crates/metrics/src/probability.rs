//! Metrics of the probabilities themselves: log loss, top-k accuracy, and the figures of a yes/no classifier.
//!
//! Log loss is `-mean ln p(true class)` in nats, with `p` floored at [`PROBABILITY_FLOOR`] so that one confident mistake
//! is dear but finite.

use serde::{Deserialize, Serialize};

use crate::confusion::{ConfusionMatrix, check_classes, check_scores};
use crate::error::MetricError;
use crate::ranking::roc_auc;

/// The smallest probability whose logarithm is taken.
pub const PROBABILITY_FLOOR: f64 = 1e-7;

/// Cross-entropy of class probabilities against the true classes, accumulated over batches.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct LogLoss {
    sum: f64,
    rows: u64,
}

impl LogLoss {
    /// Adds a batch: `probabilities: [n, classes]`, `truth: [n]`. On an error nothing is added.
    ///
    /// # Errors
    /// [`MetricError::Length`], [`MetricError::NoSuchClass`], [`MetricError::NotAProbability`].
    pub fn extend<T: Copy + Into<f64>>(
        &mut self,
        probabilities: &[T],
        truth: &[usize],
        classes: usize,
    ) -> Result<(), MetricError> {
        check_scores(probabilities.len(), truth.len(), classes)?;
        check_classes(truth, classes)?;
        let mut sum = 0.0;
        for (row, &class) in truth.iter().enumerate() {
            sum -= checked(row, probabilities[row * classes + class])?.max(PROBABILITY_FLOOR).ln();
        }
        self.sum += sum;
        self.rows += truth.len() as u64;
        Ok(())
    }

    /// Adds the sums of another part of the same data.
    pub fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        self.rows += other.rows;
    }

    /// `-mean ln p(true class)` in nats; NaN without rows.
    pub fn value(&self) -> f64 {
        self.sum / self.rows as f64
    }
}

/// Share of rows whose true class is among the `k` best-scored ones.
///
/// Classes with equal scores are ranked by index, the lower first, as [`crate::argmax`] does; a true class scored NaN is
/// never among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopK {
    k: usize,
    hits: u64,
    rows: u64,
}

impl TopK {
    /// An empty count for the `k` best classes.
    ///
    /// # Errors
    /// [`MetricError::Parameter`] for `k = 0`.
    pub fn new(k: usize) -> Result<Self, MetricError> {
        if k == 0 {
            return Err(MetricError::Parameter { name: "k", value: 0.0, expected: "at least 1".into() });
        }
        Ok(Self { k, hits: 0, rows: 0 })
    }

    /// Adds a batch: `scores: [n, classes]` (logits or probabilities), `truth: [n]`. On an error nothing is added.
    ///
    /// # Errors
    /// [`MetricError::Length`], [`MetricError::NoSuchClass`].
    pub fn extend<T: Copy + Into<f64>>(
        &mut self,
        scores: &[T],
        truth: &[usize],
        classes: usize,
    ) -> Result<(), MetricError> {
        check_scores(scores.len(), truth.len(), classes)?;
        check_classes(truth, classes)?;
        for (row, &class) in scores.chunks_exact(classes.max(1)).zip(truth) {
            let own: f64 = row[class].into();
            let above = |(index, &score): (usize, &T)| {
                let score: f64 = score.into();
                score > own || (score == own && index < class)
            };
            self.hits +=
                u64::from(!own.is_nan() && row.iter().enumerate().filter(|&pair| above(pair)).count() < self.k);
        }
        self.rows += truth.len() as u64;
        Ok(())
    }

    /// Adds the counts of another part of the same data (with the same `k`).
    pub fn merge(&mut self, other: &Self) {
        debug_assert_eq!(self.k, other.k);
        self.hits += other.hits;
        self.rows += other.rows;
    }

    /// Forgets all rows.
    pub fn clear(&mut self) {
        (self.hits, self.rows) = (0, 0);
    }

    /// The accuracy among the `k` best; NaN without rows.
    pub fn value(&self) -> f64 {
        self.hits as f64 / self.rows as f64
    }
}

/// The predictions of a yes/no classifier: keeps every probability, so that any threshold can be asked.
///
/// ```
/// use gradus_metrics::Binary;
///
/// let mut binary = Binary::default();
/// binary.extend(&[0.1, 0.6, 0.35, 0.8], &[false, false, true, true])?;
/// assert_eq!(binary.confusion(0.5).accuracy(), 0.5);
/// assert_eq!(binary.auc()?, 0.75);
/// # Ok::<(), gradus_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Binary {
    probabilities: Vec<f64>,
    positive: Vec<bool>,
    log_loss: LogLoss,
}

impl Binary {
    /// Adds a batch: `probabilities: [n]` of the positive class, `positive: [n]`. On an error nothing is added.
    ///
    /// # Errors
    /// [`MetricError::Length`], [`MetricError::NotAProbability`].
    pub fn extend<T: Copy + Into<f64>>(&mut self, probabilities: &[T], positive: &[bool]) -> Result<(), MetricError> {
        check_scores(probabilities.len(), positive.len(), 1)?;
        let mut sum = 0.0;
        for (row, (&p, &positive)) in probabilities.iter().zip(positive).enumerate() {
            let p = checked(row, p)?;
            sum -= if positive { p } else { 1.0 - p }.max(PROBABILITY_FLOOR).ln();
        }
        self.log_loss.merge(&LogLoss { sum, rows: positive.len() as u64 });
        self.probabilities.extend(probabilities.iter().map(|&p| p.into()));
        self.positive.extend_from_slice(positive);
        Ok(())
    }

    /// Forgets all rows; the memory stays.
    pub fn clear(&mut self) {
        self.probabilities.clear();
        self.positive.clear();
        self.log_loss = LogLoss::default();
    }

    /// Two-class matrix where class 1 is predicted from `threshold` upwards (`p >= threshold`).
    pub fn confusion(&self, threshold: f64) -> ConfusionMatrix {
        let mut counts = vec![vec![0; 2]; 2];
        for (&p, &positive) in self.probabilities.iter().zip(&self.positive) {
            counts[usize::from(positive)][usize::from(p >= threshold)] += 1;
        }
        ConfusionMatrix::try_from(counts).unwrap_or_else(|_| unreachable!("two rows of two"))
    }

    /// `-mean ln p(truth)` in nats; NaN without rows.
    pub fn log_loss(&self) -> f64 {
        self.log_loss.value()
    }

    /// Area under the ROC curve; NaN unless both classes occur.
    ///
    /// # Errors
    /// None in practice: the probabilities were checked when they were added.
    pub fn auc(&self) -> Result<f64, MetricError> {
        roc_auc(&self.probabilities, &self.positive)
    }
}

fn checked<T: Into<f64>>(row: usize, probability: T) -> Result<f64, MetricError> {
    let value = probability.into();
    // A softmax in f32 may exceed 1 by its rounding.
    if (0.0..=1.0 + 1e-6).contains(&value) {
        Ok(value.min(1.0))
    } else {
        Err(MetricError::NotAProbability { row, value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_probability_adds_nothing() {
        let mut loss = LogLoss::default();
        assert_eq!(
            loss.extend(&[0.5, 0.5, 3.0, -2.0], &[0, 0], 2),
            Err(MetricError::NotAProbability { row: 1, value: 3.0 })
        );
        assert!(loss.value().is_nan());
        let mut binary = Binary::default();
        assert!(binary.extend(&[0.5, f64::NAN], &[true, true]).is_err());
        assert_eq!(binary, Binary::default());
    }

    #[test]
    fn a_confident_mistake_costs_a_finite_amount() {
        let mut loss = LogLoss::default();
        loss.extend(&[1.0_f32, 0.0], &[1], 2).unwrap();
        assert_eq!(loss.value(), -PROBABILITY_FLOOR.ln());
    }

    #[test]
    fn ties_are_ranked_by_index() {
        let mut top = TopK::new(2).unwrap();
        top.extend(&[0.25, 0.25, 0.25, 0.25], &[1], 4).unwrap();
        assert_eq!(top.value(), 1.0);
        top.extend(&[0.25, 0.25, 0.25, 0.25], &[2], 4).unwrap();
        assert_eq!(top.value(), 0.5);
    }
}
