//! Shapes, tensors and their files.
//!
//! | read | for |
//! |---|---|
//! | [`shape`] | symbolic shapes: fixed sizes and multiples of the batch |
//! | [`random`] | counter-based random numbers |
//! | [`values`] | a flat list of numbers of one kind, chosen at run time |
//! | [`tensor`] | [`Tensor`]: values with a shape |
//! | [`npy`], [`npz`] | NumPy's files: one array, or a zip archive of named arrays |
//! | [`safetensors`] | named tensors with text metadata: our model files |
//! | [`decode`] | values from a stream of bytes, without trust in what a header says |
//! | [`half`] | numbers of 16 bits |
//! | [`sniff`] | what a file looks like, for error messages |
//! | [`atomic`] | writing a file all or nothing |
//! | [`error`] | [`TensorError`]: everything that can go wrong here |

pub mod atomic;
pub mod decode;
pub mod error;
pub mod half;
pub mod npy;
pub mod npz;
pub mod random;
pub mod safetensors;
pub mod shape;
pub mod sniff;
pub mod tensor;
pub mod values;

pub use atomic::write_atomic;
pub use error::TensorError;
pub use random::Rng;
pub use shape::{Dim, Shape};
pub use sniff::Format;
pub use tensor::Tensor;
pub use values::{Element, Kind, Summary, Values};
