//! The standard's test cases: a folder with `model.onnx` and `test_data_set_N` folders of `input_M.pb` and `output_M.pb`.
//!
//! A case may also hold `cotangent_M.pb` for its outputs and `grad_M.pb` for its inputs: the gradients of `Σ y·cotangent`.

use crate::error::{OnnxError, Result, Trouble};
use crate::file::{ModelFile, open_tensor};
use crate::import::{Bindings, Imported, import};
use crate::proto::TensorProto;
use crate::standard::missing;
use crate::tensor::{self, Limits, type_name};
use gradus_graph::onnx::Value;
use gradus_graph::{Engine, Node, Request, State};
use gradus_kernels::{Pool, Real};
use gradus_tensor::{Kind, Shape, Tensor, Values};
use std::path::{Path, PathBuf};

/// Relative tolerance of values, as in the standard's own runner.
const RELATIVE: f64 = 1e-3;
/// Absolute tolerance of values.
const ABSOLUTE: f64 = 1e-7;
/// Folders within folders.
const DEPTH: usize = 16;

/// What became of a case.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// All values agree; the largest difference and the output it is in.
    Pass(Difference),
    /// Some do not, or have another shape or kind.
    Wrong(Mismatch),
    /// A file cannot be read or does not hold together.
    Unreadable(OnnxError),
    /// The model asks for something that is not supported; the operators that are missing.
    Unsupported(OnnxError, Vec<String>),
}

/// The largest difference.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Difference {
    /// |y - expected|; infinite where one is not finite and the other differs.
    pub error: f64,
    /// The output, or the input whose gradient it is.
    pub name: String,
}

/// Values that do not agree.
#[derive(Clone, Debug, PartialEq)]
pub struct Mismatch {
    /// The output, or the input whose gradient it is.
    pub name: String,
    /// What the case holds.
    pub expected: String,
    /// What came out.
    pub received: String,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// Its folder.
    pub folder: PathBuf,
    /// The operators of its graph, sorted.
    pub operators: Vec<String>,
    /// What became of it.
    pub outcome: Outcome,
}

/// The folders with a `model.onnx` in or below a folder, sorted. Links are not followed.
///
/// # Errors
/// A folder that cannot be listed.
pub fn cases(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = vec![];
    walk(folder, 0, &mut found)?;
    found.sort();
    Ok(found)
}

fn walk(folder: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<()> {
    if folder.join("model.onnx").is_file() {
        found.push(folder.to_path_buf());
        return Ok(());
    }
    if depth == DEPTH {
        return Ok(());
    }
    for entry in list(folder)? {
        if std::fs::symlink_metadata(&entry).is_ok_and(|m| m.is_dir()) {
            walk(&entry, depth + 1, found)?;
        }
    }
    Ok(())
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let error = |e: std::io::Error| {
        OnnxError::unreadable("the folder", "a folder that can be listed", e.to_string())
            .in_file(folder.display().to_string())
    };
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder)
        .map_err(error)?
        .map(|e| e.map(|e| e.path()))
        .collect::<std::io::Result<_>>()
        .map_err(error)?;
    entries.sort();
    Ok(entries)
}

/// Runs one case; with `grad` its gradients too, if it holds some.
pub fn run(folder: &Path, grad: bool, limits: Limits) -> Case {
    let mut operators = vec![];
    let outcome = ModelFile::open(&folder.join("model.onnx")).and_then(|file| {
        operators = file.graph().node.iter().map(|n| n.op_type.clone()).collect();
        operators.sort();
        operators.dedup();
        sets(folder, &file, grad, limits)
    });
    let outcome = match outcome {
        Ok(Ok(difference)) => Outcome::Pass(difference),
        Ok(Err(mismatch)) => Outcome::Wrong(mismatch),
        Err(error) if error.trouble == Trouble::Unreadable => Outcome::Unreadable(error),
        Err(error) => {
            let missing = ModelFile::open(&folder.join("model.onnx")).map(|file| missing(&file)).unwrap_or_default();
            Outcome::Unsupported(error, missing)
        }
    };
    Case { folder: folder.to_path_buf(), operators, outcome }
}

/// The largest difference of all data sets, or the first that is too large.
type Compared = std::result::Result<Difference, Mismatch>;

fn sets(folder: &Path, file: &ModelFile, grad: bool, limits: Limits) -> Result<Compared> {
    let mut largest = Difference::default();
    let is_set = |path: &PathBuf| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with("test_data_set_"));
    for set in list(folder)?.iter().filter(|path| is_set(path)) {
        let data = DataSet::open(set, limits)?;
        // Small numbers such as a range's end may be real, and still have to be known.
        let compared = match data.run(file, grad, false, limits) {
            Err(error) if error.trouble == Trouble::Unsupported => {
                data.run(file, grad, true, limits).map_err(|_| error)
            }
            other => other,
        }?;
        match compared {
            Ok(difference) if difference.error > largest.error || largest.name.is_empty() => largest = difference,
            Ok(_) => {}
            Err(mismatch) => return Ok(Err(mismatch)),
        }
    }
    Ok(Ok(largest))
}

/// Tensors of a data set, by number.
struct DataSet {
    inputs: Vec<Option<Tensor>>,
    outputs: Vec<(Tensor, i32)>,
    cotangents: Vec<Option<Tensor>>,
    grads: Vec<Option<Tensor>>,
}

impl DataSet {
    fn open(folder: &Path, limits: Limits) -> Result<DataSet> {
        let read = |path: &Path, proto: &TensorProto| {
            tensor::read(proto, path.parent(), limits).map_err(|e| e.in_file(path.display().to_string()))
        };
        let all = |stem: &str| -> Result<Vec<Option<(Tensor, i32)>>> {
            let mut tensors = vec![];
            for path in list(folder)? {
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                let number = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(".pb"));
                if let Some(number) = number.and_then(|n| n.parse::<usize>().ok()).filter(|&n| n < 1 << 16) {
                    let proto = open_tensor(&path)?;
                    tensors.resize(tensors.len().max(number + 1), None);
                    tensors[number] = Some((read(&path, &proto)?, proto.data_type));
                }
            }
            Ok(tensors)
        };
        let plain = |list: Vec<Option<(Tensor, i32)>>| list.into_iter().map(|t| t.map(|t| t.0)).collect::<Vec<_>>();
        let outputs = all("output_")?;
        Ok(DataSet {
            inputs: plain(all("input_")?),
            outputs: outputs.into_iter().flatten().collect(),
            cotangents: plain(all("cotangent_")?),
            grads: plain(all("grad_")?),
        })
    }

    fn run(&self, file: &ModelFile, grad: bool, all_known: bool, limits: Limits) -> Result<Compared> {
        let mut bindings = Bindings { limits, ..Bindings::default() };
        for (info, tensor) in file.graph().input.iter().zip(&self.inputs) {
            let Some(tensor) = tensor else { continue };
            if tensor.kind().is_float() && !all_known {
                bindings.shapes.insert(info.name.clone(), Shape::fixed(tensor.shape()));
            } else {
                bindings.constants.insert(info.name.clone(), tensor.clone());
            }
        }
        let imported = import(file, &bindings)?;
        let double = |value: &Value| value.kind() == Some(Kind::F64);
        if imported.outputs.iter().any(|(_, value)| double(value)) {
            self.compare::<f64>(file, &imported, grad && !all_known)
        } else {
            self.compare::<f32>(file, &imported, grad && !all_known)
        }
    }

    fn compare<T: Real>(&self, file: &ModelFile, imported: &Imported, grad: bool) -> Result<Compared> {
        let place = "the whole graph";
        let broken = |e: String| OnnxError::unsupported(place, "a graph that can be compiled", e);
        let mut wanted: Vec<Wanted> = vec![];
        for (i, ((name, value), (expected, data_type))) in imported.outputs.iter().zip(&self.outputs).enumerate() {
            let kind = value.kind();
            if kind != tensor::kind_of(*data_type) {
                let received = kind.map_or("a list", Kind::name).to_string();
                return Ok(Err(Mismatch { name: name.clone(), expected: type_name(*data_type), received }));
            }
            wanted.push(Wanted { name: name.clone(), node: imported.output(i)?, expected: expected.clone() });
        }
        if grad {
            wanted.extend(self.gradients(file, imported, &wanted)?);
        }
        let keys: Vec<String> = (0..wanted.len()).map(|i| format!("y{i}")).collect();
        let outputs: Vec<(&str, &Node)> = keys.iter().map(String::as_str).zip(wanted.iter().map(|w| &w.node)).collect();
        let model = imported.graph.model(&outputs).map_err(|e| broken(e.to_string()))?;
        let names: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut engine = Engine::<T>::new(&model, Request::predicting(&names)).map_err(|e| broken(e.to_string()))?;
        let mut state = State::<T>::new(&model, 0);
        let inputs: Vec<Vec<T>> = model.inputs().iter().map(|spec| self.numbers(file, &spec.name)).collect();
        let slices: Vec<&[T]> = inputs.iter().map(Vec::as_slice).collect();
        engine.run(&mut state, &slices, 1, 1, &Pool::new(1)).map_err(|e| broken(e.to_string()))?;
        let mut largest = Difference::default();
        for (want, key) in wanted.iter().zip(&names) {
            let (sizes, values) =
                (engine.output_sizes(key).unwrap_or_default(), engine.output(key).unwrap_or_default());
            if sizes != want.expected.shape() {
                let (expected, received) = (format!("{:?}", want.expected.shape()), format!("{sizes:?}"));
                return Ok(Err(Mismatch { name: want.name.clone(), expected, received }));
            }
            match difference(values, &want.expected) {
                Ok(error) if error > largest.error || largest.name.is_empty() => {
                    largest = Difference { error, name: want.name.clone() };
                }
                Ok(_) => {}
                Err((expected, received)) => return Ok(Err(Mismatch { name: want.name.clone(), expected, received })),
            }
        }
        Ok(Ok(largest))
    }

    fn numbers<T: Real>(&self, file: &ModelFile, name: &str) -> Vec<T> {
        let place = file.graph().input.iter().position(|info| info.name == name);
        let tensor = place.and_then(|i| self.inputs.get(i)).and_then(Option::as_ref);
        tensor.map(|t| t.to_f64().into_iter().map(T::from_f64).collect()).unwrap_or_default()
    }

    /// The gradients that the case holds, of all outputs with a cotangent.
    fn gradients(&self, file: &ModelFile, imported: &Imported, outputs: &[Wanted]) -> Result<Vec<Wanted>> {
        let graph = &imported.graph;
        let weighted = outputs.iter().zip(&self.cotangents).filter_map(|(output, cotangent)| {
            let cotangent = Value::known(cotangent.clone()?);
            Some(imported.reader.node(&cotangent).map(|c| (&output.node * c).sum_all()))
        });
        let terms: Vec<Node> = weighted
            .collect::<std::result::Result<_, _>>()
            .map_err(|e| OnnxError::unsupported("the cotangents", e.expected, e.received).help(e.help))?;
        let Some(loss) = terms.into_iter().reduce(|a, b| a + b) else { return Ok(vec![]) };
        let mut wanted = vec![];
        for (info, expected) in file.graph().input.iter().zip(&self.grads) {
            let Some(expected) = expected else { continue };
            let place = format!("gradient of input `{}`", info.name);
            let node = imported.input(&info.name).ok_or_else(|| {
                OnnxError::unsupported(&place, "an input that is not bound to a constant", "a constant")
            })?;
            let gradient = graph
                .gradients(&loss, &[&node])
                .map_err(|e| OnnxError::unsupported(&place, "a gradient that flows", e.to_string()))?;
            wanted.push(Wanted { name: place, node: gradient[0].clone(), expected: expected.clone() });
        }
        Ok(wanted)
    }
}

/// A value to compare.
struct Wanted {
    name: String,
    node: Node,
    expected: Tensor,
}

/// The largest difference, or the first pair that differs too much.
fn difference<T: Real>(values: &[T], expected: &Tensor) -> std::result::Result<f64, (String, String)> {
    let mut largest = 0f64;
    let whole = !matches!(expected.values(), Values::F32(_) | Values::F64(_));
    for (i, (y, want)) in values.iter().map(|y| y.to_f64()).zip(expected.to_f64()).enumerate() {
        let same = y == want || y.is_nan() && want.is_nan();
        let error = if same { 0.0 } else { (y - want).abs() };
        let close = if whole { same } else { same || error <= ABSOLUTE + RELATIVE * want.abs() };
        if !close {
            return Err((format!("{want} as element {i}"), y.to_string()));
        }
        largest = largest.max(error);
    }
    Ok(largest)
}
