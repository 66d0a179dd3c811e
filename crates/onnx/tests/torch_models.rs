//! Models that PyTorch wrote: their outputs and the gradients of their inputs agree, and they go on learning here.
//!
//! The folders under `fixtures/models` are made by `fixtures/torch_models.py`.

use gradus_graph::{Engine, Kind, Request, State};
use gradus_kernels::Pool;
use gradus_onnx::check::{self, Outcome};
use gradus_onnx::{Bindings, Limits, ModelFile, import, structure};
use gradus_tensor::{Rng, Shape};
use std::path::{Path, PathBuf};

const MODELS: [&str; 4] = ["encoder", "lenet", "lstm", "resnet"];
/// For each model a weight that is kept as it is, and one that learns.
const KEPT: [(&str, &str); 4] = [
    ("encoder.layers.0.linear1.bias", "head.bias"),
    ("0.weight", "9.weight"),
    ("onnx::LSTM_", "head.weight"),
    ("3.body.0.weight", "7.weight"),
];

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/models").join(name)
}

fn open(name: &str) -> ModelFile {
    ModelFile::open(&folder(name).join("model.onnx")).unwrap()
}

#[test]
fn outputs_and_gradients_agree() {
    let found = check::cases(&folder("")).unwrap();
    // The last has nothing to learn.
    assert_eq!(found, [&MODELS[..], &["warp"]].concat().into_iter().map(folder).collect::<Vec<_>>());
    for folder in found {
        match check::run(&folder, true, Limits::default()).outcome {
            Outcome::Pass(largest) => {
                assert!(largest.error <= 1e-5 && !largest.name.is_empty(), "{folder:?}: {largest:?}");
                println!("{}: {:.1e} in {}", folder.display(), largest.error, largest.name);
            }
            other => panic!("{folder:?}: {other:?}"),
        }
    }
}

const BATCH: usize = 8;
const STEPS: usize = 400;

#[test]
fn they_go_on_learning_and_frozen_weights_stay() {
    for (name, (kept, learns)) in MODELS.into_iter().zip(KEPT) {
        let imported = import(&open(name), &Bindings::default()).unwrap_or_else(|e| panic!("{e}"));
        let (graph, y) = (&imported.graph, imported.output(0).unwrap());
        assert!(graph.freeze(|variable| variable.path.starts_with(kept)) > 0, "{name} has no {kept}");
        let target = graph.add_input("target", y.shape(), Kind::Real);
        let loss = (&y - &target).square().mean_all();
        let variables = graph.variables();
        let trained: Vec<usize> = (0..variables.len()).filter(|&v| variables[v].role.trainable()).collect();
        let weights: Vec<_> = trained.iter().map(|&v| graph.variable_node(v)).collect();
        let gradients = graph.gradients(&loss, &weights.iter().collect::<Vec<_>>()).unwrap();
        for (w, g) in weights.iter().zip(&gradients) {
            graph.update(w, &(w - g * 0.1));
        }
        let model = graph.model(&[("loss", &loss)]).unwrap();
        let mut rng = Rng::new(5, 0, 0);
        let mut draw = |shape: &Shape| (0..shape.len_at(BATCH)).map(|_| rng.normal() as f32).collect::<Vec<f32>>();
        let inputs: Vec<Vec<f32>> = model.inputs().iter().map(|input| draw(&input.shape)).collect();
        let slices: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let first = State::<f32>::new(&model, 0);
        let mut state = first.clone();
        let mut engine = Engine::new(&model, Request::training(&["loss"])).unwrap();
        let mut losses = vec![];
        for _ in 0..STEPS {
            engine.run(&mut state, &slices, BATCH, 1, &Pool::new(1)).unwrap();
            losses.push(engine.sums()[0]);
        }
        let (begin, end) = (losses[0], losses[STEPS - 1]);
        assert!(end < 0.7 * begin, "{name}: {begin} to {end}");
        let mut moved = vec![];
        for ((variable, before), (_, after)) in first.variables().zip(state.variables()) {
            let same = before.iter().zip(after).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same || variable.role.trainable(), "{name}: {} moved", variable.path);
            if !same {
                moved.push(variable.path.as_str());
            }
        }
        assert!(moved.contains(&learns), "{name}: {moved:?}");
    }
}

#[test]
fn a_structure_gives_the_same_graph_and_holds_no_weights() {
    for name in MODELS {
        let file = open(name);
        let imported = import(&file, &Bindings::default()).unwrap();
        let bytes = structure::of(&file, &imported.reader, Limits::default()).unwrap();
        let model = imported.graph.model(&[("y", &imported.output(0).unwrap())]).unwrap();
        let weights: usize = model.variables().iter().filter(|v| v.role.in_model()).map(|v| v.len() * 4).sum();
        let whole = std::fs::metadata(folder(name).join("model.onnx")).unwrap().len() as usize;
        assert!(
            bytes.len() + weights * 9 / 10 < whole + 64 * model.variables().len(),
            "{name}: {} of {whole}",
            bytes.len()
        );

        let again = ModelFile::decode(&bytes, "structure").unwrap();
        let bindings = Bindings { weights_elsewhere: true, ..Bindings::default() };
        let read = import(&again, &bindings).unwrap_or_else(|e| panic!("{name}: {e}"));
        let empty = read.graph.model(&[("y", &read.output(0).unwrap())]).unwrap();
        assert_eq!(format!("{empty}"), format!("{model}"), "{name}");
        // Its weights start at 0, and take the values of the whole model's.
        let (full, mut state) = (State::<f32>::new(&model, 0), State::<f32>::new(&empty, 0));
        let zeros = state.variables().filter(|(_, values)| values.iter().all(|&v| v == 0.0)).count();
        assert!(zeros * 2 > model.variables().len(), "{name}: {zeros}");
        assert_eq!(state.copy_from(&full), model.variables().len());
        let run = |model: &gradus_graph::Model, state: &mut State<f32>| {
            let x: Vec<f32> = (0..model.inputs()[0].shape.len_at(2)).map(|i| (i as f32 * 0.7).sin()).collect();
            let mut engine = Engine::new(model, Request::predicting(&["y"])).unwrap();
            engine.run(state, &[&x], 2, 1, &Pool::new(1)).unwrap();
            engine.output("y").unwrap().to_vec()
        };
        assert_eq!(run(&empty, &mut state), run(&model, &mut full.clone()), "{name}");
        // Without the word for it, weights that are missing are an error, not zeros.
        let error = import(&again, &Bindings::default()).err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains("stored tensor"), "{name}: {error}");
    }
}

#[test]
fn single_numbers_are_constants_unless_they_are_added() {
    use gradus_onnx::proto::{NodeProto, TensorProto};
    let mut file = open("lenet");
    let graph = file.model.graph.as_mut().unwrap();
    let stored = |name: &str, dims: &[i64]| TensorProto {
        name: name.into(),
        dims: dims.to_vec(),
        data_type: 1,
        float_data: vec![0.5],
        ..TensorProto::default()
    };
    let node = |operator: &str, inputs: [&str; 2], output: &str| NodeProto {
        op_type: operator.into(),
        input: inputs.map(String::from).to_vec(),
        output: vec![output.into()],
        ..NodeProto::default()
    };
    let y = graph.output[0].name.clone();
    graph.initializer.extend([stored("scale", &[1]), stored("lone", &[]), stored("shift", &[1])]);
    graph.node.push(node("Mul", [&y, "scale"], "scaled"));
    graph.node.push(node("Add", ["scaled", "lone"], "moved"));
    graph.node.push(node("Add", ["moved", "shift"], "sum"));
    // As a bound the shift is read as a number too.
    graph.node.push(node("Clip", ["sum", "shift"], "end"));
    let imported = import(&file, &Bindings { outputs: vec!["end".into()], ..Bindings::default() }).unwrap();
    let variables = imported.graph.variables();
    let own: Vec<&str> =
        variables.iter().map(|v| v.path.as_str()).filter(|p| ["scale", "lone", "shift"].contains(p)).collect();
    assert_eq!(own, ["shift"]);
    let read = ["scale", "lone", "shift"];
    assert!(read.iter().all(|name| imported.reader.depends_on(name)) && !imported.reader.depends_on("9.bias"));
    // What the graph depends on stays in the structure.
    let bytes = structure::of(&file, &imported.reader, Limits::default()).unwrap();
    let kept = ModelFile::decode(&bytes, "structure").unwrap();
    for stored in &kept.graph().initializer {
        let empty = stored.float_data.is_empty() && stored.raw_data.is_empty();
        assert_eq!(empty, !read.contains(&stored.name.as_str()), "{}", stored.name);
    }
}

#[test]
fn a_value_inside_is_an_output_and_what_it_does_not_need_is_left_out() {
    let file = open("lenet");
    let inner = file.graph().node.iter().find(|node| node.op_type == "Flatten").unwrap().output[0].clone();
    let bindings = Bindings { outputs: vec![inner.clone()], prefix: "net/".into(), ..Bindings::default() };
    let imported = import(&file, &bindings).unwrap();
    assert_eq!(imported.output(0).unwrap().shape().to_string(), "[B, 24]");
    let paths: Vec<String> = imported.graph.variables().into_iter().map(|v| v.path).collect();
    assert_eq!(paths, ["net/0.weight", "net/0.bias", "net/3.weight", "net/3.bias"]);
    let scopes: Vec<&str> = imported.layers.iter().map(|layer| layer.path.as_str()).collect();
    assert!(scopes.iter().all(|path| path.starts_with("net/")) && scopes.len() == 7, "{scopes:?}");
    let wrong = Bindings { outputs: vec!["nothing".into()], ..Bindings::default() };
    let error = import(&file, &wrong).err().unwrap().to_string();
    assert!(error.contains("output `nothing`"), "{error}");
}
