//! Constants that stand in the graph itself.

use gradus_graph::ShapeError;
use gradus_graph::onnx::{Attribute, OnnxNode, OnnxOp, Value};
use gradus_tensor::{Tensor, Values};

pub(super) const ONNX: &[OnnxOp] = &[OnnxOp { name: "Constant", read }];

fn read(n: &OnnxNode) -> Result<Vec<Value>, ShapeError> {
    let scalar = |values: Values| Tensor::new([], values).expect("one number");
    let found = n.attributes.values().find_map(|attribute| {
        Some(match attribute {
            Attribute::Tensor(tensor) => tensor.clone(),
            Attribute::Float(value) => scalar(vec![*value].into()),
            Attribute::Int(value) => scalar(vec![*value].into()),
            Attribute::Floats(values) => Tensor::vector(values.clone()),
            Attribute::Ints(values) => Tensor::vector(values.clone()),
            Attribute::Text(_) | Attribute::Texts(_) | Attribute::Other(_) => return None,
        })
    });
    let missing = || {
        let received = n.attributes.values().map(Attribute::describe).collect::<Vec<_>>().join(", ");
        ShapeError::new("a constant of numbers", received, "store the numbers as a dense tensor")
    };
    Ok(vec![Value::known(found.ok_or_else(missing)?)])
}
