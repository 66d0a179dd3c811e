//! An image with a border of zeros, so that windows never leave it.

use crate::Real;
use crate::copy::row_copy;
use crate::simd::Simd;

/// Which part of an image is copied into which padded one; channels are last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Halo {
    /// Sizes of the image.
    image: [usize; 3],
    channels: usize,
    /// Zeros before the image.
    before: [usize; 3],
    /// Sizes with the border; what does not fit is not needed.
    padded: [usize; 3],
}

impl Halo {
    pub fn new(image: [usize; 3], channels: usize, before: [usize; 3], padded: [usize; 3]) -> Halo {
        Halo { image, channels, before, padded }
    }

    /// Whether the image can be used as it is.
    pub fn is_none(&self) -> bool {
        (0..3).all(|k| self.before[k] == 0 && self.padded[k] <= self.image[k])
    }

    /// Elements of the padded image, 0 if the image is used as it is.
    pub fn len(&self) -> usize {
        if self.is_none() { 0 } else { self.padded.iter().product::<usize>() * self.channels }
    }

    /// From one step along each axis to the next, in what windows move over.
    pub fn strides(&self) -> [usize; 3] {
        let sizes = if self.is_none() { self.image } else { self.padded };
        [sizes[1] * sizes[2] * self.channels, sizes[2] * self.channels, self.channels]
    }

    /// Writes the border.
    ///
    /// # Safety
    /// There is room for the padded image at `y`.
    pub unsafe fn clear<T: Real>(&self, y: *mut T) {
        // SAFETY: the caller's.
        unsafe { std::slice::from_raw_parts_mut(y, self.len()).fill(T::from_f64(0.0)) }
    }

    /// Copies an image inside the border.
    ///
    /// # Safety
    /// There is an image at `x` and a padded one at `y`.
    #[inline(always)]
    pub unsafe fn fill<S: Simd>(&self, y: *mut S::T, x: *const S::T) {
        let fits = |k: usize| self.image[k].min(self.padded[k] - self.before[k].min(self.padded[k]));
        let [d, h, w] = [fits(0), fits(1), fits(2)];
        let c = self.channels;
        if w * c == 0 {
            // Nothing but border: where a row would begin need not lie in the image.
            return;
        }
        for i in 0..d {
            for j in 0..h {
                let from = (i * self.image[1] + j) * self.image[2] * c;
                let row = (i + self.before[0]) * self.padded[1] + j + self.before[1];
                let to = (row * self.padded[2] + self.before[2]) * c;
                // SAFETY: the caller's; the row fits.
                unsafe { row_copy::<S>(y.add(to), x.add(from), w * c) }
            }
        }
    }
}
