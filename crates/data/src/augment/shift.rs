//! Pictures moved by a few pixels.

use super::offset::{Fill, check, draw, offset};
use super::{Augmentation, Picture};
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Moves each picture down and right by whole pixels, each drawn from `-pixels` to `pixels` with equal chances.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shift {
    /// The furthest, in pixels: at least 1, and below the pictures' sides.
    pub pixels: usize,
    /// What fills the place that it leaves: `{ constant = 0.0 }`, `"edge"` or `"reflect"`.
    #[serde(default)]
    pub fill: Fill,
}

impl Shift {
    /// By so many pixels at most, with zeros around.
    pub fn new(pixels: usize) -> Shift {
        Shift { pixels, fill: Fill::default() }
    }
}

impl Augmentation for Shift {
    fn check(&self, picture: Option<Picture>) -> Result<(), DataError> {
        check(("shift.pixels", "shift.fill"), self.pixels, self.fill, picture)
    }

    fn apply(&self, words: [u32; 4], picture: Picture, x: &[f32], y: &mut [f32]) {
        offset((draw(words[0], self.pixels), draw(words[1], self.pixels)), self.fill, picture, x, y);
    }
}

impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shift by up to {} pixels, {}", self.pixels, self.fill)
    }
}
