//! A dense array: values in row-major order (the last index moves fastest) with a shape.

use crate::error::TensorError;
use crate::values::{Element, Kind, Values};

/// A dense row-major array whose kind of number is known at run time. The shape always fits the values.
///
/// ```
/// use gradus_tensor::Tensor;
/// let x = Tensor::new([2, 3], vec![1.0f32, 2.0, 3.0, 4.0, 5.0, 6.0])?;
/// assert_eq!(x.shape(), [2, 3]);
/// assert_eq!(x.rows(), 2);
/// assert_eq!(x.select(&[1])?.to_f32(), [4.0, 5.0, 6.0]);
/// # Ok::<(), gradus_tensor::TensorError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Tensor {
    shape: Vec<usize>,
    values: Values,
}

impl Tensor {
    /// A tensor of `values` in row-major order. Fails unless the shape's sizes multiply to their number.
    pub fn new(shape: impl Into<Vec<usize>>, values: impl Into<Values>) -> Result<Tensor, TensorError> {
        let (shape, values) = (shape.into(), values.into());
        let expected = checked_len(&shape)?;
        if expected != values.len() {
            return Err(TensorError::Length { shape, expected, received: values.len() });
        }
        Ok(Tensor { shape, values })
    }

    /// `[n]`: a vector.
    pub fn vector(values: impl Into<Values>) -> Tensor {
        let values = values.into();
        Tensor { shape: vec![values.len()], values }
    }

    /// Zeros of a kind. Fails if the sizes overflow.
    pub fn zeros(shape: impl Into<Vec<usize>>, kind: Kind) -> Result<Tensor, TensorError> {
        let shape = shape.into();
        let len = checked_len(&shape)?;
        let values = match kind {
            Kind::F32 => Values::F32(vec![0.0; len]),
            Kind::F64 => Values::F64(vec![0.0; len]),
            Kind::U8 => Values::U8(vec![0; len]),
            Kind::I8 => Values::I8(vec![0; len]),
            Kind::U16 => Values::U16(vec![0; len]),
            Kind::I16 => Values::I16(vec![0; len]),
            Kind::U32 => Values::U32(vec![0; len]),
            Kind::I32 => Values::I32(vec![0; len]),
            Kind::U64 => Values::U64(vec![0; len]),
            Kind::I64 => Values::I64(vec![0; len]),
            Kind::Bool => Values::Bool(vec![false; len]),
        };
        Ok(Tensor { shape, values })
    }

    /// The sizes, outermost first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The values in row-major order.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The values as a slice of `T`, if that is their kind.
    pub fn slice<T: Element>(&self) -> Option<&[T]> {
        self.values.slice()
    }

    /// The values, to change in place, if they are `f32`.
    pub fn f32_mut(&mut self) -> Option<&mut [f32]> {
        match &mut self.values {
            Values::F32(list) => Some(list),
            _ => None,
        }
    }

    /// Shape and values.
    pub fn into_parts(self) -> (Vec<usize>, Values) {
        (self.shape, self.values)
    }

    /// The kind of number.
    pub fn kind(&self) -> Kind {
        self.values.kind()
    }

    /// How many dimensions there are.
    pub fn rank(&self) -> usize {
        self.shape.len()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there are no values.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The outermost size, 1 for a scalar.
    pub fn rows(&self) -> usize {
        self.shape.first().copied().unwrap_or(1)
    }

    /// How many values one step of the outermost dimension spans.
    pub fn row_len(&self) -> usize {
        self.shape.iter().skip(1).product()
    }

    /// All values as `f32`.
    pub fn to_f32(&self) -> Vec<f32> {
        self.values.to_f32()
    }

    /// All values as `f64`.
    pub fn to_f64(&self) -> Vec<f64> {
        self.values.to_f64()
    }

    /// The same tensor with `f32` values, without a copy where they are that already.
    pub fn into_f32(self) -> Tensor {
        Tensor { shape: self.shape, values: Values::F32(self.values.into_f32()) }
    }

    /// The axes in another order: axis `i` of the result is axis `order[i]` of this one. Panics if `order` does not name each axis once.
    ///
    /// ```
    /// use gradus_tensor::Tensor;
    /// let x = Tensor::new([2, 3], vec![1u8, 2, 3, 4, 5, 6])?;
    /// assert_eq!(x.permute(&[1, 0]), Tensor::new([3, 2], vec![1u8, 4, 2, 5, 3, 6])?);
    /// # Ok::<(), gradus_tensor::TensorError>(())
    /// ```
    pub fn permute(&self, order: &[usize]) -> Tensor {
        let mut seen = order.to_vec();
        seen.sort_unstable();
        assert!(seen.into_iter().eq(0..self.rank()), "{order:?} does not name each of {} axes once", self.rank());
        let mut strides = vec![1; self.rank()];
        for i in (1..self.rank()).rev() {
            strides[i - 1] = strides[i] * self.shape[i];
        }
        let shape: Vec<usize> = order.iter().map(|&axis| self.shape[axis]).collect();
        let strides: Vec<usize> = order.iter().map(|&axis| strides[axis]).collect();
        let mut indices = Vec::with_capacity(self.len());
        let mut at = vec![0; shape.len()];
        for _ in 0..self.len() {
            indices.push(at.iter().zip(&strides).map(|(i, stride)| i * stride).sum());
            for axis in (0..shape.len()).rev() {
                at[axis] += 1;
                if at[axis] < shape[axis] {
                    break;
                }
                at[axis] = 0;
            }
        }
        Tensor { shape, values: self.values.take_rows(1, &indices) }
    }

    /// The same values in another shape: `[..] -> shape`. Fails unless the sizes multiply to their number.
    pub fn reshape(self, shape: impl Into<Vec<usize>>) -> Result<Tensor, TensorError> {
        Tensor::new(shape, self.values)
    }

    /// The rows at `indices`, in their order, repeats allowed: `[N, ..] -> [indices.len(), ..]`.
    ///
    /// Fails on a scalar and on an index that is not less than N.
    pub fn select(&self, indices: &[usize]) -> Result<Tensor, TensorError> {
        let rows = if self.shape.is_empty() { 0 } else { self.shape[0] };
        if let Some(&index) = indices.iter().find(|&&i| i >= rows) {
            return Err(TensorError::Row { index, rows });
        }
        let mut shape = self.shape.clone();
        if let Some(first) = shape.first_mut() {
            *first = indices.len();
        }
        Tensor::new(shape, self.values.take_rows(self.row_len(), indices))
    }
}

/// The product of the sizes. Fails if it does not fit.
pub fn checked_len(shape: &[usize]) -> Result<usize, TensorError> {
    shape
        .iter()
        .try_fold(1usize, |n, &size| n.checked_mul(size))
        .ok_or_else(|| TensorError::Overflow { shape: shape.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_must_fit() {
        let error = Tensor::new([2, 3], vec![0u8; 5]).unwrap_err();
        assert_eq!(error.to_string(), "a tensor of shape [2, 3] holds 6 values, but 5 were given");
        let error = Tensor::new([usize::MAX, 2], vec![0u8; 5]).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!("the sizes [{}, 2] multiply to more than a computer can hold", usize::MAX)
        );
    }

    #[test]
    fn rows_are_selected_in_order() {
        let x = Tensor::new([3, 2], vec![0i16, 1, 10, 11, 20, 21]).unwrap();
        assert_eq!(x.select(&[2, 0, 2]).unwrap(), Tensor::new([3, 2], vec![20i16, 21, 0, 1, 20, 21]).unwrap());
        assert_eq!(
            x.select(&[3]).unwrap_err().to_string(),
            "row 3 was asked for, but there are only 3 rows (counted from 0)"
        );
        assert_eq!(x.select(&[]).unwrap().shape(), [0, 2]);
    }

    #[test]
    fn zeros_have_their_kind() {
        for kind in [
            Kind::F32,
            Kind::F64,
            Kind::U8,
            Kind::I8,
            Kind::U16,
            Kind::I16,
            Kind::U32,
            Kind::I32,
            Kind::U64,
            Kind::I64,
            Kind::Bool,
        ] {
            let x = Tensor::zeros([2, 2], kind).unwrap();
            assert_eq!(x.kind(), kind);
            assert_eq!(x.to_f32(), [0.0; 4]);
            assert_eq!(x.values().to_le_bytes().len(), 4 * kind.bytes());
        }
    }
}
