//! Confusion matrix and the scores that follow from it.
//!
//! `n[i][j]` counts the rows of true class `i` that were predicted as `j`. With `TP = n[c][c]`:
//! precision `TP / Σ_i n[i][c]`, recall `TP / Σ_j n[c][j]`, `F1 = 2TP / (2TP + FP + FN)`. A quotient 0/0 counts as 0.
//! Macro averages are over the classes that occur (as truth or as prediction), weighted ones by true rows: both as
//! scikit-learn. Sokolova & Lapalme 2009, "A systematic analysis of performance measures for classification tasks".

use serde::{Deserialize, Serialize};

use crate::argmax;
use crate::error::MetricError;

/// The largest number of classes of a [`ConfusionMatrix`]: its counts then take 128 MiB.
pub const MOST_CLASSES: usize = 4096;

/// Counts of true against predicted classes, kept as integers.
///
/// ```
/// use gradus_metrics::ConfusionMatrix;
///
/// let mut matrix = ConfusionMatrix::new(2)?;
/// matrix.extend(&[0, 0, 1, 1], &[0, 1, 1, 1])?;
/// assert_eq!(matrix.accuracy(), 0.75);
/// assert_eq!(matrix.scores(0).recall, 0.5);
/// # Ok::<(), gradus_metrics::MetricError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Vec<u64>>", into = "Vec<Vec<u64>>")]
pub struct ConfusionMatrix {
    classes: usize,
    counts: Vec<u64>,
}

/// Scores of one class against all others.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ClassScores {
    /// Share of the rows predicted as this class that are of it.
    pub precision: f64,
    /// Share of the rows of this class that were predicted as it.
    pub recall: f64,
    /// Harmonic mean of precision and recall.
    pub f1: f64,
    /// Rows of this class.
    pub support: u64,
}

/// Precision, recall and F1 averaged over classes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Averages {
    /// Averaged precision.
    pub precision: f64,
    /// Averaged recall.
    pub recall: f64,
    /// Averaged F1 (the mean of the F1s, not the F1 of the means).
    pub f1: f64,
}

impl ConfusionMatrix {
    /// An empty matrix.
    ///
    /// # Errors
    /// [`MetricError::ClassCount`] for 0 classes or more than [`MOST_CLASSES`].
    pub fn new(classes: usize) -> Result<Self, MetricError> {
        if classes == 0 || classes > MOST_CLASSES {
            return Err(MetricError::ClassCount { classes, most: MOST_CLASSES });
        }
        Ok(Self { classes, counts: vec![0; classes * classes] })
    }

    /// Counts one row.
    ///
    /// # Errors
    /// [`MetricError::NoSuchClass`].
    pub fn record(&mut self, truth: usize, predicted: usize) -> Result<(), MetricError> {
        self.extend(&[truth], &[predicted])
    }

    /// Counts a batch: `truth: [n]`, `predicted: [n]`, both class indices. On an error nothing is counted.
    ///
    /// # Errors
    /// [`MetricError::Length`], [`MetricError::NoSuchClass`].
    pub fn extend(&mut self, truth: &[usize], predicted: &[usize]) -> Result<(), MetricError> {
        if truth.len() != predicted.len() {
            let (expected, received) = (truth.len(), predicted.len());
            return Err(MetricError::Length { what: "predicted classes", expected, received });
        }
        check_classes(truth, self.classes)?;
        check_classes(predicted, self.classes)?;
        for (&truth, &predicted) in truth.iter().zip(predicted) {
            self.counts[truth * self.classes + predicted] += 1;
        }
        Ok(())
    }

    /// Counts a batch by the largest score of each row: `scores: [n, classes]` (logits or probabilities), `truth: [n]`.
    ///
    /// # Errors
    /// [`MetricError::Length`], [`MetricError::NoSuchClass`].
    pub fn extend_scores<T: Copy + Into<f64>>(&mut self, scores: &[T], truth: &[usize]) -> Result<(), MetricError> {
        check_scores(scores.len(), truth.len(), self.classes)?;
        check_classes(truth, self.classes)?;
        for (row, &truth) in scores.chunks_exact(self.classes).zip(truth) {
            self.counts[truth * self.classes + argmax(row)] += 1;
        }
        Ok(())
    }

    /// Adds the counts of another part of the same data.
    ///
    /// # Errors
    /// [`MetricError::Length`] when the numbers of classes differ.
    pub fn merge(&mut self, other: &Self) -> Result<(), MetricError> {
        if self.classes != other.classes {
            let (expected, received) = (self.classes, other.classes);
            return Err(MetricError::Length { what: "classes of the merged matrix", expected, received });
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        Ok(())
    }

    /// Forgets all rows; the memory stays.
    pub fn clear(&mut self) {
        self.counts.fill(0);
    }

    /// Number of classes.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Rows of true class `truth` that were predicted as `predicted`; 0 outside the matrix.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        if truth < self.classes && predicted < self.classes { self.counts[truth * self.classes + predicted] } else { 0 }
    }

    /// The counts by true class, each row `[classes]` by predicted class.
    pub fn rows(&self) -> impl ExactSizeIterator<Item = &[u64]> {
        self.counts.chunks_exact(self.classes)
    }

    /// Rows counted.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Rows predicted as what they are.
    pub fn correct(&self) -> u64 {
        (0..self.classes).map(|class| self.count(class, class)).sum()
    }

    /// Share of rows predicted as what they are; NaN without rows.
    pub fn accuracy(&self) -> f64 {
        self.correct() as f64 / self.total() as f64
    }

    /// Precision, recall, F1 and support of one class; all 0 outside the matrix.
    pub fn scores(&self, class: usize) -> ClassScores {
        let hit = self.count(class, class) as f64;
        let (support, predicted) = (self.support(class), self.predicted(class));
        ClassScores {
            precision: quotient(hit, predicted as f64),
            recall: quotient(hit, support as f64),
            f1: quotient(2.0 * hit, (support + predicted) as f64),
            support,
        }
    }

    /// [`Self::scores`] of every class.
    pub fn per_class(&self) -> Vec<ClassScores> {
        (0..self.classes).map(|class| self.scores(class)).collect()
    }

    /// Plain mean over the classes that occur as truth or as prediction; NaN without rows.
    pub fn macro_average(&self) -> Averages {
        self.average(|class| f64::from(u8::from(self.support(class) + self.predicted(class) > 0)))
    }

    /// Mean over classes weighted by their true rows; NaN without rows.
    pub fn weighted_average(&self) -> Averages {
        self.average(|class| self.support(class) as f64)
    }

    /// Mean recall over the classes that have rows; NaN without rows. Brodersen et al. 2010.
    pub fn balanced_accuracy(&self) -> f64 {
        self.average(|class| f64::from(u8::from(self.support(class) > 0))).recall
    }

    /// Cohen's kappa, agreement beyond chance: `(p_o - p_e) / (1 - p_e)`. Cohen 1960. NaN where `p_e` is 1.
    pub fn kappa(&self) -> f64 {
        let total = self.total() as f64;
        let chance: f64 = (0..self.classes)
            .map(|class| self.support(class) as f64 / total * (self.predicted(class) as f64 / total))
            .sum();
        (self.accuracy() - chance) / (1.0 - chance)
    }

    /// Matthews correlation coefficient for any number of classes. Gorodkin 2004. 0 where only one class occurs.
    pub fn matthews(&self) -> f64 {
        let total = self.total() as f64;
        let pairs = |a: &dyn Fn(usize) -> f64, b: &dyn Fn(usize) -> f64| -> f64 {
            (0..self.classes).map(|class| a(class) * b(class)).sum()
        };
        let truth = |class| self.support(class) as f64;
        let predicted = |class| self.predicted(class) as f64;
        let covariance = self.correct() as f64 * total - pairs(&truth, &predicted);
        let truth_spread = total * total - pairs(&truth, &truth);
        let predicted_spread = total * total - pairs(&predicted, &predicted);
        if total == 0.0 { f64::NAN } else { quotient(covariance, (truth_spread * predicted_spread).sqrt()) }
    }

    /// The matrix as aligned plain text: one line per true class, one column per predicted class.
    ///
    /// Class `i` is called `names[i]`, or `i` where there is no such name.
    pub fn table(&self, names: &[String]) -> String {
        let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
        let corner = "true \\ predicted";
        let first = (0..self.classes).map(|class| name(class).chars().count()).max().unwrap_or(0);
        let first = first.max(corner.len());
        let widths: Vec<usize> = (0..self.classes)
            .map(|column| {
                let digits = (0..self.classes).map(|row| self.count(row, column).to_string().len()).max();
                digits.unwrap_or(1).max(name(column).chars().count())
            })
            .collect();
        let mut text = format!("{corner:first$}");
        for (column, width) in widths.iter().enumerate() {
            text.push_str(&format!("  {:>width$}", name(column)));
        }
        text.push('\n');
        for row in 0..self.classes {
            text.push_str(&format!("{:first$}", name(row)));
            for (column, width) in widths.iter().enumerate() {
                text.push_str(&format!("  {:>width$}", self.count(row, column)));
            }
            text.push('\n');
        }
        text
    }

    fn support(&self, class: usize) -> u64 {
        (0..self.classes).map(|predicted| self.count(class, predicted)).sum()
    }

    fn predicted(&self, class: usize) -> u64 {
        (0..self.classes).map(|truth| self.count(truth, class)).sum()
    }

    fn average(&self, weight: impl Fn(usize) -> f64) -> Averages {
        let mut sums = Averages { precision: 0.0, recall: 0.0, f1: 0.0 };
        let mut weights = 0.0;
        for class in 0..self.classes {
            let (scores, weight) = (self.scores(class), weight(class));
            sums.precision += weight * scores.precision;
            sums.recall += weight * scores.recall;
            sums.f1 += weight * scores.f1;
            weights += weight;
        }
        Averages { precision: sums.precision / weights, recall: sums.recall / weights, f1: sums.f1 / weights }
    }
}

impl TryFrom<Vec<Vec<u64>>> for ConfusionMatrix {
    type Error = MetricError;

    /// From the counts by true class; every row must be as long as there are rows.
    fn try_from(rows: Vec<Vec<u64>>) -> Result<Self, MetricError> {
        let expected = rows.len();
        if expected == 0 || expected > MOST_CLASSES {
            return Err(MetricError::ClassCount { classes: expected, most: MOST_CLASSES });
        }
        if let Some(row) = rows.iter().find(|row| row.len() != expected) {
            return Err(MetricError::Length { what: "a row of the confusion matrix", expected, received: row.len() });
        }
        Ok(Self { classes: expected, counts: rows.concat() })
    }
}

impl From<ConfusionMatrix> for Vec<Vec<u64>> {
    fn from(matrix: ConfusionMatrix) -> Self {
        matrix.rows().map(<[u64]>::to_vec).collect()
    }
}

pub(crate) fn check_classes(indices: &[usize], classes: usize) -> Result<(), MetricError> {
    match indices.iter().position(|&class| class >= classes) {
        Some(row) => Err(MetricError::NoSuchClass { row, class: indices[row], classes }),
        None => Ok(()),
    }
}

pub(crate) fn check_scores(scores: usize, rows: usize, classes: usize) -> Result<(), MetricError> {
    let expected = rows * classes;
    if scores == expected { Ok(()) } else { Err(MetricError::Length { what: "scores", expected, received: scores }) }
}

fn quotient(numerator: f64, denominator: f64) -> f64 {
    if denominator == 0.0 { 0.0 } else { numerator / denominator }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_with_a_bad_label_counts_nothing() {
        let mut matrix = ConfusionMatrix::new(3).unwrap();
        let error = matrix.extend(&[0, 1, 3], &[0, 1, 2]).unwrap_err();
        assert_eq!(error, MetricError::NoSuchClass { row: 2, class: 3, classes: 3 });
        assert_eq!(matrix.total(), 0);
        assert!(matrix.accuracy().is_nan() && matrix.macro_average().f1.is_nan());
    }

    #[test]
    fn refuses_sizes_before_allocating() {
        assert!(ConfusionMatrix::new(usize::MAX).is_err());
        assert!(ConfusionMatrix::new(0).is_err());
        assert!(ConfusionMatrix::try_from(vec![vec![1, 2], vec![3]]).is_err());
    }

    #[test]
    fn table_is_aligned_by_characters() {
        let matrix = ConfusionMatrix::try_from(vec![vec![50, 1], vec![120, 7]]).unwrap();
        let table = matrix.table(&["été".into(), "winter".into()]);
        assert_eq!(
            table,
            "true \\ predicted  été  winter\nété                50       1\nwinter            120       7\n"
        );
    }
}
