//! Parameters as PyTorch names and lays them out.
//!
//! | here | PyTorch |
//! |---|---|
//! | `dense/weight: [D, units]` | `dense.weight: [units, D]` |
//! | `conv/weight: [..size, C / groups, F]` | `conv.weight: [F, C / groups, ..size]`; a transposed convolution's likewise |
//! | `batch_norm/{gamma, beta, mean, variance, batches}` | `batch_norm.{weight, bias, running_mean, running_var, num_batches_tracked}` |
//! | `layer_norm/{gamma, beta}` and the other norms | `layer_norm.{weight, bias}` |
//! | `activation/slope` of PReLU | `activation.weight` |
//! | `lstm/layer1/backward/weight: [D, 4·units]` | `lstm.weight_ih_l1_reverse: [4·units, D]` |
//! | `lstm/recurrent_weight` | `lstm.weight_hh_l0` |
//! | `lstm/bias` | the sum of `lstm.bias_ih_l0` and `lstm.bias_hh_l0`; all of it is written to the first |
//! | `gru/recurrent_bias: [units]` | the candidate's part of `gru.bias_hh_l0` |
//! | `attention/{weight, bias, output_weight, output_bias}` | `attention.{in_proj_weight, in_proj_bias, out_proj.weight, out_proj.bias}` |
//! | `transformer_encoder/layer0/{attention, layer_norm, dense, dense_1, layer_norm_1}` | `transformer_encoder.layers.0.{self_attn, norm1, linear1, linear2, norm2}` |
//!
//! Everything else keeps its layout and takes its path with dots for its name. Flattened images need no care: `[C, H, W]` is the order of both.
//! Flattened sequences do where they come from one-dimensional convolutions: theirs are `[C, T]`, ours `[T, C]`.

use gradus_graph::Model;
use gradus_tensor::{Tensor, Values};
use std::collections::BTreeMap;

/// What stands where in a model and in a PyTorch `state_dict` of the same network.
///
/// ```
/// use gradus_graph::{Graph, State, Variable};
/// use gradus_nn::{LayerExt, layers::Dense, torch::StateDict};
/// use gradus_tensor::{Tensor, TensorError};
/// use std::collections::BTreeMap;
///
/// let g = Graph::new();
/// let y = g.input("x", [2]).layer(Dense::new(3));
/// let model = g.model(&[("y", &y)])?;
/// let names = BTreeMap::from([("dense".to_string(), "fc".to_string())]);
/// let layout = StateDict::of(&model, &names)?;
/// let state = State::<f32>::new(&model, 1);
/// let tensor = |(v, x): (&Variable, &[f32])| Ok((v.path.clone(), Tensor::new(v.shape.clone(), x.to_vec())?));
/// let ours = state.variables().map(tensor).collect::<Result<BTreeMap<_, _>, TensorError>>()?;
/// let written = layout.write(&ours);
/// assert_eq!(written["fc.weight"].shape(), [3, 2]);
/// assert_eq!(layout.read(&written)?, ours);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct StateDict {
    entries: Vec<Entry>,
}

/// One of our parameters and what holds it in PyTorch.
#[derive(Clone, Debug)]
struct Entry {
    path: String,
    theirs: String,
    layout: Layout,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layout {
    Same,
    /// Outputs, inputs, then the axes of space.
    OutputsFirst,
    /// `[1]` as a whole number without axes.
    Count,
    /// The sum of two vectors.
    Sum,
    /// The same, but of the candidate's part, the last third, only the first of the two.
    SumOfGates,
    /// The candidate's part of the second of two vectors.
    Candidate,
}

/// What a `state_dict` and a model do not agree about.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// A layer is named that the model has not.
    #[error("`{name}` is no layer of the model\n  expected: one of {known}")]
    Layer {
        /// The name.
        name: String,
        /// The layers that have parameters.
        known: String,
    },
    /// Tensors are missing or have another shape.
    #[error("the weights do not fit the model:\n    {}\n  received: {received}", .problems.join("\n    "))]
    Tensors {
        /// What each lacks.
        problems: Vec<String>,
        /// The names that are there.
        received: String,
    },
}

impl Mismatch {
    /// What to do.
    pub fn help(&self) -> &'static str {
        match self {
            Mismatch::Layer { .. } => "name layers by their paths, as in dense_1 or residual/conv",
            Mismatch::Tensors { .. } => "say what each layer is called there, as in names = { dense = \"fc\" }",
        }
    }
}

impl StateDict {
    /// The layout of a model. `names` gives PyTorch's names of layers, or of layers around others, by their paths: `residual/conv` as `layer1.0.conv1`.
    /// Others are named by their paths, with dots.
    ///
    /// # Errors
    /// A name for a layer that has no parameters.
    pub fn of(model: &Model, names: &BTreeMap<String, String>) -> Result<StateDict, Mismatch> {
        let variables = || model.variables().iter().filter(|v| v.role.in_model());
        for name in names.keys() {
            if !variables().any(|v| is_within(&v.path, name)) {
                let mut known: Vec<&str> = variables().filter_map(|v| Some(v.path.rsplit_once('/')?.0)).collect();
                known.dedup();
                return Err(Mismatch::Layer { name: name.clone(), known: known.join(", ") });
            }
        }
        let entry = |path: &str| {
            let (scope, name) = path.rsplit_once('/').unwrap_or(("", path));
            let (segments, name, mut layout) = translated(scope, name);
            if layout == Layout::Sum && variables().any(|v| v.path == format!("{scope}/recurrent_bias")) {
                layout = Layout::SumOfGates;
            }
            let named = names.keys().filter(|own| is_within(path, own)).max_by_key(|own| own.len());
            let known = named.map_or(0, |own| own.split('/').count());
            let rest = segments.into_iter().skip(known).filter(|segment| !segment.is_empty());
            let modules: Vec<String> =
                named.map(|own| names[own].clone()).into_iter().chain(rest).chain([name]).collect();
            Entry { path: path.to_string(), theirs: modules.join("."), layout }
        };
        Ok(StateDict { entries: variables().map(|v| entry(&v.path)).collect() })
    }

    /// A model's parameters by their paths as PyTorch has them.
    pub fn write(&self, ours: &BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
        let mut written = BTreeMap::new();
        for entry in &self.entries {
            let Some(x) = ours.get(&entry.path) else { continue };
            match entry.layout {
                Layout::Same => written.insert(entry.theirs.clone(), x.clone()),
                Layout::OutputsFirst => written.insert(entry.theirs.clone(), outputs_first(x)),
                Layout::Count => {
                    let count = Tensor::new([], Values::from(x.values().to_i64())).expect("one number");
                    written.insert(entry.theirs.clone(), count)
                }
                Layout::Sum | Layout::SumOfGates => {
                    let second = Tensor::vector(vec![0f32; x.len()]);
                    written.entry(second_bias(&entry.theirs)).or_insert(second);
                    written.insert(entry.theirs.clone(), x.clone())
                }
                Layout::Candidate => {
                    let mut second = vec![0f32; 2 * x.len()];
                    second.extend(x.to_f32());
                    written.insert(second_bias(&entry.theirs), Tensor::vector(second))
                }
            };
        }
        written
    }

    /// Those of a model's parameters that are there, and what the others lack.
    pub fn read_some(&self, theirs: &BTreeMap<String, Tensor>) -> (BTreeMap<String, Tensor>, Vec<String>) {
        let (mut read, mut problems) = (BTreeMap::new(), vec![]);
        for entry in &self.entries {
            match entry.read(theirs) {
                Ok(x) => drop(read.insert(entry.path.clone(), x)),
                Err(name) => problems.push(format!("`{}`: there is no `{name}`", entry.path)),
            }
        }
        (read, problems)
    }

    /// A model's parameters by their paths, from tensors as PyTorch has them. Tensors that the model has no place for are left out.
    ///
    /// # Errors
    /// Those that are missing.
    pub fn read(&self, theirs: &BTreeMap<String, Tensor>) -> Result<BTreeMap<String, Tensor>, Mismatch> {
        let (read, mut problems) = self.read_some(theirs);
        if problems.is_empty() {
            return Ok(read);
        }
        let more = problems.len().saturating_sub(8);
        problems.truncate(8);
        if more > 0 {
            problems.push(format!("and {more} more"));
        }
        let received = match theirs.len() {
            0 => "no tensors".into(),
            n => theirs.keys().take(12).cloned().collect::<Vec<_>>().join(", ") + if n > 12 { ", …" } else { "" },
        };
        Err(Mismatch::Tensors { problems, received })
    }
}

impl Entry {
    /// This parameter, or the name of what is missing.
    fn read(&self, theirs: &BTreeMap<String, Tensor>) -> Result<Tensor, String> {
        let get = |name: &str| theirs.get(name).ok_or_else(|| name.to_string());
        Ok(match self.layout {
            Layout::Same => get(&self.theirs)?.clone(),
            Layout::OutputsFirst => outputs_last(get(&self.theirs)?),
            Layout::Count => Tensor::vector(get(&self.theirs)?.to_f32()),
            Layout::Sum | Layout::SumOfGates => {
                let name = second_bias(&self.theirs);
                let (mut sum, second) = (get(&self.theirs)?.to_f32(), get(&name)?.to_f32());
                let both = if self.layout == Layout::Sum { sum.len() } else { sum.len() / 3 * 2 };
                sum.iter_mut().zip(second).take(both).for_each(|(first, second)| *first += second);
                Tensor::vector(sum)
            }
            Layout::Candidate => {
                let second = get(&second_bias(&self.theirs))?.to_f32();
                Tensor::vector(second[second.len() / 3 * 2..].to_vec())
            }
        })
    }
}

/// `[..size, inputs, outputs]` as `[outputs, inputs, ..size]`.
fn outputs_first(x: &Tensor) -> Tensor {
    match x.rank() {
        0 | 1 => x.clone(),
        rank => x.permute(&[rank - 1, rank - 2].into_iter().chain(0..rank - 2).collect::<Vec<_>>()),
    }
}

/// `[outputs, inputs, ..size]` as `[..size, inputs, outputs]`.
fn outputs_last(x: &Tensor) -> Tensor {
    match x.rank() {
        0 | 1 => x.clone(),
        rank => x.permute(&(2..rank).chain([1, 0]).collect::<Vec<_>>()),
    }
}

/// The second bias of a recurrent layer's two.
fn second_bias(first: &str) -> String {
    first.replace("bias_ih", "bias_hh")
}

/// Whether a path lies in a scope, or is it.
fn is_within(path: &str, scope: &str) -> bool {
    path.strip_prefix(scope).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A scope's name without the number that sets it apart.
fn kind(segment: &str) -> &str {
    match segment.rsplit_once('_') {
        Some((kind, number)) if number.bytes().all(|b| b.is_ascii_digit()) => kind,
        _ => segment,
    }
}

/// PyTorch's names of the parts of a scope, those that it has no name for empty, and of a parameter in it, with its layout.
fn translated(scope: &str, name: &str) -> (Vec<String>, String, Layout) {
    let (mut segments, mut suffix, mut layer) = (vec![], ("l0".to_string(), ""), "");
    for segment in scope.split('/').filter(|segment| !segment.is_empty()) {
        let number = segment.strip_prefix("layer").filter(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
        let recurrent = matches!(layer, "lstm" | "gru" | "simple_rnn");
        let theirs = match (layer, segment, number) {
            (_, _, Some(number)) if recurrent => {
                suffix.0 = format!("l{number}");
                String::new()
            }
            (_, "forward", _) if recurrent => String::new(),
            (_, "backward", _) if recurrent => {
                suffix.1 = "_reverse";
                String::new()
            }
            ("transformer_encoder", _, Some(number)) => format!("layers.{number}"),
            ("transformer_encoder", part, _) => {
                layer = kind(part);
                match part {
                    "attention" => "self_attn",
                    "layer_norm" => "norm1",
                    "layer_norm_1" => "norm2",
                    "dense" => "linear1",
                    "dense_1" => "linear2",
                    other => other,
                }
                .to_string()
            }
            (_, own, _) => {
                layer = kind(own);
                own.to_string()
            }
        };
        segments.push(theirs);
    }
    let (theirs, layout) = match (layer, name) {
        ("lstm" | "gru" | "simple_rnn", own) => {
            let (theirs, layout) = match own {
                "weight" => ("weight_ih", Layout::OutputsFirst),
                "recurrent_weight" => ("weight_hh", Layout::OutputsFirst),
                "bias" => ("bias_ih", Layout::Sum),
                "recurrent_bias" => ("bias_ih", Layout::Candidate),
                other => (other, Layout::Same),
            };
            return (segments, format!("{theirs}_{}{}", suffix.0, suffix.1), layout);
        }
        ("attention", "weight") => ("in_proj_weight", Layout::OutputsFirst),
        ("attention", "bias") => ("in_proj_bias", Layout::Same),
        ("attention", "output_weight") => ("out_proj.weight", Layout::OutputsFirst),
        ("attention", "output_bias") => ("out_proj.bias", Layout::Same),
        ("embedding" | "learned_positions", "weight") => ("weight", Layout::Same),
        (_, "weight") => ("weight", Layout::OutputsFirst),
        (_, "gamma") => ("weight", Layout::Same),
        (_, "beta") => ("bias", Layout::Same),
        ("activation", "slope") => ("weight", Layout::Same),
        ("batch_norm", "mean") => ("running_mean", Layout::Same),
        ("batch_norm", "variance") => ("running_var", Layout::Same),
        ("batch_norm", "batches") => ("num_batches_tracked", Layout::Count),
        (_, other) => (other, Layout::Same),
    };
    (segments, theirs.to_string(), layout)
}
