//! Every op, written as ONNX and read back, gives the same values.

use gradus_graph::op::{Case, Draw};
use gradus_graph::{Engine, Graph, Kind, Model, Request, State};
use gradus_kernels::Pool;
use gradus_onnx::export::{Options, encode};
use gradus_onnx::{Bindings, ModelFile, export, import};
use gradus_tensor::Rng;

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
