//! Model files: the weights of a model and what is needed to use them, in one safetensors file that any reader opens.

use crate::checkpoint::{BEST, FORMAT, SLOT};
use crate::error::{Result, TrainError, list};
use crate::seal;
use gradus_graph::State;
use gradus_tensor::{Tensor, TensorError};
use std::collections::BTreeMap;
use std::path::Path;

/// Weights by their paths, with text metadata: recipe, transforms, classes, whatever a user of the model needs.
///
/// A training checkpoint can be read as a model file too: it gives its best weights.
///
/// ```
/// use gradus_graph::{Graph, State};
/// use gradus_nn::{LayerExt, layers::Dense};
/// use gradus_train::ModelFile;
/// let g = Graph::new();
/// let y = g.input("x", [2]).layer(Dense::new(3));
/// let model = g.model(&[("y", &y)])?;
/// let trained = State::<f32>::new(&model, 1);
/// # let path = std::env::temp_dir().join(format!("gradus-model-{}.safetensors", std::process::id()));
/// ModelFile::new(&trained)?.with("recipe", "seed = 1").write(&path)?;
///
/// let file = ModelFile::read(&path)?;
/// let mut state = State::<f32>::new(&model, 2);
/// file.restore(&mut state)?;
/// assert_eq!(state.variable("dense/weight"), trained.variable("dense/weight"));
/// assert_eq!(file.metadata["recipe"], "seed = 1");
/// # std::fs::remove_file(&path).ok();
/// # Ok::<(), gradus_train::TrainError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// Where it was read from, for messages.
    pub name: String,
    /// The weights and running statistics by path.
    pub tensors: BTreeMap<String, Tensor>,
    /// Text by key.
    pub metadata: BTreeMap<String, String>,
}

impl ModelFile {
    /// The weights and running statistics of a state, without metadata. Values of the optimiser are left out.
    pub fn new(state: &State<f32>) -> Result<ModelFile> {
        let tensors = model_tensors(state)?;
        Ok(ModelFile { name: "the model".into(), tensors, metadata: BTreeMap::new() })
    }

    /// Adds a text.
    pub fn with(mut self, key: impl Into<String>, text: impl Into<String>) -> ModelFile {
        self.metadata.insert(key.into(), text.into());
        self
    }

    /// Writes the file, all or nothing, with a checksum over all of it.
    pub fn write(&self, path: &Path) -> Result<()> {
        Ok(seal::write(path, &self.tensors, self.metadata.clone())?)
    }

    /// Reads a file and checks its checksum, if it has one. Of a checkpoint, the best weights are taken.
    pub fn read(path: &Path) -> Result<ModelFile> {
        let file = seal::read(path)?;
        let (mut tensors, metadata) = (file.tensors, file.metadata);
        if metadata.contains_key(FORMAT) {
            let best: BTreeMap<String, Tensor> = tensors
                .iter()
                .filter_map(|(name, x)| Some((name.strip_prefix(BEST)?.to_string(), x.clone())))
                .collect();
            match best.is_empty() {
                true => tensors.retain(|name, _| !name.starts_with(SLOT)),
                false => tensors = best,
            }
        }
        Ok(ModelFile { name: path.display().to_string(), tensors, metadata })
    }

    /// Puts into a state what has the same path and shape there, and says how many variables that were. What the file has beyond
    /// those is left out.
    ///
    /// # Errors
    /// Trainable or frozen parameters that the file lacks or has in another shape, unless `partial` says that they may keep the
    /// values they have. The state is then unchanged.
    pub fn restore_matching(&self, state: &mut State<f32>, partial: bool) -> Result<usize> {
        let (mut fits, mut lacks) = (vec![], vec![]);
        for (variable, _) in state.variables().filter(|(v, _)| v.role.in_model()) {
            match self.tensors.get(&variable.path) {
                Some(x) if x.shape() == variable.shape && x.kind().is_float() => fits.push(variable.path.clone()),
                Some(x) if x.shape() == variable.shape => {
                    lacks.push(format!("`{}`: it holds numbers of type {}", variable.path, x.kind().name()));
                }
                Some(x) => {
                    lacks.push(format!("`{}`: {:?} needed, {:?} there", variable.path, variable.shape, x.shape()));
                }
                None => lacks.push(format!("`{}`: {:?} needed, none there", variable.path, variable.shape)),
            }
        }
        if !partial && !lacks.is_empty() {
            let more = lacks.len().saturating_sub(8);
            lacks.truncate(8);
            let more = if more > 0 { format!("\n    and {more} more") } else { String::new() };
            return Err(TrainError::Model {
                file: self.name.clone(),
                problem: format!("it lacks\n    {}{more}", lacks.join("\n    ")),
                help: "use the file of a model with the same layers, or take what fits with partial = true".into(),
            });
        }
        for path in &fits {
            if let Some(values) = state.variable_mut(path) {
                values.copy_from_slice(&self.tensors[path].to_f32());
            }
        }
        Ok(fits.len())
    }

    /// Puts the weights into a state.
    ///
    /// # Errors
    /// A parameter that the file lacks or has in another shape, and a tensor that the model has no place for. The state is then
    /// unchanged.
    pub fn restore(&self, state: &mut State<f32>) -> Result<()> {
        let wrong = |problem: String, help: &str| {
            Err(TrainError::Model { file: self.name.clone(), problem, help: help.into() })
        };
        let expected: BTreeMap<String, Vec<usize>> = state
            .variables()
            .filter(|(v, _)| v.role.in_model())
            .map(|(v, _)| (v.path.clone(), v.shape.clone()))
            .collect();
        let help = "use the file with the model (the recipe) that it was made with";
        let missing: Vec<&String> = expected.keys().filter(|path| !self.tensors.contains_key(*path)).collect();
        if !missing.is_empty() {
            return wrong(format!("it lacks {}; it has {}", list(missing), list(self.tensors.keys())), help);
        }
        let extra: Vec<&String> = self.tensors.keys().filter(|path| !expected.contains_key(*path)).collect();
        if !extra.is_empty() {
            return wrong(format!("it has {}, for which the model has no place", list(extra)), help);
        }
        for (path, shape) in &expected {
            let found = &self.tensors[path];
            if found.shape() != shape {
                return wrong(format!("`{path}` has shape {:?}, and the model's has {shape:?}", found.shape()), help);
            }
            if !found.kind().is_float() {
                return wrong(format!("`{path}` holds numbers of type {}", found.kind().name()), "store it as F32");
            }
        }
        for path in expected.keys() {
            if let Some(values) = state.variable_mut(path) {
                values.copy_from_slice(&self.tensors[path].to_f32());
            }
        }
        Ok(())
    }
}

/// A state's variables that a model file holds.
pub(crate) fn model_tensors(state: &State<f32>) -> std::result::Result<BTreeMap<String, Tensor>, TensorError> {
    state
        .variables()
        .filter(|(v, _)| v.role.in_model())
        .map(|(v, values)| Ok((v.path.clone(), Tensor::new(v.shape.clone(), values.to_vec())?)))
        .collect()
}
