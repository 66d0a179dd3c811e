//! Entropy, conditional entropy and mutual information, in nats.
//!
//! `H(p) = -Σ p ln p`, `H(Y|X) = -Σ p(x,y) ln p(y|x)`, `I(X;Y) = Σ p(x,y) ln(p(x,y) / (p(x)p(y)))`, with `0 ln 0 = 0`.
//! Cover & Thomas 2006, chapter 2. Inputs may be probabilities or counts: they are divided by their sum.

use crate::error::MetricError;

/// Entropy of a distribution `weights: [n]`; NaN where all weights are 0.
///
/// # Errors
/// [`MetricError::NotAWeight`].
///
/// ```
/// use gradus_metrics::information::entropy;
/// assert!((entropy(&[0.5, 0.5])? - 2.0_f64.ln()).abs() < 1e-15);
/// assert_eq!(entropy(&[3.0, 0.0])?, 0.0);
/// # Ok::<(), gradus_metrics::MetricError>(())
/// ```
pub fn entropy(weights: &[f64]) -> Result<f64, MetricError> {
    let total = total(weights)?;
    let sum: f64 = weights.iter().map(|&weight| plogp(weight / total, 1.0)).sum();
    Ok(if total == 0.0 { f64::NAN } else { sum.abs() })
}

/// Entropy of `Y` that is left once `X` is known: `joint: [x, y]` row by row, `columns` the number of `y` values.
///
/// # Errors
/// [`MetricError::NotAWeight`]; [`MetricError::Length`] when the rows are not whole.
pub fn conditional_entropy(joint: &[f64], columns: usize) -> Result<f64, MetricError> {
    let total = total(joint)?;
    let mut sum = 0.0;
    for row in rows(joint, columns)? {
        let given = row.iter().sum::<f64>() / total;
        sum -= row.iter().map(|&weight| plogp(weight / total, given)).sum::<f64>();
    }
    Ok(if total == 0.0 { f64::NAN } else { sum.max(0.0) })
}

/// Information that `X` and `Y` share: `joint: [x, y]` row by row, `columns` the number of `y` values.
///
/// # Errors
/// [`MetricError::NotAWeight`]; [`MetricError::Length`] when the rows are not whole.
///
/// ```
/// use gradus_metrics::information::mutual_information;
/// assert!(mutual_information(&[0.25, 0.25, 0.25, 0.25], 2)?.abs() < 1e-15); // independent
/// # Ok::<(), gradus_metrics::MetricError>(())
/// ```
pub fn mutual_information(joint: &[f64], columns: usize) -> Result<f64, MetricError> {
    let total = total(joint)?;
    let mut of_y = vec![0.0; columns.min(joint.len())];
    for row in rows(joint, columns)? {
        for (sum, weight) in of_y.iter_mut().zip(row) {
            *sum += weight / total;
        }
    }
    let mut sum = 0.0;
    for row in rows(joint, columns)? {
        let of_x = row.iter().sum::<f64>() / total;
        sum += row.iter().zip(&of_y).map(|(&weight, of_y)| plogp(weight / total, of_x * of_y)).sum::<f64>();
    }
    Ok(if total == 0.0 { f64::NAN } else { sum.max(0.0) })
}

/// `p ln(p / base)`, 0 at `p = 0`.
fn plogp(p: f64, base: f64) -> f64 {
    if p == 0.0 { 0.0 } else { p * (p / base).ln() }
}

fn total(weights: &[f64]) -> Result<f64, MetricError> {
    match weights.iter().position(|weight| !weight.is_finite() || *weight < 0.0) {
        Some(index) => Err(MetricError::NotAWeight { index, value: weights[index] }),
        None => Ok(weights.iter().sum()),
    }
}

fn rows(joint: &[f64], columns: usize) -> Result<std::slice::ChunksExact<'_, f64>, MetricError> {
    if columns == 0 || !joint.len().is_multiple_of(columns) {
        let expected = joint.len() / columns.max(1) * columns;
        return Err(MetricError::Length { what: "joint distribution in whole rows", expected, received: joint.len() });
    }
    Ok(joint.chunks_exact(columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chain_rule_holds() {
        let joint = [3.0, 1.0, 0.0, 2.0, 5.0, 4.0];
        let of_x = [4.0, 11.0];
        let of_y = [5.0, 6.0, 4.0];
        let given = conditional_entropy(&joint, 3).unwrap();
        let chain = entropy(&of_x).unwrap() + given;
        assert!((entropy(&joint).unwrap() - chain).abs() < 1e-14);
        let shared = entropy(&of_y).unwrap() - given;
        assert!((mutual_information(&joint, 3).unwrap() - shared).abs() < 1e-14);
    }

    #[test]
    fn refuses_what_is_no_distribution() {
        assert!(matches!(entropy(&[0.5, -0.5]), Err(MetricError::NotAWeight { index: 1, .. })));
        assert!(mutual_information(&[1.0, 2.0, 3.0], 2).is_err());
        assert!(conditional_entropy(&[1.0], 0).is_err());
        assert!(entropy(&[0.0]).unwrap().is_nan() && entropy(&[]).unwrap().is_nan());
    }
}
