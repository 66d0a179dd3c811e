//! Moving a picture within its frame, and what fills the place that it leaves.

use super::Picture;
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What fills the place that a picture leaves.
///
/// ```
/// use gradus_data::augment::{Fill, Shift};
/// let shift: Shift = toml::from_str("pixels = 4\nfill = \"reflect\"").unwrap();
/// assert_eq!(shift.fill, Fill::Reflect);
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fill {
    /// One number, in the units that the transforms give: 0 is black for raw or min-max pictures, and the mean after a z-score.
    Constant(f32),
    /// The nearest pixel of the picture.
    Edge,
    /// The picture mirrored at its outermost pixels, which are not repeated.
    Reflect,
}

impl Default for Fill {
    fn default() -> Fill {
        Fill::Constant(0.0)
    }
}

impl fmt::Display for Fill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fill::Constant(value) => write!(f, "{value} around"),
            Fill::Edge => write!(f, "edges repeated"),
            Fill::Reflect => write!(f, "edges mirrored"),
        }
    }
}

/// Checks how far a picture is moved, and the fill.
pub(super) fn check(
    (option, fill_option): (&'static str, &'static str),
    most: usize,
    fill: Fill,
    picture: Option<Picture>,
) -> Result<(), DataError> {
    let fault = |option, received: String, expected: String| Err(DataError::Option { option, received, expected });
    if most == 0 {
        return fault(option, "0".to_string(), "it must be at least 1".to_string());
    }
    check_fill(fill_option, fill)?;
    let Some(Picture { height, width, .. }) = picture else { return Ok(()) };
    let (side, name) = if height <= width { (height, "height") } else { (width, "width") };
    if most >= side {
        return fault(option, most.to_string(), format!("it must be below the {side} pixels of the pictures' {name}"));
    }
    Ok(())
}

/// Checks the fill alone.
pub(super) fn check_fill(option: &'static str, fill: Fill) -> Result<(), DataError> {
    match fill {
        Fill::Constant(value) if !value.is_finite() => {
            let expected = "it must be a finite number".to_string();
            Err(DataError::Option { option, received: value.to_string(), expected })
        }
        _ => Ok(()),
    }
}

/// A whole number from `-most` to `most`.
pub(super) fn draw(word: u32, most: usize) -> isize {
    let count = 2 * most as u64 + 1;
    ((u64::from(word) * count) >> 32) as isize - most as isize
}

/// Moves `x` down by `down` and right by `right` pixels, either may be negative, each smaller than its side.
pub(super) fn offset((down, right): (isize, isize), fill: Fill, picture: Picture, x: &[f32], y: &mut [f32]) {
    let Picture { height, width, .. } = picture;
    // Where the row or column that comes to `at` was.
    let origin = |at: usize, moved: isize, side: usize| -> Option<usize> {
        let (from, last) = (at as isize - moved, side as isize - 1);
        match fill {
            _ if (0..=last).contains(&from) => Some(from as usize),
            Fill::Constant(_) => None,
            Fill::Edge => Some(from.clamp(0, last) as usize),
            Fill::Reflect if from < 0 => Some(-from as usize),
            Fill::Reflect => Some((2 * last - from) as usize),
        }
    };
    let around = if let Fill::Constant(value) = fill { value } else { 0.0 };
    // The columns from `first` to `end` lie in the picture before and after.
    let (first, end) = (right.max(0) as usize, (width as isize + right.min(0)) as usize);
    let from = (first as isize - right) as usize;
    let planes = x.chunks_exact(height * width).zip(y.chunks_exact_mut(height * width));
    for (x, y) in planes {
        for (row, place) in y.chunks_exact_mut(width).enumerate() {
            let Some(row) = origin(row, down, height) else {
                place.fill(around);
                continue;
            };
            let source = &x[row * width..][..width];
            place[first..end].copy_from_slice(&source[from..from + (end - first)]);
            for column in (0..first).chain(end..width) {
                place[column] = origin(column, right, width).map_or(around, |column| source[column]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PICTURE: Picture = Picture { channels: 1, height: 3, width: 3 };

    fn moved(by: (isize, isize), fill: Fill) -> Vec<f32> {
        let x: Vec<f32> = (1..=9).map(|i| i as f32).collect();
        let mut y = vec![f32::NAN; 9];
        offset(by, fill, PICTURE, &x, &mut y);
        y
    }

    #[test]
    fn pictures_move_and_their_place_is_filled() {
        assert_eq!(moved((0, 0), Fill::Edge), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0]);
        assert_eq!(moved((1, 0), Fill::Constant(0.5)), [0.5, 0.5, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        assert_eq!(moved((-1, 1), Fill::Constant(0.0)), [0.0, 4.0, 5.0, 0.0, 7.0, 8.0, 0.0, 0.0, 0.0]);
        assert_eq!(moved((0, -2), Fill::Edge), [3.0, 3.0, 3.0, 6.0, 6.0, 6.0, 9.0, 9.0, 9.0]);
        // numpy.pad([1, 2, 3], 2, mode = "reflect") is 3 2 1 2 3 2 1.
        assert_eq!(moved((0, 2), Fill::Reflect), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0, 9.0, 8.0, 7.0]);
        assert_eq!(moved((0, -2), Fill::Reflect), [3.0, 2.0, 1.0, 6.0, 5.0, 4.0, 9.0, 8.0, 7.0]);
        assert_eq!(moved((2, 0), Fill::Reflect), [7.0, 8.0, 9.0, 4.0, 5.0, 6.0, 1.0, 2.0, 3.0]);
    }

    #[test]
    fn every_distance_is_as_likely() {
        let mut counts = [0; 9];
        let mut rng = gradus_tensor::Rng::new(1, 2, 3);
        for _ in 0..9000 {
            counts[(draw(rng.word(), 4) + 4) as usize] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!((draw(0, 4), draw(u32::MAX, 4)), (-4, 4));
    }
}
