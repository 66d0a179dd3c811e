//! Predictions of ONNX models, alone and in a batch, beside programs that run such files.
//!
//! Models are those of a folder, one `.onnx` file each, with one input whose first size is open. The programs of the others are
//! `xtask/peers/onnx_NAME.py` and `xtask/peers/tract`; they read the points as JSON and print a line of JSON for each.

use super::Options;
use super::answers::{self, Answer};
use super::measure;
use gradus_graph::State;
use gradus_onnx::{Bindings, ModelFile, import};
use gradus_tensor::Rng;
use gradus_train::Predictor;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Seconds of measuring at each point.
const SECONDS: f64 = 1.0;
/// Samples at once.
const BATCHES: [usize; 2] = [1, 64];

/// A model and how many samples it is given.
#[derive(Serialize)]
struct Point {
    name: String,
    file: PathBuf,
    batch: usize,
    /// The sizes of a sample.
    shape: Vec<usize>,
}

/// What the other programs read.
#[derive(Serialize)]
struct Order<'a> {
    seconds: f64,
    threads: usize,
    points: &'a [Point],
}

/// Measures the models of a folder; with `--vs` beside others.
pub fn run(folder: &Path, options: &Options) -> Result<(), String> {
    let points = points(folder)?;
    if options.worker {
        return points.iter().try_for_each(|point| point.measure(options.threads)?.say());
    }
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let words =
        ["bench", "--worker", "--threads", &options.threads.to_string(), "--onnx", &folder.display().to_string()];
    let mut programs = vec![(own, words.map(String::from).to_vec())];
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers");
    for name in options.vs.iter().flat_map(|vs| vs.split(',')).filter(|name| !name.is_empty()) {
        if name == "tract" {
            programs.push((
                options.tract.clone().unwrap_or_else(|| peers.join("tract/target/release/tract-bench")),
                vec![],
            ));
            continue;
        }
        let script = peers.join(format!("onnx_{name}.py"));
        if !script.exists() {
            return Err(format!("there is no program for `{name}` in {}; known: onnxruntime, tract", peers.display()));
        }
        programs.push((PathBuf::from(super::peers::python(name, options)), vec![script.display().to_string()]));
    }
    let order = Order { seconds: SECONDS, threads: options.threads, points: &points };
    answers::compare(&programs, &order, &points.iter().map(|point| &point.name[..]).collect::<Vec<_>>(), options)
}

/// Each model of a folder with each number of samples.
fn points(folder: &Path) -> Result<Vec<Point>, String> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|e| e == "onnx"));
    files.sort();
    let mut points = vec![];
    for file in files {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let shape = read(&file)?.1;
        for batch in BATCHES {
            points.push(Point { name: format!("{name} b{batch}"), file: file.clone(), batch, shape: shape.clone() });
        }
    }
    if points.is_empty() {
        return Err(format!("{} holds no .onnx file; xtask/peers/onnx_models.py makes some", folder.display()));
    }
    Ok(points)
}

/// A model that predicts, and the sizes of a sample.
fn read(file: &Path) -> Result<(Predictor, Vec<usize>), String> {
    let model = ModelFile::open(file).map_err(|e| e.to_string())?;
    let imported = import(&model, &Bindings::default()).map_err(|e| e.to_string())?;
    let y = imported.output(0).map_err(|e| e.to_string())?;
    let model = imported.graph.model(&[("y", &y)]).map_err(|e| e.to_string())?;
    let predictor = Predictor::new(&model, "y", None, &State::new(&model, 0)).map_err(|e| e.to_string())?;
    Ok((predictor, model.inputs()[0].shape.at(1)[1..].to_vec()))
}

impl Point {
    /// Times our predictions, and how long it takes to the first of them.
    fn measure(&self, threads: usize) -> Result<Answer, String> {
        let mut rng = Rng::new(0, 0, 0);
        let x: Vec<f32> =
            (0..self.batch * self.shape.iter().product::<usize>()).map(|_| rng.uniform() as f32).collect();
        let start = Instant::now();
        let (predictor, _) = read(&self.file)?;
        let mut predictor = predictor.threads(threads).map_err(|e| e.to_string())?;
        let mut failed = predictor.predict(&x).err();
        let load_ms = start.elapsed().as_secs_f64() * 1e3;
        let (us, cpu, _) = measure::steps(SECONDS, |n| {
            for _ in 0..n {
                failed = failed.take().or_else(|| predictor.predict(&x).err());
            }
        });
        match failed {
            Some(error) => Err(format!("{}: {error}", self.name)),
            None => Ok(Answer { load_ms: Some(load_ms), ..Answer::new(&self.name, us, cpu) }),
        }
    }
}
