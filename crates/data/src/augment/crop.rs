//! Random parts of padded pictures. Lee et al. 2015, arXiv:1409.5185, and the usual recipe for CIFAR since He et al. 2016.

use super::offset::{Fill, check, draw, offset};
use super::{Augmentation, Picture};
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Pads each picture on all sides, then cuts out a part of the old size, wherever it may lie with equal chances: `pad = 4` for the
/// 32×32 pictures of CIFAR. It comes to the same as [`Shift`](super::Shift) by up to `pad` pixels.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Crop {
    /// The padding of each side in pixels: at least 1, and below the pictures' sides.
    pub pad: usize,
    /// What the padding is made of: `{ constant = 0.0 }`, `"edge"` or `"reflect"`.
    #[serde(default)]
    pub fill: Fill,
}

impl Crop {
    /// With so much padding of zeros.
    pub fn new(pad: usize) -> Crop {
        Crop { pad, fill: Fill::default() }
    }
}

impl Augmentation for Crop {
    fn check(&self, picture: Option<Picture>) -> Result<(), DataError> {
        check(("crop.pad", "crop.fill"), self.pad, self.fill, picture)
    }

    fn apply(&self, words: [u32; 4], picture: Picture, x: &[f32], y: &mut [f32]) {
        offset((draw(words[0], self.pad), draw(words[1], self.pad)), self.fill, picture, x, y);
    }
}

impl fmt::Display for Crop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "crop after padding by {}, {}", self.pad, self.fill)
    }
}
