//! What of the standard is read: versions and operators.

use crate::error::{OnnxError, Result};
use crate::file::ModelFile;
use crate::operators;
use crate::proto::{NodeProto, OperatorSetIdProto};
use std::collections::BTreeSet;

/// The versions of ONNX's operators that are read.
pub const VERSIONS: std::ops::RangeInclusive<i64> = 7..=27;

/// The version of ONNX's own operators.
pub fn version(imports: &[OperatorSetIdProto]) -> Result<i64> {
    let version = imports.iter().find(|o| is_standard(&o.domain)).map_or(1, |o| o.version);
    if VERSIONS.contains(&version) {
        return Ok(version);
    }
    let expected = format!("operators of version {} to {}", VERSIONS.start(), VERSIONS.end());
    Err(OnnxError::unsupported("the whole file", expected, format!("version {version}")))
}

/// The operators of a model that are not read, each once, sorted.
pub fn missing(file: &ModelFile) -> Vec<String> {
    missing_among(file, file.graph().node.iter().collect())
}

/// The operators of these nodes, and of the functions of the model, that are not read.
pub(crate) fn missing_among<'f>(file: &'f ModelFile, mut nodes: Vec<&'f NodeProto>) -> Vec<String> {
    let table = operators::table();
    let functions: BTreeSet<_> = file.model.functions.iter().map(|f| (f.domain.as_str(), f.name.as_str())).collect();
    let mut found = BTreeSet::new();
    nodes.extend(file.model.functions.iter().flat_map(|f| &f.node));
    while let Some(node) = nodes.pop() {
        let standard = is_standard(&node.domain) && table.contains_key(node.op_type.as_str());
        if !standard && !functions.contains(&(node.domain.as_str(), node.op_type.as_str())) {
            let domain = if is_standard(&node.domain) { String::new() } else { format!("{}.", node.domain) };
            found.insert(format!("{domain}{}", node.op_type));
        }
        for attribute in &node.attribute {
            nodes.extend(attribute.g.iter().flat_map(|g| &g.node));
            nodes.extend(attribute.graphs.iter().flat_map(|g| &g.node));
        }
    }
    found.into_iter().collect()
}

/// Whether a domain is the standard's own.
pub(crate) fn is_standard(domain: &str) -> bool {
    matches!(domain, "" | "ai.onnx")
}
