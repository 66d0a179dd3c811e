//! Symbolic and concrete shapes.
//!
//! A symbolic [`Shape`] is a list of [`Dim`]s. Every dimension is either a fixed number or a multiple of the batch size, so
//! `[B, T, D] -> [T·B, D]` needs no solver and every other size is known before any data is read.

use std::fmt;

/// One dimension: a fixed size, or a multiple of the batch size.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Dim {
    /// This many elements, whatever the batch.
    Fixed(usize),
    /// This many times the batch size: `Batch(k)` is k·B.
    Batch(usize),
}

impl Dim {
    /// The size at a given batch size.
    ///
    /// ```
    /// use gradus_tensor::Dim;
    /// assert_eq!(Dim::Fixed(3).at(64), 3);
    /// assert_eq!(Dim::Batch(2).at(64), 128);
    /// ```
    pub fn at(self, batch: usize) -> usize {
        match self {
            Dim::Fixed(n) => n,
            Dim::Batch(k) => k * batch,
        }
    }

    /// The size, if it does not depend on the batch.
    pub fn fixed(self) -> Option<usize> {
        match self {
            Dim::Fixed(n) => Some(n),
            Dim::Batch(_) => None,
        }
    }

    /// The product of two dimensions; none if both depend on the batch.
    ///
    /// ```
    /// use gradus_tensor::Dim;
    /// assert_eq!(Dim::Batch(2).times(Dim::Fixed(5)), Some(Dim::Batch(10)));
    /// assert_eq!(Dim::Batch(2).times(Dim::Batch(1)), None);
    /// ```
    pub fn times(self, other: Dim) -> Option<Dim> {
        match (self, other) {
            (Dim::Fixed(a), Dim::Fixed(b)) => Some(Dim::Fixed(a * b)),
            (Dim::Fixed(a), Dim::Batch(b)) | (Dim::Batch(a), Dim::Fixed(b)) => Some(Dim::Batch(a * b)),
            (Dim::Batch(_), Dim::Batch(_)) => None,
        }
    }
}

impl From<usize> for Dim {
    fn from(n: usize) -> Dim {
        Dim::Fixed(n)
    }
}

impl fmt::Display for Dim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Dim::Fixed(n) => write!(f, "{n}"),
            Dim::Batch(1) => write!(f, "B"),
            Dim::Batch(k) => write!(f, "{k}B"),
        }
    }
}

/// The shape of a node in a graph, outermost dimension first. A scalar has no dimensions.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Shape(Vec<Dim>);

impl Shape {
    /// A shape from its dimensions.
    pub fn new(dims: impl Into<Vec<Dim>>) -> Shape {
        Shape(dims.into())
    }

    /// The shape of a single number.
    pub fn scalar() -> Shape {
        Shape::default()
    }

    /// `[B, sizes…]`: one batch of values of a fixed shape.
    pub fn batched(sizes: &[usize]) -> Shape {
        Shape(std::iter::once(Dim::Batch(1)).chain(sizes.iter().map(|&n| Dim::Fixed(n))).collect())
    }

    /// A shape of fixed sizes only.
    pub fn fixed(sizes: &[usize]) -> Shape {
        Shape(sizes.iter().map(|&n| Dim::Fixed(n)).collect())
    }

    /// The dimensions, outermost first.
    pub fn dims(&self) -> &[Dim] {
        &self.0
    }

    /// How many dimensions there are.
    pub fn rank(&self) -> usize {
        self.0.len()
    }

    /// The sizes at a given batch size.
    ///
    /// ```
    /// use gradus_tensor::Shape;
    /// assert_eq!(Shape::batched(&[28, 28]).at(64), [64, 28, 28]);
    /// ```
    pub fn at(&self, batch: usize) -> Vec<usize> {
        self.0.iter().map(|d| d.at(batch)).collect()
    }

    /// The number of elements at a given batch size.
    pub fn len_at(&self, batch: usize) -> usize {
        self.0.iter().map(|d| d.at(batch)).product()
    }

    /// Whether some dimension depends on the batch size.
    pub fn has_batch(&self) -> bool {
        self.0.iter().any(|d| matches!(d, Dim::Batch(_)))
    }
}

impl From<Vec<Dim>> for Shape {
    fn from(dims: Vec<Dim>) -> Shape {
        Shape(dims)
    }
}

impl<const N: usize> From<[usize; N]> for Shape {
    fn from(sizes: [usize; N]) -> Shape {
        Shape::fixed(&sizes)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[")?;
        for (i, d) in self.0.iter().enumerate() {
            if i > 0 {
                write!(f, ", ")?;
            }
            write!(f, "{d}")?;
        }
        write!(f, "]")
    }
}
