//! A node's attributes.

use crate::error::{OnnxError, Result};
use crate::proto::{AttributeProto, AttributeType};
use crate::tensor::{self, Limits};
use gradus_graph::onnx::Attribute;
use std::collections::BTreeMap;

/// Settings by name; those of a function's body may come from its call.
pub fn attributes(
    list: &[AttributeProto],
    given: &BTreeMap<String, Attribute>,
    place: &str,
) -> Result<BTreeMap<String, Attribute>> {
    let mut attributes = BTreeMap::new();
    for attribute in list {
        let value = match attribute.ref_attr_name.as_str() {
            "" => Some(read_attribute(attribute, place)?),
            name => given.get(name).cloned(),
        };
        if let Some(value) = value
            && attributes.insert(attribute.name.clone(), value).is_some()
        {
            let received = format!("two named `{}`", attribute.name);
            return Err(OnnxError::unreadable(place, "attributes with names of their own", received));
        }
    }
    Ok(attributes)
}

fn read_attribute(attribute: &AttributeProto, place: &str) -> Result<Attribute> {
    let text = |bytes: &[u8]| {
        let error = || OnnxError::unreadable(place, format!("text as attribute `{}`", attribute.name), "bytes");
        String::from_utf8(bytes.to_vec()).map_err(|_| error())
    };
    let kind = AttributeType::try_from(attribute.r#type).unwrap_or(AttributeType::Undefined);
    Ok(match kind {
        AttributeType::Float => Attribute::Float(attribute.f),
        AttributeType::Int => Attribute::Int(attribute.i),
        AttributeType::String => Attribute::Text(text(&attribute.s)?),
        AttributeType::Floats => Attribute::Floats(attribute.floats.clone()),
        AttributeType::Ints => Attribute::Ints(attribute.ints.clone()),
        AttributeType::Strings => Attribute::Texts(attribute.strings.iter().map(|s| text(s)).collect::<Result<_>>()?),
        AttributeType::Tensor => {
            let error = || OnnxError::unreadable(place, format!("a tensor as attribute `{}`", attribute.name), "none");
            Attribute::Tensor(tensor::read(attribute.t.as_ref().ok_or_else(error)?, None, Limits::default())?)
        }
        AttributeType::Graph | AttributeType::Graphs => Attribute::Other("a graph"),
        AttributeType::SparseTensor | AttributeType::SparseTensors => Attribute::Other("a sparse tensor"),
        AttributeType::TypeProto | AttributeType::TypeProtos => Attribute::Other("a type"),
        AttributeType::Tensors => Attribute::Other("tensors"),
        AttributeType::Undefined => {
            let expected = format!("the type of attribute `{}`", attribute.name);
            return Err(OnnxError::unreadable(place, expected, format!("type {}", attribute.r#type)));
        }
    })
}
