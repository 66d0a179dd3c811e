//! Cast and CastLike: the same numbers as another kind. Fractions are cut off; anything but 0 is true.

use gradus_graph::ShapeError;
use gradus_graph::onnx::{OnnxNode, OnnxOp, Value};
use gradus_tensor::{Kind, Tensor, Values};

pub(super) const ONNX: &[OnnxOp] = &[OnnxOp { name: "Cast", read }, OnnxOp { name: "CastLike", read: like }];

fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let number = n.int("to")?.unwrap_or(0);
    let exact = crate::tensor::kind_of(number as i32).filter(|&kind| crate::tensor::data_type(kind) as i64 == number);
    let kind = exact.ok_or_else(|| {
        let expected = "numbers of 32 or 64 bits, whole ones of 8 to 64 bits, or truth values";
        ShapeError::new(expected, crate::tensor::type_name(number as i32), "write the model with such numbers")
    })?;
    cast(n, kind)
}

fn like(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    cast(n, n.kind(1)?)
}

fn cast(n: &OnnxNode, kind: Kind) -> Result<Vec<Value>, ShapeError> {
    let from = n.kind(0)?;
    if let Value::Known(known) = n.value(0)?
        && known.name.is_none()
    {
        let values = Values::from_f64(kind, &known.tensor.to_f64());
        let values = if kind == Kind::I64 { Values::I64(known.tensor.values().to_i64()) } else { values };
        return Ok(vec![Value::known(Tensor::new(known.tensor.shape(), values).expect("as many as before"))]);
    }
    let cast = n.unary(|x| match (from.is_float(), kind) {
        (_, Kind::Bool) => x.ne(0.0),
        (true, kind) if !kind.is_float() => x.sign() * x.abs().floor(),
        _ => x.clone(),
    })?;
    Ok(cast.into_iter().map(|value| value.of_kind(kind)).collect())
}
