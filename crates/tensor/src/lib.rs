//! Shapes, tensors and their files.
//!
//! | read | for |
//! |---|---|
//! | [`shape`] | symbolic shapes: fixed sizes and multiples of the batch |
//! | [`random`] | counter-based random numbers |

pub mod random;
pub mod shape;

pub use random::Rng;
pub use shape::{Dim, Shape};
