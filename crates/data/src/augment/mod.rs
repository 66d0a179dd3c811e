//! Augmentation: each epoch sees other versions of the training pictures, so that the network learns what does not matter.
//!
//! ```toml
//! [data]
//! augment = [ { flip = { horizontal = true } }, { crop = { pad = 4 } } ]
//! ```
//!
//! | augmentation | what it does |
//! |---|---|
//! | [`Flip`] | mirrors left and right, or top and bottom |
//! | [`Shift`] | moves by a few pixels |
//! | [`Crop`] | pads, then cuts out a random part of the old size |
//! | [`Zoom`] | makes larger or smaller |
//!
//! The loader does it while it gathers the batches of the training data, after the transforms; validation and test data never see
//! it. What happens to a sample depends on (seed, epoch, sample) alone: not on the batch, the thread, or where a run was resumed.
//! A test on changed pictures has them changed once, where they are read: [`Augmented`](crate::readers::Augmented).

mod crop;
mod flip;
mod offset;
mod shift;
mod zoom;

pub use crop::Crop;
pub use flip::Flip;
pub use offset::Fill;
pub use shift::Shift;
pub use zoom::Zoom;

use crate::error::DataError;
use gradus_tensor::random::block;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The random streams of augmentations: this one and those after it, one for each in the list.
pub const AUGMENT_STREAM: u32 = 0xDA7A_1000;

/// One augmentation, as a recipe writes it.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Augment {
    /// Mirrors.
    Flip(Flip),
    /// Moves by a few pixels.
    Shift(Shift),
    /// Pads and cuts out.
    Crop(Crop),
    /// Makes larger or smaller.
    Zoom(Zoom),
}

/// Reads the augmentations of a recipe: each a table with one key, or its name alone where all settings have defaults.
///
/// # Errors
/// Anything else.
pub fn list<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<Augment>, D::Error> {
    crate::named::list(deserializer)
}

/// What an augmentation does.
pub trait Augmentation: fmt::Display {
    /// What is wrong with its settings, for pictures of this shape if it is known: the setting, its value and what it must be.
    fn check(&self, picture: Option<Picture>) -> Result<(), DataError>;

    /// Writes the changed `x` into `y`, both `[channels, height, width]`; `words` are random.
    fn apply(&self, words: [u32; 4], picture: Picture, x: &[f32], y: &mut [f32]);
}

/// The shape of a picture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Picture {
    /// Channels: 3 for colours, 1 for `[height, width]`.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Picture {
    /// The picture of samples `[C, H, W]` or `[H, W]`.
    pub fn of(shape: &[usize]) -> Option<Picture> {
        match *shape {
            [height, width] => Some(Picture { channels: 1, height, width }),
            [channels, height, width] => Some(Picture { channels, height, width }),
            _ => None,
        }
    }
}

impl Augment {
    /// The one in it.
    pub fn member(&self) -> &dyn Augmentation {
        match self {
            Augment::Flip(flip) => flip,
            Augment::Shift(shift) => shift,
            Augment::Crop(crop) => crop,
            Augment::Zoom(zoom) => zoom,
        }
    }

    /// Its name in a recipe.
    pub fn key(&self) -> &'static str {
        match self {
            Augment::Flip(_) => "flip",
            Augment::Shift(_) => "shift",
            Augment::Crop(_) => "crop",
            Augment::Zoom(_) => "zoom",
        }
    }
}

impl fmt::Display for Augment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.member().fmt(f)
    }
}

/// Changes pictures one after the other, without memory of its own for each.
#[derive(Clone, Debug)]
pub(crate) struct Augmenter {
    steps: Vec<Augment>,
    picture: Picture,
    seed: u64,
    between: [Vec<f32>; 2],
}

impl Augmenter {
    /// For checked steps on samples of this shape.
    pub(crate) fn new(steps: &[Augment], shape: &[usize], seed: u64) -> Option<Augmenter> {
        let picture = Picture::of(shape).filter(|_| !steps.is_empty())?;
        let len = picture.channels * picture.height * picture.width;
        Some(Augmenter { steps: steps.to_vec(), picture, seed, between: [vec![0.0; len], vec![0.0; len]] })
    }

    /// Sample `sample` as epoch `epoch` sees it: `x` changed, into `y`.
    pub(crate) fn apply(&mut self, epoch: u64, sample: u32, x: &[f32], y: &mut [f32]) {
        let last = self.steps.len() - 1;
        let [a, b] = &mut self.between;
        let (mut from, mut to) = (a, b);
        for (i, step) in self.steps.iter().enumerate() {
            let words = block(self.seed, AUGMENT_STREAM + i as u32, epoch, sample);
            let source = if i == 0 { x } else { &from[..] };
            let place = if i == last { &mut *y } else { &mut to[..] };
            step.member().apply(words, self.picture, source, place);
            std::mem::swap(&mut from, &mut to);
        }
    }
}

/// Checks the settings of all steps, for samples of this shape.
pub(crate) fn check(steps: &[Augment], shape: &[usize]) -> Result<(), DataError> {
    let picture = Picture::of(shape);
    if picture.is_none() && !steps.is_empty() {
        return Err(DataError::Mismatch {
            expected: "pictures to augment, [channels, height, width] or [height, width],".to_string(),
            received: format!("samples of shape {shape:?}"),
            help: "leave `augment` out".to_string(),
        });
    }
    steps.iter().try_for_each(|step| step.member().check(picture))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_s_version_depends_on_seed_epoch_and_sample_alone() {
        let steps = [Augment::Flip(Flip::default()), Augment::Crop(Crop::new(1)), Augment::Shift(Shift::new(1))];
        let x: Vec<f32> = (1..=18).map(|i| i as f32).collect();
        let version = |seed, epoch, sample| {
            let mut y = vec![0.0; 18];
            Augmenter::new(&steps, &[2, 3, 3], seed).unwrap().apply(epoch, sample, &x, &mut y);
            y
        };
        assert_eq!(version(1, 2, 3), version(1, 2, 3));
        let differing = |other: &dyn Fn(u32) -> Vec<f32>| (0..50).filter(|&i| other(i) != version(1, 2, i)).count();
        assert!(differing(&|i| version(2, 2, i)) > 30);
        assert!(differing(&|i| version(1, 3, i)) > 30);
        assert!(differing(&|i| version(1, 2, i + 50)) > 30);
        let mut shared = Augmenter::new(&steps, &[2, 3, 3], 1).unwrap();
        for sample in [7, 3, 7] {
            let mut y = vec![9.0; 18];
            shared.apply(2, sample, &x, &mut y);
            assert_eq!(y, version(1, 2, sample));
        }
    }

    #[test]
    fn messages() {
        let error = |text: &str, shape: &[usize]| {
            let steps: Vec<Augment> = serde_json::from_str(text).unwrap();
            check(&steps, shape).unwrap_err().to_string()
        };
        assert_eq!(
            error(r#"[{ "flip": {} }]"#, &[13]),
            "the data do not fit: pictures to augment, [channels, height, width] or [height, width], expected, but samples of shape \
             [13] received; leave `augment` out"
        );
        assert_eq!(
            error(r#"[{ "flip": { "horizontal": false } }]"#, &[4, 4]),
            "flip.horizontal is false: it must be true if `vertical` is not; leave `flip` out to flip nothing"
        );
        assert_eq!(
            error(r#"[{ "shift": { "pixels": 4 } }]"#, &[3, 4, 8]),
            "shift.pixels is 4: it must be below the 4 pixels of the pictures' height"
        );
        assert_eq!(error(r#"[{ "crop": { "pad": 0 } }]"#, &[4, 4]), "crop.pad is 0: it must be at least 1");
        let glaring = Crop { pad: 1, fill: Fill::Constant(f32::INFINITY) };
        let error = check(&[Augment::Crop(glaring)], &[4, 4]).unwrap_err().to_string();
        assert_eq!(error, "crop.fill is inf: it must be a finite number");
        let zoom = |zoom: Zoom| check(&[Augment::Zoom(zoom)], &[4, 4]).unwrap_err().to_string();
        assert_eq!(zoom(Zoom::new(0.0, 1.0)), "zoom.low is 0: it must be above 0; 1 leaves a picture as it is");
        assert_eq!(zoom(Zoom::new(0.5, 0.4)), "zoom.high is 0.4: it must be at least `low`, which is 0.5");
        assert_eq!(zoom(Zoom::new(0.5, f64::NAN)), "zoom.high is NaN: it must be at least `low`, which is 0.5");
    }
}
