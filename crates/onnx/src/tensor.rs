//! Stored tensors: from the format's message to numbers, and back.

use crate::error::{OnnxError, Result};
use crate::external;
use crate::proto::{DataType, TensorProto};
use gradus_tensor::{Kind, Tensor, Values};
use std::path::Path;

/// What a file may ask for.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes of one value, stored or computed, and of the stored values of a file together.
    pub memory: u64,
}

impl Default for Limits {
    /// 8 GiB.
    fn default() -> Limits {
        Limits { memory: 8 << 30 }
    }
}

/// The kind of number that a data type is read as; none where it is not supported. Half precision is widened.
pub fn kind_of(data_type: i32) -> Option<Kind> {
    Some(match DataType::try_from(data_type).ok()? {
        DataType::Float | DataType::Float16 | DataType::Bfloat16 => Kind::F32,
        DataType::Double => Kind::F64,
        DataType::Uint8 => Kind::U8,
        DataType::Int8 => Kind::I8,
        DataType::Uint16 => Kind::U16,
        DataType::Int16 => Kind::I16,
        DataType::Uint32 => Kind::U32,
        DataType::Int32 => Kind::I32,
        DataType::Uint64 => Kind::U64,
        DataType::Int64 => Kind::I64,
        DataType::Bool => Kind::Bool,
        _ => return None,
    })
}

/// The data type of a kind of number.
pub fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::F32 => DataType::Float,
        Kind::F64 => DataType::Double,
        Kind::U8 => DataType::Uint8,
        Kind::I8 => DataType::Int8,
        Kind::U16 => DataType::Uint16,
        Kind::I16 => DataType::Int16,
        Kind::U32 => DataType::Uint32,
        Kind::I32 => DataType::Int32,
        Kind::U64 => DataType::Uint64,
        Kind::I64 => DataType::Int64,
        Kind::Bool => DataType::Bool,
    }
}

/// The name of a data type.
pub fn type_name(data_type: i32) -> String {
    DataType::try_from(data_type).map_or_else(|_| format!("data type {data_type}"), |t| format!("{t:?}").to_lowercase())
}

/// A stored tensor as numbers. External data are looked for below `folder`.
pub fn read(tensor: &TensorProto, folder: Option<&Path>, limits: Limits) -> Result<Tensor> {
    let place =
        if tensor.name.is_empty() { "stored tensor".into() } else { format!("stored tensor `{}`", tensor.name) };
    let kind = kind_of(tensor.data_type).ok_or_else(|| {
        let expected = "numbers of 8 to 64 bits, half or bfloat16, or truth values";
        OnnxError::unsupported(&place, expected, type_name(tensor.data_type))
    })?;
    if tensor.segment.is_some() {
        return Err(OnnxError::unsupported(&place, "a whole tensor", "a segment of one"));
    }
    let (shape, len) = sizes(&tensor.dims, &place, kind, limits)?;
    let external = match (tensor.data_location, folder) {
        (0, _) => None,
        (1, Some(folder)) => Some(external::read(tensor, folder, limits.memory)?),
        (1, None) => {
            let error = OnnxError::unreadable(&place, "values in the file itself", "values in another file");
            return Err(error.help("give the model as a file, so that the other one is found beside it"));
        }
        (other, _) => return Err(OnnxError::unreadable(&place, "data location 0 or 1", other.to_string())),
    };
    let raw = external.as_deref().unwrap_or(&tensor.raw_data);
    let values = if external.is_some() || !raw.is_empty() {
        from_bytes(tensor.data_type, kind, raw, len, &place)?
    } else {
        from_fields(tensor, kind)
    };
    if values.len() != len {
        let expected = format!("{len} values for the shape {shape:?}");
        return Err(OnnxError::unreadable(&place, expected, format!("{} values", values.len())));
    }
    Tensor::new(shape, values).map_err(|e| OnnxError::unreadable(&place, "a tensor", e.to_string()))
}

/// The sizes of a tensor and its number of elements.
pub(crate) fn sizes(dims: &[i64], place: &str, kind: Kind, limits: Limits) -> Result<(Vec<usize>, usize)> {
    let size =
        |&d: &i64| usize::try_from(d).map_err(|_| OnnxError::unreadable(place, "sizes of 0 or more", d.to_string()));
    let shape: Vec<usize> = dims.iter().map(size).collect::<Result<_>>()?;
    let len = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    let fits = |&n: &usize| n.checked_mul(kind.bytes()).is_some_and(|bytes| bytes as u64 <= limits.memory);
    let len = len.filter(fits).ok_or_else(|| {
        let expected = format!("at most {} bytes", limits.memory);
        OnnxError::unreadable(place, expected, format!("sizes {dims:?} of {}", kind.name()))
    })?;
    Ok((shape, len))
}

fn from_bytes(data_type: i32, kind: Kind, raw: &[u8], len: usize, place: &str) -> Result<Values> {
    let half =
        [DataType::Float16, DataType::Bfloat16].contains(&DataType::try_from(data_type).unwrap_or(DataType::Undefined));
    let width = if half { 2 } else { kind.bytes() };
    if raw.len() != len * width {
        let expected = format!("{} bytes for {len} values of {width} bytes each", len * width);
        return Err(OnnxError::unreadable(place, expected, format!("{} bytes", raw.len())));
    }
    if !half {
        return Ok(Values::from_le_bytes(kind, raw));
    }
    let bits = raw.chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]]));
    Ok(Values::F32(bits.map(|bits| widen(data_type, bits)).collect()))
}

/// A half-precision number from its bits.
fn widen(data_type: i32, bits: u16) -> f32 {
    match data_type == DataType::Bfloat16 as i32 {
        true => gradus_tensor::half::from_bfloat16(bits),
        false => gradus_tensor::half::from_float16(bits),
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn from_fields(tensor: &TensorProto, kind: Kind) -> Values {
    let small = &tensor.int32_data;
    match kind {
        Kind::F32 if tensor.data_type == DataType::Float as i32 => Values::F32(tensor.float_data.clone()),
        Kind::F32 => Values::F32(small.iter().map(|&bits| widen(tensor.data_type, bits as u16)).collect()),
        Kind::F64 => Values::F64(tensor.double_data.clone()),
        Kind::U8 => Values::U8(small.iter().map(|&v| v as u8).collect()),
        Kind::I8 => Values::I8(small.iter().map(|&v| v as i8).collect()),
        Kind::U16 => Values::U16(small.iter().map(|&v| v as u16).collect()),
        Kind::I16 => Values::I16(small.iter().map(|&v| v as i16).collect()),
        Kind::I32 => Values::I32(small.clone()),
        Kind::Bool => Values::Bool(small.iter().map(|&v| v != 0).collect()),
        Kind::U32 => Values::U32(tensor.uint64_data.iter().map(|&v| v as u32).collect()),
        Kind::U64 => Values::U64(tensor.uint64_data.clone()),
        Kind::I64 => Values::I64(tensor.int64_data.clone()),
    }
}

/// A tensor as the format's message.
pub fn write(name: &str, tensor: &Tensor) -> TensorProto {
    TensorProto {
        name: name.to_string(),
        dims: tensor.shape().iter().map(|&d| d as i64).collect(),
        data_type: data_type(tensor.kind()) as i32,
        raw_data: tensor.values().to_le_bytes(),
        ..TensorProto::default()
    }
}
