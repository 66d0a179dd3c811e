//! How well a network does: metrics from whole-epoch counts.
//!
//! Every figure here is made from counts and sums over *all* rows that were shown, never from averages of batch
//! averages: the rows may come in batches of any size, in any number of [`ConfusionMatrix::merge`]d parts, and the
//! result is that of one pass over everything. Sums are kept in `f64`, whatever the type of the predictions.
//! A figure that nothing defines (the accuracy of no rows, the AUC of one class) is NaN, never an invented number.
//!
//! Read in this order:
//!
//! | module | holds |
//! |---|---|
//! | [`metric`] | [`Metric`]: the names that recipes use, which [`Direction`] is better, how values are written |
//! | [`evaluator`] | [`Evaluator`]: takes an epoch's predictions batch by batch, answers all the metrics asked for |
//! | [`confusion`] | [`ConfusionMatrix`]: accuracy, precision, recall, F1 per class and averaged, kappa, Matthews |
//! | [`probability`] | [`LogLoss`], [`TopK`], [`Binary`]: what needs the probabilities themselves |
//! | [`ranking`] | [`roc_auc`](ranking::roc_auc) and the ROC curve, exact with ties |
//! | [`regression`] | [`Regression`]: MSE, RMSE, MAE, R², largest and percentage error |
//! | [`information`] | entropy, conditional entropy, mutual information, in nats |
//! | [`student`] | Student's t distribution: probabilities and quantiles |
//! | [`t_test`] | [`TTest`]: whether one of two is better, from paired results; several comparisons at once |
//! | [`error`] | [`MetricError`] |
//!
//! ```
//! use gradus_metrics::{Evaluator, Metric, Task};
//!
//! let metrics = [Metric::Accuracy, Metric::LogLoss];
//! let mut evaluator = Evaluator::new(Task::Classes(3), &metrics)?;
//! evaluator.add_classes(&[0.7_f32, 0.2, 0.1, 0.1, 0.3, 0.6], &[0, 1])?; // a batch of two rows
//! evaluator.add_classes(&[0.0_f32, 0.0, 1.0], &[2])?; // a smaller last batch
//! assert!((evaluator.value(Metric::Accuracy)? - 2.0 / 3.0).abs() < 1e-12);
//! # Ok::<(), gradus_metrics::MetricError>(())
//! ```

pub mod confusion;
pub mod error;
pub mod evaluator;
pub mod information;
pub mod metric;
pub mod probability;
pub mod ranking;
pub mod regression;
pub mod student;
pub mod t_test;

pub use confusion::{Averages, ClassScores, ConfusionMatrix};
pub use error::MetricError;
pub use evaluator::{Evaluator, Task};
pub use metric::{Direction, Metric};
pub use probability::{Binary, LogLoss, TopK};
pub use regression::Regression;
pub use t_test::TTest;

/// Index of the largest value, the first among equals; NaN never wins unless every value is NaN.
///
/// `values: [classes]`; an empty slice gives 0.
///
/// ```
/// assert_eq!(gradus_metrics::argmax(&[0.1, 0.45, 0.45]), 1);
/// ```
pub fn argmax<T: Copy + Into<f64>>(values: &[T]) -> usize {
    let mut best = 0;
    let mut top = f64::NEG_INFINITY;
    let mut found = false;
    for (index, &value) in values.iter().enumerate() {
        let value = value.into();
        if value > top || (!found && !value.is_nan()) {
            (best, top, found) = (index, value, true);
        }
    }
    best
}
