//! Every op, written as ONNX and read back, gives the same values. Where `GRADUS_EXPORTED` names a folder, the files are left there with their
//! values, for `fixtures/onnxruntime_agrees.py`.

use gradus_graph::op::{Case, Draw};
use gradus_graph::{Engine, Graph, Kind, Model, Request, State};
use gradus_kernels::Pool;
use gradus_onnx::export::{Options, encode};
use gradus_onnx::{Bindings, ModelFile, export, import};
use gradus_tensor::{Rng, Tensor, Values};
use std::path::Path;

const BATCH: usize = 3;

/// Values of a case's inputs.
fn draws(case: &Case) -> Vec<Vec<f32>> {
    let mut rng = Rng::new(7, 0, 0);
    let one = |(shape, draw): (&gradus_tensor::Shape, &Draw)| {
        let number = |rng: &mut Rng| match *draw {
            Draw::Within(low, high) => loop {
                let x = low + (high - low) * rng.uniform();
                if case.avoid.iter().all(|a| (x - a).abs() >= 0.05) {
                    break x as f32;
                }
            },
            Draw::Below(bound) => (rng.uniform() * bound as f64).floor() as f32,
        };
        (0..shape.len_at(BATCH)).map(|_| number(&mut rng)).collect()
    };
    case.shapes.iter().zip(&case.draws).map(one).collect()
}

fn run(model: &Model, inputs: &[Vec<f32>]) -> (Vec<usize>, Vec<f32>) {
    let mut engine = Engine::<f32>::new(model, Request::predicting(&["y"])).unwrap();
    let mut state = State::new(model, 0);
    let slices: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
    engine.run(&mut state, &slices, BATCH, 1, &Pool::new(1)).unwrap();
    (engine.output_sizes("y").unwrap().to_vec(), engine.output("y").unwrap().to_vec())
}

/// Leaves a model with its inputs and output, as numbers of the kinds that the file states.
fn leave(folder: &Path, number: usize, model: &Model, file: &[u8], inputs: &[Vec<f32>], y: &[f32]) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join(format!("{number}.onnx")), file).unwrap();
    let mut arrays: Vec<(&str, Tensor)> = vec![];
    for (spec, values) in model.inputs().iter().zip(inputs) {
        let values = match spec.kind {
            Kind::Index => Values::I64(values.iter().map(|&v| v as i64).collect()),
            Kind::Real => Values::F32(values.clone()),
        };
        arrays.push((&spec.name, Tensor::new(spec.shape.at(BATCH), values).unwrap()));
    }
    arrays.push(("y", Tensor::new(model.output_shape("y").unwrap().at(BATCH), y.to_vec()).unwrap()));
    let arrays: Vec<(&str, &Tensor)> = arrays.iter().map(|(name, tensor)| (*name, tensor)).collect();
    gradus_tensor::npz::write(&folder.join(format!("{number}.npz")), &arrays, false).unwrap();
}

#[test]
fn every_op_survives_a_round_trip() {
    let (mut compared, mut refused) = (0, vec![]);
    for case in gradus_graph::Op::cases() {
        let graph = Graph::new();
        let nodes: Vec<_> = case
            .shapes
            .iter()
            .zip(&case.draws)
            .enumerate()
            .map(|(i, (shape, draw))| {
                let kind = if matches!(draw, Draw::Below(_)) { Kind::Index } else { Kind::Real };
                graph.add_input(&format!("x{i}"), shape.clone(), kind)
            })
            .collect();
        // Values without inputs find the batch here.
        graph.input("batch", [1]);
        let y = graph.apply(case.op.clone(), &nodes.iter().collect::<Vec<_>>());
        let model = graph.model(&[("y", &y)]).unwrap();
        let mut inputs = draws(&case);
        inputs.push(vec![0.0; BATCH]);
        let written =
            match export(&model, &State::<f32>::new(&model, 0), &["y"], &Options { version: 19, ..Options::default() })
            {
                Ok(written) => written,
                Err(error) => {
                    refused.push((case.op.name(), error.received));
                    continue;
                }
            };
        let file = ModelFile::decode(&encode(&written), "round trip").unwrap();
        let read = import(&file, &Bindings::default()).unwrap_or_else(|e| panic!("{:?}: {e}", case.op));
        let again = read.graph.model(&[("y", &read.output(0).unwrap())]).unwrap();
        let ((sizes, expected), (shape, received)) = (run(&model, &inputs), run(&again, &inputs));
        assert_eq!(shape, sizes, "{:?}", case.op);
        for (y, want) in received.iter().zip(&expected) {
            assert!(
                (y - want).abs() <= 1e-5 * want.abs().max(1.0) || y.is_nan() && want.is_nan(),
                "{:?}: {y} {want}",
                case.op
            );
        }
        if let Some(folder) = std::env::var_os("GRADUS_EXPORTED") {
            leave(&Path::new(&folder).join(case.op.name()), compared, &model, &encode(&written), &inputs, &expected);
        }
        compared += 1;
    }
    println!("{compared} compared");
    // What predicting never needs.
    for (op, why) in &refused {
        println!("{op}: {why}");
        let reason = ["it belongs to gradients alone", "random numbers are drawn in training alone"];
        assert!(reason.iter().any(|reason| why.contains(reason)), "{op}: {why}");
    }
    assert!(compared > 160, "{compared}");
}

#[test]
fn sums_at_places_outside_are_left_out() {
    let graph = Graph::new();
    let (values, places) = (graph.input("x0", [2]), graph.index_input("x1", [0usize; 0]));
    let model = graph.model(&[("y", &values.scatter_add(0, &places, 2))]).unwrap();
    let written = export(&model, &State::<f32>::new(&model, 0), &["y"], &Options::default()).unwrap();
    let file = ModelFile::decode(&encode(&written), "sums").unwrap();
    let read = import(&file, &Bindings::default()).unwrap();
    let again = read.graph.model(&[("y", &read.output(0).unwrap())]).unwrap();
    for places in [vec![1.0, 1.0, 0.0], vec![-1.0, 1.0, 2.0], vec![-2.0, 70.0, 0.0]] {
        let inputs = [vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], places];
        assert_eq!(run(&again, &inputs), run(&model, &inputs), "{inputs:?}");
    }
}
