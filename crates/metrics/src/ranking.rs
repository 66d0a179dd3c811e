//! Area under the receiver operating characteristic, exact with ties.
//!
//! The AUC is the chance that a positive row scores above a negative one, ties counting half (Mann & Whitney 1947;
//! Hanley & McNeil 1982). Tied scores form one step of the curve, so the result does not depend on their order.

use crate::error::MetricError;

/// Area under the ROC curve: `scores: [n]` (any monotone score), `positive: [n]`.
///
/// NaN where there is no positive or no negative row.
///
/// # Errors
/// [`MetricError::Length`]; [`MetricError::NotAProbability`] for a NaN score.
///
/// ```
/// let auc = gradus_metrics::ranking::roc_auc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true])?;
/// assert_eq!(auc, 0.75);
/// # Ok::<(), gradus_metrics::MetricError>(())
/// ```
pub fn roc_auc<T: Copy + Into<f64>>(scores: &[T], positive: &[bool]) -> Result<f64, MetricError> {
    let (mut hits, mut misses, mut half_pairs) = (0_u64, 0_u64, 0_u128);
    for (tied_hits, tied_misses) in ties(scores, positive)? {
        // Twice the number of pairs won: every earlier (higher) positive beats these negatives, ties win half.
        half_pairs += u128::from(tied_misses) * u128::from(2 * hits + tied_hits);
        hits += tied_hits;
        misses += tied_misses;
    }
    Ok(half_pairs as f64 / (2.0 * hits as f64 * misses as f64))
}

/// The ROC curve from (0, 0) to (1, 1): (false positive rate, true positive rate) after each distinct score, downwards.
///
/// Empty where there is no positive or no negative row.
///
/// # Errors
/// As [`roc_auc`].
pub fn roc_curve<T: Copy + Into<f64>>(scores: &[T], positive: &[bool]) -> Result<Vec<(f64, f64)>, MetricError> {
    let ties = ties(scores, positive)?;
    let hits: u64 = ties.iter().map(|tie| tie.0).sum();
    let misses: u64 = ties.iter().map(|tie| tie.1).sum();
    if hits == 0 || misses == 0 {
        return Ok(Vec::new());
    }
    let mut points = vec![(0.0, 0.0)];
    let mut seen = (0, 0);
    for (tied_hits, tied_misses) in ties {
        seen = (seen.0 + tied_hits, seen.1 + tied_misses);
        points.push((seen.1 as f64 / misses as f64, seen.0 as f64 / hits as f64));
    }
    Ok(points)
}

/// For each distinct score, highest first: how many positive and negative rows have it.
fn ties<T: Copy + Into<f64>>(scores: &[T], positive: &[bool]) -> Result<Vec<(u64, u64)>, MetricError> {
    if scores.len() != positive.len() {
        let (expected, received) = (positive.len(), scores.len());
        return Err(MetricError::Length { what: "scores", expected, received });
    }
    let mut rows: Vec<(f64, bool)> =
        scores.iter().zip(positive).map(|(&score, &positive)| (score.into(), positive)).collect();
    if let Some(row) = rows.iter().position(|row| row.0.is_nan()) {
        return Err(MetricError::NotAProbability { row, value: f64::NAN });
    }
    rows.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    Ok(rows
        .chunk_by(|a, b| a.0 == b.0)
        .map(|tied| {
            let hits = tied.iter().filter(|row| row.1).count() as u64;
            (hits, tied.len() as u64 - hits)
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_count_of_pairs() {
        let scores: Vec<f64> = (0..60).map(|i| f64::from(i * 7919 % 13)).collect();
        let positive: Vec<bool> = (0..60).map(|i| i * 31 % 7 < 3).collect();
        let (mut won, mut pairs) = (0.0, 0.0);
        for i in (0..60).filter(|&i| positive[i]) {
            for j in (0..60).filter(|&j| !positive[j]) {
                pairs += 1.0;
                won += if scores[i] > scores[j] {
                    1.0
                } else if scores[i] == scores[j] {
                    0.5
                } else {
                    0.0
                };
            }
        }
        assert_eq!(roc_auc(&scores, &positive).unwrap(), won / pairs);
    }

    #[test]
    fn zero_and_negative_zero_are_tied() {
        assert_eq!(roc_auc(&[0.0, -0.0], &[true, false]).unwrap(), 0.5);
        assert!(roc_auc(&[0.3], &[true]).unwrap().is_nan());
        assert!(roc_auc(&[f64::NAN, 1.0], &[true, false]).is_err());
    }
}
