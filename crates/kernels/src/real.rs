//! The element types.

use std::fmt::Debug;
use std::ops::{Add, Div, Mul, Sub};

/// An element type: `f32` for training, `f64` for checking gradients.
pub trait Real:
    Copy
    + Default
    + PartialEq
    + PartialOrd
    + Debug
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + crate::simd::Element
    + crate::code::Compiled
{
    /// The type's name in messages and files.
    const NAME: &'static str;
    /// The nearest number of this type.
    fn from_f64(x: f64) -> Self;
    /// The same number in `f64`, exactly.
    fn to_f64(self) -> f64;
}

impl Real for f32 {
    const NAME: &'static str = "f32";
    #[inline(always)]
    fn from_f64(x: f64) -> f32 {
        x as f32
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const NAME: &'static str = "f64";
    #[inline(always)]
    fn from_f64(x: f64) -> f64 {
        x
    }
    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }
}
