//! Mirrored pictures.

use super::{Augmentation, Picture};
use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Mirrors every second picture, by chance: left and right, top and bottom, or each by a chance of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Flip {
    /// Whether left and right may change places.
    #[serde(default = "yes")]
    pub horizontal: bool,
    /// Whether top and bottom may change places.
    #[serde(default)]
    pub vertical: bool,
}

fn yes() -> bool {
    true
}

impl Default for Flip {
    fn default() -> Flip {
        Flip { horizontal: true, vertical: false }
    }
}

impl Augmentation for Flip {
    fn check(&self, _: Option<Picture>) -> Result<(), DataError> {
        if self.horizontal || self.vertical {
            return Ok(());
        }
        let expected = "it must be true if `vertical` is not; leave `flip` out to flip nothing".to_string();
        Err(DataError::Option { option: "flip.horizontal", received: "false".to_string(), expected })
    }

    fn apply(&self, words: [u32; 4], picture: Picture, x: &[f32], y: &mut [f32]) {
        let chance = |word: u32| word >> 31 == 1;
        let (across, down) = (self.horizontal && chance(words[0]), self.vertical && chance(words[1]));
        let Picture { height, width, .. } = picture;
        if !across && !down {
            y.copy_from_slice(x);
            return;
        }
        for (x, y) in x.chunks_exact(height * width).zip(y.chunks_exact_mut(height * width)) {
            for (row, place) in y.chunks_exact_mut(width).enumerate() {
                let source = &x[if down { height - 1 - row } else { row } * width..][..width];
                if across {
                    place.iter_mut().zip(source.iter().rev()).for_each(|(place, &x)| *place = x);
                } else {
                    place.copy_from_slice(source);
                }
            }
        }
    }
}

impl fmt::Display for Flip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (self.horizontal, self.vertical) {
            (_, false) => "flip left and right",
            (false, true) => "flip top and bottom",
            (true, true) => "flip left and right, top and bottom",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_axis_has_its_own_chance() {
        let picture = Picture { channels: 2, height: 2, width: 2 };
        let x: Vec<f32> = (1..=8).map(|i| i as f32).collect();
        let flipped = |flip: Flip, words: [u32; 2]| {
            let mut y = vec![0.0; 8];
            flip.apply([words[0], words[1], 0, 0], picture, &x, &mut y);
            y
        };
        let both = Flip { horizontal: true, vertical: true };
        assert_eq!(flipped(both, [0, 0]), x);
        assert_eq!(flipped(both, [u32::MAX, 0]), [2.0, 1.0, 4.0, 3.0, 6.0, 5.0, 8.0, 7.0]);
        assert_eq!(flipped(both, [0, u32::MAX]), [3.0, 4.0, 1.0, 2.0, 7.0, 8.0, 5.0, 6.0]);
        assert_eq!(flipped(both, [u32::MAX; 2]), [4.0, 3.0, 2.0, 1.0, 8.0, 7.0, 6.0, 5.0]);
        assert_eq!(flipped(Flip::default(), [0, u32::MAX]), x);
    }
}
