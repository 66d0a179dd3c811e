//! Pictures made larger or smaller.

use super::offset::{Fill, check_fill};
use super::{Augmentation, Picture};
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Makes what each picture shows larger or smaller by a factor drawn between `low` and `high`, all with equal chances. The middle of
/// the picture stays where it is, and the picture keeps its size: `y(p) = x(c + (p - c)/factor)` with the middle `c`, read between pixels
/// by bilinear interpolation.
///
/// ```
/// use gradus_data::augment::{Fill, Zoom};
/// let zoom: Zoom = toml::from_str("low = 0.5\nhigh = 1.5").unwrap();
/// assert_eq!((zoom.high, zoom.fill), (1.5, Fill::Constant(0.0)));
/// ```
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zoom {
    /// The smallest factor, above 0: 0.5 halves both sides of what is shown.
    pub low: f64,
    /// The largest factor, at least `low`.
    pub high: f64,
    /// What lies around a picture: `{ constant = 0.0 }`, `"edge"` or `"reflect"`.
    #[serde(default)]
    pub fill: Fill,
}

impl Zoom {
    /// By factors from `low` to `high`, with zeros around.
    pub fn new(low: f64, high: f64) -> Zoom {
        Zoom { low, high, fill: Fill::default() }
    }
}

impl Augmentation for Zoom {
    fn check(&self, _: Option<Picture>) -> Result<(), DataError> {
        let fault = |option, received: f64, expected: &str| {
            Err(DataError::Option { option, received: received.to_string(), expected: expected.to_string() })
        };
        if !(self.low > 0.0 && self.low.is_finite()) {
            return fault("zoom.low", self.low, "it must be above 0; 1 leaves a picture as it is");
        }
        if !(self.high >= self.low && self.high.is_finite()) {
            return fault("zoom.high", self.high, &format!("it must be at least `low`, which is {}", self.low));
        }
        check_fill("zoom.fill", self.fill)
    }

    fn apply(&self, words: [u32; 4], picture: Picture, x: &[f32], y: &mut [f32]) {
        let share = f64::from(words[0]) / f64::from(u32::MAX);
        zoom(self.low + (self.high - self.low) * share, self.fill, picture, x, y);
    }
}

impl fmt::Display for Zoom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zoom by {} to {}, {}", self.low, self.high, self.fill)
    }
}

/// A place on one axis: the two pixels beside it, `None` where the fill is a constant and the pixel lies outside, and the second one's share.
type Place = ([Option<usize>; 2], f32);

fn zoom(factor: f64, fill: Fill, picture: Picture, x: &[f32], y: &mut [f32]) {
    let Picture { height, width, .. } = picture;
    let around = if let Fill::Constant(value) = fill { value } else { 0.0 };
    let columns: Vec<Place> = places(factor, fill, width).collect();
    for (x, y) in x.chunks_exact(height * width).zip(y.chunks_exact_mut(height * width)) {
        for (([above, below], down), row) in places(factor, fill, height).zip(y.chunks_exact_mut(width)) {
            let pixel = |row: Option<usize>, column: Option<usize>| match (row, column) {
                (Some(row), Some(column)) => x[row * width + column],
                _ => around,
            };
            for (&([left, right], across), place) in columns.iter().zip(row) {
                let between = |row| (1.0 - across) * pixel(row, left) + across * pixel(row, right);
                *place = (1.0 - down) * between(above) + down * between(below);
            }
        }
    }
}

/// Where each pixel of an axis of `side` pixels comes from.
fn places(factor: f64, fill: Fill, side: usize) -> impl Iterator<Item = Place> {
    let middle = (side as f64 - 1.0) / 2.0;
    (0..side).map(move |at| {
        let from = middle + (at as f64 - middle) / factor;
        let first = from.floor();
        ([inside(first, fill, side), inside(first + 1.0, fill, side)], (from - first) as f32)
    })
}

/// The pixel at `at`, or the one that stands for it outside.
fn inside(at: f64, fill: Fill, side: usize) -> Option<usize> {
    let last = side as f64 - 1.0;
    match fill {
        _ if (0.0..=last).contains(&at) => Some(at as usize),
        Fill::Constant(_) => None,
        Fill::Edge => Some(at.clamp(0.0, last) as usize),
        Fill::Reflect if side == 1 => Some(0),
        Fill::Reflect => {
            let around = at.rem_euclid(2.0 * last);
            Some(around.min(2.0 * last - around) as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zoomed(factor: f64, fill: Fill, (height, width): (usize, usize), x: &[f32]) -> Vec<f32> {
        let mut y = vec![f32::NAN; x.len()];
        zoom(factor, fill, Picture { channels: x.len() / (height * width), height, width }, x, &mut y);
        y
    }

    #[test]
    fn the_middle_stays_and_what_lies_between_is_interpolated() {
        let x: Vec<f32> = (1..=9).map(|i| i as f32).collect();
        assert_eq!(zoomed(1.0, Fill::default(), (3, 3), &x), x);
        assert_eq!(zoomed(2.0, Fill::default(), (3, 3), &x), [3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 6.5, 7.0]);
        assert_eq!(zoomed(0.5, Fill::default(), (3, 3), &x), [0.0, 0.0, 0.0, 0.0, 5.0, 0.0, 0.0, 0.0, 0.0]);
        // Even sides: the middle lies between two pixels, and the outermost places half a pixel outside.
        assert_eq!(zoomed(0.5, Fill::Constant(8.0), (1, 2), &[2.0, 4.0]), [5.0, 6.0]);
        assert_eq!(zoomed(0.5, Fill::Edge, (1, 3), &[1.0, 2.0, 5.0]), [1.0, 2.0, 5.0]);
        // A row of 1 2 4 8 mirrored is … 2 4 8 4 2 1 2 4 8 4 2 1 …; a third of the size shows every third place from -3 on.
        assert_eq!(zoomed(1.0 / 3.0, Fill::Reflect, (1, 4), &[1.0, 2.0, 4.0, 8.0]), [8.0, 1.0, 8.0, 1.0]);
        // Each channel is read on its own.
        assert_eq!(zoomed(2.0, Fill::default(), (1, 2), &[2.0, 4.0, 20.0, 40.0]), [2.5, 3.5, 25.0, 35.0]);
    }

    #[test]
    fn factors_fill_their_range() {
        let picture = Picture { channels: 1, height: 1, width: 3 };
        let drawn = |word: u32| {
            let mut y = [0.0; 3];
            Zoom::new(1.0, 2.0).apply([word, 0, 0, 0], picture, &[0.0, 1.0, 2.0], &mut y);
            y[2]
        };
        assert_eq!((drawn(0), drawn(u32::MAX)), (2.0, 1.5));
        assert!((drawn(u32::MAX / 2) - (1.0 + 1.0 / 1.5)).abs() < 1e-6);
    }
}
