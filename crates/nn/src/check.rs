//! Settings that are out of range.

use gradus_graph::ShapeError;
use std::ops::RangeBounds;

/// What a check of settings gives.
pub(crate) type Check = Result<(), ShapeError>;

/// A finite number in a range, which is also given in words.
pub(crate) fn within(setting: &str, value: f64, range: impl RangeBounds<f64>, words: &str) -> Check {
    if value.is_finite() && range.contains(&value) {
        return Ok(());
    }
    let help = format!("correct the setting `{setting}`");
    Err(ShapeError::new(format!("`{setting}` {words}"), value.to_string(), help))
}

/// A finite number above 0.
pub(crate) fn positive(setting: &str, value: f64) -> Check {
    within(setting, value, f64::MIN_POSITIVE.., "above 0")
}

/// A finite number of at least 0.
pub(crate) fn not_negative(setting: &str, value: f64) -> Check {
    within(setting, value, 0.0.., "of at least 0")
}

/// A finite number.
pub(crate) fn finite(setting: &str, value: f64) -> Check {
    within(setting, value, .., "that is finite")
}

/// A decay rate of an average: at least 0 and below 1.
pub(crate) fn below_one(setting: &str, value: f64) -> Check {
    within(setting, value, 0.0..1.0, "of at least 0 and below 1")
}

/// At least 1, and not so large that a product of two such sizes would overflow.
pub(crate) fn at_least_one(setting: &str, value: usize) -> Check {
    let expected = match value {
        0 => format!("`{setting}` of at least 1"),
        1..=LARGEST => return Ok(()),
        _ => format!("`{setting}` of at most 2³¹"),
    };
    Err(ShapeError::new(expected, value.to_string(), format!("correct the setting `{setting}`")))
}

const LARGEST: usize = 1 << 31;

/// Times in order: at least one, each above the one before, the first above 0.
pub(crate) fn rising(setting: &str, values: &[f64]) -> Check {
    let help = format!("correct the setting `{setting}`");
    if values.is_empty() {
        return Err(ShapeError::new(format!("at least one number in `{setting}`"), "none", help));
    }
    let in_order = values[0] > 0.0 && values.windows(2).all(|pair| pair[0] < pair[1]);
    if in_order && values.iter().all(|x| x.is_finite()) {
        return Ok(());
    }
    Err(ShapeError::new(format!("`{setting}` above 0 and in rising order"), format!("{values:?}"), help))
}
