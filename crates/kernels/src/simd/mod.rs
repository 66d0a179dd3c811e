//! Vectors of numbers.

/// What a [`Real`](crate::Real) must do for the kernels.
pub trait Element {}
impl Element for f32 {}
impl Element for f64 {}
