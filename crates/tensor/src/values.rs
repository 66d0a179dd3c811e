//! A flat list of numbers of one [`Kind`], where the kind is known only at run time: what a data or model file holds.

use std::fmt;

/// The kind of number a list holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// 32-bit floating point.
    F32,
    /// 64-bit floating point.
    F64,
    /// 8-bit unsigned whole numbers: pixels.
    U8,
    /// 8-bit whole numbers.
    I8,
    /// 16-bit unsigned whole numbers.
    U16,
    /// 16-bit whole numbers.
    I16,
    /// 32-bit unsigned whole numbers.
    U32,
    /// 32-bit whole numbers.
    I32,
    /// 64-bit unsigned whole numbers.
    U64,
    /// 64-bit whole numbers.
    I64,
    /// True or false, one byte each.
    Bool,
}

impl Kind {
    /// Bytes of one value.
    ///
    /// ```
    /// assert_eq!(gradus_tensor::Kind::F64.bytes(), 8);
    /// ```
    pub fn bytes(self) -> usize {
        match self {
            Kind::U8 | Kind::I8 | Kind::Bool => 1,
            Kind::U16 | Kind::I16 => 2,
            Kind::F32 | Kind::U32 | Kind::I32 => 4,
            Kind::F64 | Kind::U64 | Kind::I64 => 8,
        }
    }

    /// The name people write: `f32`, `u8`, `bool`, …
    pub fn name(self) -> &'static str {
        match self {
            Kind::F32 => "f32",
            Kind::F64 => "f64",
            Kind::U8 => "u8",
            Kind::I8 => "i8",
            Kind::U16 => "u16",
            Kind::I16 => "i16",
            Kind::U32 => "u32",
            Kind::I32 => "i32",
            Kind::U64 => "u64",
            Kind::I64 => "i64",
            Kind::Bool => "bool",
        }
    }

    /// Whether values can have a fraction, NaN or infinity.
    pub fn is_float(self) -> bool {
        matches!(self, Kind::F32 | Kind::F64)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A Rust type that a [`Values`] can hold.
pub trait Element: Copy + PartialEq + Send + Sync + 'static {
    /// The kind of this type.
    const KIND: Kind;
    /// The value as `f64`; 64-bit whole numbers round beyond 2⁵³, `true` is 1.
    fn to_f64(self) -> f64;
    /// The value as `f32`, rounded to nearest.
    fn to_f32(self) -> f32;
    /// The value as `i64`, without its fraction; what lies beyond becomes the nearest limit.
    fn to_i64(self) -> i64;
    /// The nearest value below a number that this type holds, `f32` to nearest; anything but 0 is `true`.
    fn from_f64(value: f64) -> Self;
    /// The list as [`Values`].
    fn wrap(list: Vec<Self>) -> Values;
    /// The list, if it is of this type.
    fn unwrap(values: &Values) -> Option<&[Self]>;
    /// The value from its bytes, least significant first; `bytes` holds exactly one value.
    fn from_bytes(bytes: &[u8]) -> Self;
    /// Appends the value's bytes, least significant first.
    fn push_le(self, out: &mut Vec<u8>);
}

/// A flat list of numbers of one kind.
///
/// ```
/// use gradus_tensor::{Kind, Values};
/// let values = Values::from(vec![1u8, 2, 3]);
/// assert_eq!(values.kind(), Kind::U8);
/// assert_eq!(values.to_f32(), [1.0, 2.0, 3.0]);
/// ```
#[derive(Clone, PartialEq, Debug)]
pub enum Values {
    /// 32-bit floating point.
    F32(Vec<f32>),
    /// 64-bit floating point.
    F64(Vec<f64>),
    /// 8-bit unsigned whole numbers.
    U8(Vec<u8>),
    /// 8-bit whole numbers.
    I8(Vec<i8>),
    /// 16-bit unsigned whole numbers.
    U16(Vec<u16>),
    /// 16-bit whole numbers.
    I16(Vec<i16>),
    /// 32-bit unsigned whole numbers.
    U32(Vec<u32>),
    /// 32-bit whole numbers.
    I32(Vec<i32>),
    /// 64-bit unsigned whole numbers.
    U64(Vec<u64>),
    /// 64-bit whole numbers.
    I64(Vec<i64>),
    /// True or false.
    Bool(Vec<bool>),
}

/// Evaluates `$body` with `$list` bound to the vector inside `$values`, whatever its kind.
macro_rules! each {
    ($values:expr, $list:ident => $body:expr) => {
        match $values {
            $crate::Values::F32($list) => $body,
            $crate::Values::F64($list) => $body,
            $crate::Values::U8($list) => $body,
            $crate::Values::I8($list) => $body,
            $crate::Values::U16($list) => $body,
            $crate::Values::I16($list) => $body,
            $crate::Values::U32($list) => $body,
            $crate::Values::I32($list) => $body,
            $crate::Values::U64($list) => $body,
            $crate::Values::I64($list) => $body,
            $crate::Values::Bool($list) => $body,
        }
    };
}
pub(crate) use each;

/// Evaluates `$body` with the type `$type` standing for the Rust type of `$kind`.
macro_rules! each_kind {
    ($kind:expr, $type:ident => $body:expr) => {
        match $kind {
            $crate::Kind::F32 => {
                type $type = f32;
                $body
            }
            $crate::Kind::F64 => {
                type $type = f64;
                $body
            }
            $crate::Kind::U8 => {
                type $type = u8;
                $body
            }
            $crate::Kind::I8 => {
                type $type = i8;
                $body
            }
            $crate::Kind::U16 => {
                type $type = u16;
                $body
            }
            $crate::Kind::I16 => {
                type $type = i16;
                $body
            }
            $crate::Kind::U32 => {
                type $type = u32;
                $body
            }
            $crate::Kind::I32 => {
                type $type = i32;
                $body
            }
            $crate::Kind::U64 => {
                type $type = u64;
                $body
            }
            $crate::Kind::I64 => {
                type $type = i64;
                $body
            }
            $crate::Kind::Bool => {
                type $type = bool;
                $body
            }
        }
    };
}
pub(crate) use each_kind;

/// What a list of numbers is like: its range over the numbers that are not NaN, and how many are not finite.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Summary {
    /// The smallest value; NaN where there is none.
    pub min: f64,
    /// The largest value; NaN where there is none.
    pub max: f64,
    /// How many values are NaN.
    pub nan: usize,
    /// How many values are +∞ or -∞.
    pub infinite: usize,
}

impl Values {
    /// How many values there are.
    pub fn len(&self) -> usize {
        each!(self, list => list.len())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind of number.
    pub fn kind(&self) -> Kind {
        fn of<T: Element>(_: &[T]) -> Kind {
            T::KIND
        }
        each!(self, list => of(list))
    }

    /// The value at `index` as `f64`. Panics if `index` is not less than `len()`.
    pub fn at(&self, index: usize) -> f64 {
        each!(self, list => list[index].to_f64())
    }

    /// All values as `f32`, rounded to nearest.
    pub fn to_f32(&self) -> Vec<f32> {
        each!(self, list => list.iter().map(|&x| x.to_f32()).collect())
    }

    /// All values as `f64`; 64-bit whole numbers round beyond 2⁵³.
    pub fn to_f64(&self) -> Vec<f64> {
        each!(self, list => list.iter().map(|&x| x.to_f64()).collect())
    }

    /// All values as `i64`, without their fractions; what lies beyond becomes the nearest limit.
    pub fn to_i64(&self) -> Vec<i64> {
        each!(self, list => list.iter().map(|&x| x.to_i64()).collect())
    }

    /// Numbers as values of a kind, see [`Element::from_f64`].
    ///
    /// ```
    /// use gradus_tensor::{Kind, Values};
    /// assert_eq!(Values::from_f64(Kind::I32, &[-1.5, 2.0]), Values::I32(vec![-1, 2]));
    /// ```
    pub fn from_f64(kind: Kind, numbers: &[f64]) -> Values {
        each_kind!(kind, T => T::wrap(numbers.iter().map(|&x| <T as Element>::from_f64(x)).collect()))
    }

    /// All values as `f32`, without a copy where they are that already.
    pub fn into_f32(self) -> Vec<f32> {
        match self {
            Values::F32(list) => list,
            other => other.to_f32(),
        }
    }

    /// The values as a slice of `T`, if that is their kind.
    pub fn slice<T: Element>(&self) -> Option<&[T]> {
        T::unwrap(self)
    }

    /// The range and the number of values that are not finite, in one pass.
    ///
    /// ```
    /// let summary = gradus_tensor::Values::from(vec![2.0f32, f32::NAN, -1.0]).summary();
    /// assert_eq!((summary.min, summary.max, summary.nan), (-1.0, 2.0, 1));
    /// ```
    pub fn summary(&self) -> Summary {
        let mut summary = Summary { min: f64::NAN, max: f64::NAN, nan: 0, infinite: 0 };
        let mut take = |x: f64| {
            if x.is_nan() {
                summary.nan += 1;
                return;
            }
            summary.infinite += usize::from(x.is_infinite());
            summary.min = summary.min.min(x);
            summary.max = summary.max.max(x);
        };
        each!(self, list => list.iter().for_each(|&x| take(x.to_f64())));
        summary
    }

    /// Whether every value is a whole number.
    pub fn is_whole(&self) -> bool {
        !self.kind().is_float() || each!(self, list => list.iter().all(|&x| x.to_f64().fract() == 0.0))
    }

    /// All values as bytes, least significant first.
    pub fn to_le_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.len() * self.kind().bytes());
        each!(self, list => list.iter().for_each(|&x| x.push_le(&mut out)));
        out
    }

    /// Values of a kind from their bytes, least significant first; bytes that are no whole value are left out.
    ///
    /// ```
    /// use gradus_tensor::{Kind, Values};
    /// assert_eq!(Values::from_le_bytes(Kind::I16, &[1, 0, 255, 255]), Values::I16(vec![1, -1]));
    /// ```
    pub fn from_le_bytes(kind: Kind, bytes: &[u8]) -> Values {
        each_kind!(kind, T => T::wrap(bytes.chunks_exact(kind.bytes()).map(<T as Element>::from_bytes).collect()))
    }

    /// `rows` of `width` values each, taken in the order of `indices`. Panics if a row is not there.
    pub(crate) fn take_rows(&self, width: usize, indices: &[usize]) -> Values {
        fn take<T: Element>(list: &[T], width: usize, indices: &[usize]) -> Values {
            let mut out = Vec::with_capacity(indices.len() * width);
            for &i in indices {
                out.extend_from_slice(&list[i * width..(i + 1) * width]);
            }
            T::wrap(out)
        }
        each!(self, list => take(list, width, indices))
    }
}

macro_rules! elements {
    ($($type:ident $variant:ident),*) => {$(
        impl Element for $type {
            const KIND: Kind = Kind::$variant;
            fn to_f64(self) -> f64 {
                self as f64
            }
            fn to_f32(self) -> f32 {
                self as f32
            }
            fn to_i64(self) -> i64 {
                self as i64
            }
            fn from_f64(value: f64) -> Self {
                value as $type
            }
            fn wrap(list: Vec<Self>) -> Values {
                Values::$variant(list)
            }
            fn unwrap(values: &Values) -> Option<&[Self]> {
                match values {
                    Values::$variant(list) => Some(list),
                    _ => None,
                }
            }
            fn from_bytes(bytes: &[u8]) -> Self {
                let mut exact = [0; size_of::<$type>()];
                exact.copy_from_slice(bytes);
                $type::from_le_bytes(exact)
            }
            fn push_le(self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_le_bytes());
            }
        }

        impl From<Vec<$type>> for Values {
            fn from(list: Vec<$type>) -> Values {
                Values::$variant(list)
            }
        }
    )*};
}

elements!(f32 F32, f64 F64, u8 U8, i8 I8, u16 U16, i16 I16, u32 U32, i32 I32, u64 U64, i64 I64);

impl Element for bool {
    const KIND: Kind = Kind::Bool;
    fn to_f64(self) -> f64 {
        f64::from(u8::from(self))
    }
    fn to_f32(self) -> f32 {
        f32::from(u8::from(self))
    }
    fn to_i64(self) -> i64 {
        i64::from(self)
    }
    fn from_f64(value: f64) -> Self {
        value != 0.0
    }
    fn wrap(list: Vec<Self>) -> Values {
        Values::Bool(list)
    }
    fn unwrap(values: &Values) -> Option<&[Self]> {
        match values {
            Values::Bool(list) => Some(list),
            _ => None,
        }
    }
    fn from_bytes(bytes: &[u8]) -> Self {
        bytes[0] != 0
    }
    fn push_le(self, out: &mut Vec<u8>) {
        out.push(u8::from(self));
    }
}

impl From<Vec<bool>> for Values {
    fn from(list: Vec<bool>) -> Values {
        Values::Bool(list)
    }
}
