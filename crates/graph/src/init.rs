//! How variables start.

use gradus_tensor::Rng;
use std::fmt::Debug;

/// A rule for the first values of a variable.
pub trait Init: Debug + Send + Sync + 'static {
    /// `len = Π shape` values for a variable of this shape, from a generator of its own.
    fn values(&self, shape: &[usize], rng: &mut Rng) -> Vec<f64>;
}

/// A stream of random numbers for a name: adding a layer leaves the numbers of all others as they were (FNV-1a).
pub(crate) fn stream(name: &str) -> u32 {
    name.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// The same number everywhere.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Constant(pub f64);

impl Init for Constant {
    fn values(&self, shape: &[usize], _rng: &mut Rng) -> Vec<f64> {
        vec![self.0; shape.iter().product()]
    }
}

/// Given numbers, in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub struct Values(pub Vec<f64>);

impl Init for Values {
    /// The given numbers, cut or filled up with zeros to the variable's size.
    fn values(&self, shape: &[usize], _rng: &mut Rng) -> Vec<f64> {
        let mut values = self.0.clone();
        values.resize(shape.iter().product(), 0.0);
        values
    }
}
