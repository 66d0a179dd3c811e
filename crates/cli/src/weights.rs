//! Weights in files of other frameworks: with their names and layouts.

use crate::failure::{Failure, Result};
use crate::recipe::WeightLayout;
use crate::session::Loaded;
use gradus_graph::Model;
use gradus_nn::torch::StateDict;
use gradus_tensor::{Tensor, safetensors};
use gradus_train::ModelFile;
use std::collections::BTreeMap;
use std::path::Path;

/// Where another framework has a model's weights, if the layout is not ours. `names` are the names of layers there.
///
/// # Errors
/// Names of layers that are not there, and names for a layout that needs none.
pub fn foreign(model: &Model, layout: WeightLayout, names: &BTreeMap<String, String>) -> Result<Option<StateDict>> {
    match layout {
        WeightLayout::Torch => {
            StateDict::of(model, names).map(Some).map_err(|e| Failure::usage(e.to_string(), e.help()))
        }
        WeightLayout::Gradus if names.is_empty() => Ok(None),
        WeightLayout::Gradus => {
            let problem = "names of layers are given, but the weights are in the layout of Gradus, where layers have their paths for names";
            Err(Failure::usage(problem, "add layout = \"torch\", or leave the names out"))
        }
    }
}

/// Gives a file's weights our names and layouts. With `partial` those that the file lacks may be missing.
///
/// # Errors
/// Weights that are missing.
pub fn adopt(file: &mut ModelFile, layout: &StateDict, partial: bool) -> Result<()> {
    let read = if partial { Ok(layout.read_some(&file.tensors).0) } else { layout.read(&file.tensors) };
    file.tensors = read.map_err(|e| Failure::files(format!("{}: {e}", file.name), e.help()))?;
    Ok(())
}

/// Writes a trained network's weights in a layout; says how many tensors and numbers that are.
///
/// # Errors
/// Names of layers that are not there, a file that cannot be written.
pub fn write(
    loaded: &Loaded,
    layout: WeightLayout,
    names: &BTreeMap<String, String>,
    path: &Path,
) -> Result<(usize, usize)> {
    let ours = ModelFile::new(&loaded.state)?.tensors;
    let (tensors, metadata) = match foreign(&loaded.model, layout, names)? {
        Some(foreign) => (foreign.write(&ours), BTreeMap::from([("format".to_string(), "pt".to_string())])),
        None => (ours, BTreeMap::new()),
    };
    let named = tensors.iter().map(|(name, x)| (name.as_str(), x));
    safetensors::write(path, named, &metadata).map_err(|e| {
        Failure::files(format!("cannot write {}: {e}", path.display()), "give another place for the weights")
    })?;
    Ok((tensors.len(), tensors.values().map(Tensor::len).sum()))
}
