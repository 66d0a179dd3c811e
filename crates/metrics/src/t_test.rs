//! Is one of two better? The paired t-test over runs with the same seeds.
//!
//! With `d₁ … dₙ` the differences of the pairs, `m` their mean and `s²` their variance (over `n - 1`), the statistic is
//! `t = m / √(v·s²)` with `n - 1` degrees of freedom, and
//!
//! * `v = 1/n` in the plain test. It takes the pairs as independent: so it is where all runs are judged on the same test data,
//!   and says something of *those* data.
//! * `v = 1/n + n_test/n_train` in the corrected resampled test (Nadeau & Bengio 2003, *Inference for the generalization
//!   error*, Machine Learning 52, 239–281). Where each seed draws its own test data out of one data set, the runs share most of
//!   their samples; the plain test would take their differences as more certain than they are.

use crate::student;

/// A paired t-test, two-sided.
///
/// ```
/// use gradus_metrics::TTest;
/// let (a, b) = ([0.91, 0.93, 0.92, 0.95], [0.90, 0.90, 0.91, 0.93]);
/// let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
/// let plain = TTest::paired(&differences);
/// let corrected = TTest::corrected(&differences, 100, 400);
/// assert!((plain.p - 0.0354).abs() < 1e-3 && corrected.p > plain.p);
/// let [low, high] = plain.interval(0.95);
/// assert!(low > 0.0 && low < plain.mean && plain.mean < high);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TTest {
    /// Pairs.
    pub pairs: usize,
    /// The mean difference.
    pub mean: f64,
    /// The standard deviation of the differences, over `pairs - 1`.
    pub deviation: f64,
    /// The standard error of the mean that the test goes by.
    pub error: f64,
    /// The statistic; NaN where every difference is 0, infinite where all are the same.
    pub t: f64,
    /// Degrees of freedom.
    pub degrees: f64,
    /// The probability of a mean at least as far from 0 if there were no difference; NaN with `t`.
    pub p: f64,
}

impl TTest {
    /// The plain test. NaN with fewer than two pairs.
    pub fn paired(differences: &[f64]) -> TTest {
        TTest::with_factor(differences, 1.0 / differences.len() as f64)
    }

    /// The corrected resampled test, for test data drawn anew for each pair: of `test` rows, with `train` rows to learn from.
    pub fn corrected(differences: &[f64], test: usize, train: usize) -> TTest {
        TTest::with_factor(differences, 1.0 / differences.len() as f64 + test as f64 / train as f64)
    }

    fn with_factor(differences: &[f64], factor: f64) -> TTest {
        let (mean, deviation) = mean_and_deviation(differences);
        let error = factor.sqrt() * deviation;
        let (t, degrees) = (mean / error, differences.len() as f64 - 1.0);
        TTest { pairs: differences.len(), mean, deviation, error, t, degrees, p: student::two_sided(t, degrees) }
    }

    /// The interval that holds the true mean difference with this confidence, such as 0.95: `[low, high]`.
    pub fn interval(&self, confidence: f64) -> [f64; 2] {
        let half = match self.error {
            0.0 => 0.0,
            error => student::quantile(0.5 + confidence / 2.0, self.degrees) * error,
        };
        [self.mean - half, self.mean + half]
    }
}

/// Mean and standard deviation (over `n - 1`) of some values; NaN where there are too few.
///
/// ```
/// assert_eq!(gradus_metrics::t_test::mean_and_deviation(&[1.0, 2.0, 3.0]), (2.0, 1.0));
/// ```
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 {
        return (mean, f64::NAN);
    }
    // Equal values have no deviation, whatever their mean is rounded to.
    if values.windows(2).all(|pair| pair[0] == pair[1]) {
        return (values[0], 0.0);
    }
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0)).sqrt())
}

/// The p of several comparisons, adjusted so that with no difference anywhere, the chance that any of them falls below a bound is
/// at most that bound. Holm 1979, *A simple sequentially rejective multiple test procedure*. NaN stays NaN and does not count.
///
/// ```
/// assert_eq!(gradus_metrics::t_test::holm(&[0.01, 0.5, 0.03]), [0.03, 0.5, 0.06]);
/// ```
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..p.len()).filter(|&i| !p[i].is_nan()).collect();
    order.sort_by(|&a, &b| p[a].total_cmp(&p[b]));
    let mut adjusted = vec![f64::NAN; p.len()];
    let mut most = 0.0_f64;
    for (rank, &i) in order.iter().enumerate() {
        most = most.max(((order.len() - rank) as f64 * p[i]).min(1.0));
        adjusted[i] = most;
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_that_are_all_alike() {
        let same = TTest::corrected(&[0.1; 5], 1, 4);
        assert_eq!((same.t, same.p, same.interval(0.95)), (f64::INFINITY, 0.0, [0.1, 0.1]));
        let none = TTest::paired(&[0.0; 3]);
        assert!(none.t.is_nan() && none.p.is_nan());
        let one = TTest::paired(&[0.3]);
        assert!(one.mean == 0.3 && one.p.is_nan() && one.interval(0.95)[0].is_nan());
        assert!(TTest::paired(&[]).mean.is_nan());
    }

    #[test]
    fn holm_keeps_the_order_and_leaves_out_what_is_undefined() {
        assert_eq!(holm(&[0.04, f64::NAN, 0.01])[..1], [0.04]);
        assert_eq!(holm(&[0.9, 0.8]), [1.0, 1.0]);
        assert_eq!(holm(&[0.02, 0.021, 0.022]), [0.06, 0.06, 0.06]);
        assert!(holm(&[]).is_empty());
    }
}
