//! Outputs, gradients and running statistics of the layers against an independent implementation (see `fixtures/README.md`), and what
//! no fixture can say: masks, shared heads, batches too small.

mod common;

use common::record::record;
use common::{DOUBLE, SINGLE, assert_close, cast, tensor};
use gradus_graph::{Engine, Graph, GraphError, Kind, Mode, Model, Node, Op, Request, State};
use gradus_kernels::{Pool, Real};
use gradus_nn::layers::{ActivityPenalty, BatchNorm, Dense, Dropout, LayerNorm, MultiSampleDropout};
use gradus_nn::losses::{CrossEntropy, Mse};
use gradus_nn::optimizers::Sgd;
use gradus_nn::regularizers::L2;
use gradus_nn::{AnyLayer, Layer, LayerExt, TrainStep, seq};
use gradus_tensor::Shape;
use serde_json::Value;

fn cases() -> Vec<Value> {
    let cases = |text: &str| {
        let fixture: Value = serde_json::from_str(text).unwrap();
        fixture["cases"].as_array().unwrap().clone()
    };
    [cases(include_str!("fixtures/layers.json")), cases(include_str!("fixtures/containers.json"))].concat()
}

/// The layer over `x`, the gradients of Σ dy·y and of the layer's penalty, and the penalty.
fn measured(layer: &AnyLayer, sizes: &[usize], out: &[usize], parameters: &[&String]) -> Model {
    let g = Graph::new();
    let x = g.add_input("x", Shape::batched(&sizes[1..]), Kind::Real);
    let dy = g.add_input("dy", Shape::batched(&out[1..]), Kind::Real);
    let y = layer.build(&x);
    let penalty = g.penalties().into_iter().map(|p| p.1).reduce(|a, b| a + b).unwrap_or_else(|| g.scalar(0.0));
    let total = (&y * &dy).sum_all() + &penalty;
    let names: Vec<String> = g.variables().into_iter().map(|v| v.path).collect();
    let variable = |path: &String| g.variable_node(names.iter().position(|name| name == path).unwrap());
    let targets: Vec<Node> = [x].into_iter().chain(parameters.iter().map(|path| variable(path))).collect();
    let gradients = g.gradients(&total, &targets.iter().collect::<Vec<_>>()).unwrap();
    let mut outputs = vec![("y".to_string(), y), ("penalty".to_string(), penalty)];
    let of = ["x".to_string()].into_iter().chain(parameters.iter().map(|p| (*p).clone()));
    outputs.extend(of.map(|path| format!("gradient/{path}")).zip(gradients));
    g.model(&outputs.iter().map(|(name, node)| (name.as_str(), node)).collect::<Vec<_>>()).unwrap()
}

fn follow<T: Real>(case: &Value, optimize: bool, tolerance: (f64, f64)) {
    let layer: AnyLayer = serde_json::from_value(case["layer"].clone()).unwrap();
    let name = format!("{} {}", layer.key(), case["name"]);
    let parameters = case["parameters"].as_object().unwrap();
    let steps = case["steps"].as_array().unwrap();
    let (sizes, first) = tensor(&steps[0]["x"]);
    let (out, _) = tensor(&steps[0]["y"]);
    let model = measured(&layer, &sizes, &out, &parameters.keys().collect::<Vec<_>>());
    let mut state = State::<T>::new(&model, 0);
    for (path, values) in parameters {
        state.variable_mut(path).unwrap().copy_from_slice(&cast::<T>(&tensor(values).1));
    }
    let outputs = model.outputs().iter().map(|o| o.0.clone()).collect();
    let training = Request { mode: Mode::Train, outputs, updates: true, optimize, ..Request::predicting(&[]) };
    let mut engine = Engine::new(&model, training).unwrap();
    for (i, step) in steps.iter().enumerate() {
        let (x, dy) = (cast::<T>(&tensor(&step["x"]).1), cast::<T>(&tensor(&step["dy"]).1));
        engine.run(&mut state, &[&x, &dy], sizes[0], 1, &Pool::new(1)).unwrap();
        let check = |what: &str, value: &Value| {
            assert_close(
                &format!("{name}: {what} in step {i}"),
                engine.output(what).unwrap(),
                &tensor(value).1,
                tolerance,
            );
        };
        check("y", &step["y"]);
        check("gradient/x", &step["dx"]);
        step["gradients"].as_object().unwrap().iter().for_each(|(path, dw)| check(&format!("gradient/{path}"), dw));
        if let Some(penalty) = step["penalty"].as_f64() {
            assert_close(&name, engine.output("penalty").unwrap(), &[penalty], tolerance);
        }
        for (path, value) in step["running"].as_object().into_iter().flatten() {
            let what = format!("{name}: {path} after step {i}");
            assert_close(&what, state.variable(path).unwrap(), &tensor(value).1, tolerance);
        }
    }
    let mut engine = Engine::new(&model, Request { optimize, ..Request::predicting(&["y"]) }).unwrap();
    let x = cast::<T>(&first);
    engine.run(&mut state, &[&x, &cast(&tensor(&steps[0]["dy"]).1)], sizes[0], 1, &Pool::new(1)).unwrap();
    assert_close(&name, engine.output("y").unwrap(), &tensor(&case["predicted"]).1, tolerance);
}

#[test]
fn layers_agree_with_the_reference() {
    for case in cases() {
        for optimize in [true, false] {
            follow::<f64>(&case, optimize, (DOUBLE.0, 1e-13));
            // With two rows nearly all of the gradient cancels out.
            let absolute = if case["name"] == "two_rows" { 1e-4 } else { 3e-6 };
            follow::<f32>(&case, optimize, (SINGLE.0, absolute));
        }
    }
}

/// Random numbers in [-1, 1).
fn noise(stream: u32, len: usize) -> Vec<f64> {
    let mut rng = gradus_tensor::Rng::new(1, stream, 0);
    (0..len).map(|_| rng.uniform() * 2.0 - 1.0).collect()
}

/// Compiled gradients of the loss against central differences: `‖a - n‖ / (‖a‖ + ‖n‖)` for each parameter.
fn check_gradients((subject, case): (&str, &str), step: &Model, inputs: &[&[f64]], batch: usize) {
    let names: Vec<&str> = step.outputs().iter().map(|o| o.0.as_str()).filter(|n| n.starts_with("gradient/")).collect();
    let request = |outputs: &[&str]| Request { mode: Mode::Train, ..Request::predicting(outputs) };
    let mut state = State::<f64>::new(step, 3);
    let mut engine = Engine::new(step, request(&names)).unwrap();
    let mut loss = Engine::new(step, request(&["loss"])).unwrap();
    let pool = Pool::new(1);
    engine.run(&mut state, inputs, batch, 1, &pool).unwrap();
    for name in names {
        let path = &name["gradient/".len()..];
        let analytic = engine.output(name).unwrap();
        let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
        let mut differ = |step: f64| {
            let mut numeric = vec![];
            for i in 0..analytic.len() {
                let value = state.variable(path).unwrap()[i];
                let h = step * value.abs().max(1.0);
                let mut at = |x: f64| {
                    state.variable_mut(path).unwrap()[i] = x;
                    loss.run(&mut state, inputs, batch, 1, &pool).unwrap();
                    loss.output("loss").unwrap()[0]
                };
                let (near, far) = (at(value + h) - at(value - h), at(value + 2.0 * h) - at(value - 2.0 * h));
                numeric.push((8.0 * near - far) / (12.0 * h));
                at(value);
            }
            let apart = norm(&mut analytic.iter().zip(&numeric).map(|(a, n)| a - n));
            let sizes = norm(&mut analytic.iter().copied()) + norm(&mut numeric.iter().copied());
            // A gradient of nothing but rounding, such as that of a bias before a batch norm, has no direction to compare.
            if sizes < 1e-6 { 0.0 } else { apart / sizes }
        };
        // Kinks lie within a large step; gradients far smaller than the loss drown in the rounding of a small one.
        let error = differ(3e-4).min(differ(1e-6));
        record("first gradient", subject, case, error);
        assert!(error < 1e-7, "{case}: {name}: error {error:.1e}");
    }
}

#[test]
fn gradients_through_every_layer_are_those_of_differences() {
    // Deformable convolution starts on the grid, where the slope of what is read jumps: `tests/regions.rs` checks it off the grid.
    for layer in AnyLayer::examples()
        .into_iter()
        .filter(|layer| !matches!(layer, AnyLayer::DeformConv(_) | AnyLayer::Network(_)))
    {
        let g = Graph::new();
        let ids = matches!(layer, AnyLayer::Embedding(_));
        let x = g.input("x", [2, 3]);
        let x = if ids { x.with_ids(4) } else { x.layer(Dense::new(4).tanh()) };
        let y = match layer {
            AnyLayer::MultiSampleDropout(_) => x.layer(seq![gradus_nn::layers::Flatten, layer.clone()]),
            _ => x.layer(layer.clone()).layer(seq![Dense::new(3).tanh(), gradus_nn::layers::Flatten, Dense::new(2)]),
        };
        let width = y.units();
        let step = TrainStep::new(Sgd::default()).loss("y", Mse::default()).regularizer(L2::new(0.01));
        let step = step.build(&g.model(&[("y", &y)]).unwrap()).unwrap_or_else(|e| panic!("{layer:?}: {e}"));
        let values = if ids { (0..5 * 6).map(|i| f64::from(i % 4)).collect() } else { noise(1, 5 * 6) };
        check_gradients((layer.key(), &format!("{layer:?}")), &step, &[&values, &noise(2, 5 * width)], 5);
    }
}

/// One value of a training step's model.
fn value(model: &Model, name: &str, mode: Mode, state: &mut State<f64>, inputs: &[&[f64]], batch: usize) -> Vec<f64> {
    let mut engine = Engine::new(model, Request { mode, ..Request::predicting(&[name]) }).unwrap();
    engine.run(state, inputs, batch, 1, &Pool::new(1)).unwrap();
    engine.output(name).unwrap().to_vec()
}

#[test]
fn multi_sample_dropout_is_the_mean_loss_over_its_masks() {
    let (samples, batch) = (3, 4);
    let (x, labels) = (noise(1, batch * 6), vec![0.0, 2.0, 1.0, 2.0]);
    let step = |y: &Node| {
        let network = y.graph().model(&[("class", y)]).unwrap();
        TrainStep::new(Sgd::default()).loss("class", CrossEntropy::default()).build(&network).unwrap()
    };
    let g = Graph::new();
    let y = g.input("x", [6]).layer(MultiSampleDropout::new(0.4, samples, Dense::new(3)));
    let model = step(&y);
    let paths: Vec<&str> = model.variables().iter().map(|v| v.path.as_str()).filter(|p| p.contains("dense")).collect();
    assert_eq!(paths, ["multi_sample_dropout/dense/weight", "multi_sample_dropout/dense/bias"]);
    assert_eq!(model.parameters(), 6 * 3 + 3, "those of one head");

    // The masks, and the same head behind each by itself.
    let masks: Vec<_> = model.nodes().iter().filter(|n| matches!(n.op, Op::Random(_))).cloned().collect();
    assert_eq!(masks.len(), samples);
    let mut state = State::<f64>::new(&model, 7);
    let loss = value(&model, "data_loss", Mode::Train, &mut state, &[&x, &labels], batch)[0];
    let mut single = vec![];
    let mut logits = vec![0.0; batch * 3];
    for mask in &masks {
        let g = Graph::new();
        let input = g.input("x", [6]);
        let dropped = &input * (g.apply(mask.op.clone(), &[]) * (1.0 / 0.6));
        let model = step(&dropped.scope("multi_sample_dropout", |x| x.layer(Dense::new(3))));
        let mut own = State::<f64>::new(&model, 7);
        assert!(own.copy_from(&state) >= 2);
        single.push(value(&model, "data_loss", Mode::Train, &mut own, &[&x, &labels], batch)[0]);
        let part = value(&model, "class", Mode::Train, &mut own, &[&x, &labels], batch);
        logits.iter_mut().zip(part).for_each(|(sum, y)| *sum += y / samples as f64);
    }
    assert!(single[0] != single[1] && single[1] != single[2], "different masks");
    assert!((loss - single.iter().sum::<f64>() / samples as f64).abs() < 1e-12, "{loss} of {single:?}");
    assert_close("outputs", &value(&model, "class", Mode::Train, &mut state, &[&x, &labels], batch), &logits, DOUBLE);

    // Predicting is the head alone.
    let g = Graph::new();
    let y = g.input("x", [6]).scope("multi_sample_dropout", |x| x.layer(Dense::new(3)));
    let plain = step(&y);
    let mut own = State::<f64>::new(&plain, 7);
    own.copy_from(&state);
    for name in ["class", "class/loss_sum", "class/probabilities", "class/correct"] {
        let whole = value(&model, name, Mode::Predict, &mut state, &[&x, &labels], batch);
        assert_eq!(whole, value(&plain, name, Mode::Predict, &mut own, &[&x, &labels], batch), "{name}");
    }
}

#[test]
fn multi_sample_dropout_stands_last() {
    let g = Graph::new();
    let y = g.input("x", [6]).layer(MultiSampleDropout::new(0.4, 2, Dense::new(3))).layer(Dense::new(2));
    let network = g.model(&[("y", &y)]).unwrap();
    let error = TrainStep::new(Sgd::default()).loss("y", Mse::default()).build(&network).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`multi_sample_dropout` gives several values to take the loss of, but no loss is on its output\n  expected: the last layer, on whose output the loss is\n  help:     move it to the end of the network, with the layers behind it as its `layers`"
    );
    // A head with running statistics would update them once for each mask.
    let g = Graph::new();
    let head = MultiSampleDropout {
        layers: vec![BatchNorm::default().into()],
        ..MultiSampleDropout::new(0.4, 2, Dense::new(3))
    };
    let y = g.input("x", [6]).layer(head);
    let error = g.model(&[("y", &y)]).unwrap_err();
    assert_eq!(error, GraphError::Twice { variable: "multi_sample_dropout/batch_norm/mean".into() });
}

#[test]
fn penalties_within_masks_are_averaged() {
    let g = Graph::new();
    let head = MultiSampleDropout {
        layers: vec![Dense::new(3).into(), ActivityPenalty::l1(0.5).into()],
        ..MultiSampleDropout::new(0.0, 4, Dense::new(3))
    };
    let y = g.input("x", [6]).layer(head);
    let step = TrainStep::new(Sgd::default()).loss("y", Mse::default()).build(&g.model(&[("y", &y)]).unwrap()).unwrap();
    let (x, target) = (noise(1, 12), vec![0.0; 6]);
    let mut state = State::<f64>::new(&step, 7);
    let y = value(&step, "y", Mode::Train, &mut state, &[&x, &target], 2);
    let expected = 0.5 * y.iter().map(|y| y.abs()).sum::<f64>() / 2.0;
    let penalty = value(&step, "penalty", Mode::Train, &mut state, &[&x, &target], 2)[0];
    assert!((penalty - expected).abs() < 1e-12, "{penalty} and {expected}");
}

#[test]
fn spatial_dropout_drops_whole_channels() {
    let outputs = |layer: Dropout, shape: &[usize]| {
        let g = Graph::new();
        let y = g.input("x", shape).layer(layer);
        let model = g.model(&[("y", &y)]).unwrap();
        let mut state = State::<f64>::new(&model, 1);
        let x = vec![1.0; 50 * shape.iter().product::<usize>()];
        value(&model, "y", Mode::Train, &mut state, &[&x], 50)
    };
    let layer = Dropout::new(0.25).per_channel();
    let kept = 1.0 / 0.75;
    // [B, C, H, W]: each channel's 6 places together, about a quarter of 50·8 channels gone.
    let images = outputs(layer, &[8, 2, 3]);
    let dropped = images.chunks(6).filter(|channel| channel.iter().all(|&y| y == 0.0)).count();
    assert!(images.chunks(6).all(|channel| channel.iter().all(|y| *y == channel[0])));
    assert!(images.iter().all(|&y| y == 0.0 || (y - kept).abs() < 1e-12));
    assert!((60..140).contains(&dropped), "{dropped}");
    // [B, T, C]: a channel is the same at all times.
    let sequences = outputs(layer, &[5, 4]);
    for sample in sequences.chunks(20) {
        assert!((0..4).all(|c| (1..5).all(|t| sample[t * 4 + c] == sample[c])));
    }
    assert!(sequences.chunks(20).any(|s| s[0] != s[1]), "channels differ");
    // The axis by name: here whole time steps.
    let steps = outputs(Dropout { axis: Some(1), ..layer }, &[5, 4]);
    assert!(steps.chunks(4).all(|step| step.iter().all(|y| *y == step[0])));
    // Rows: a channel is an element.
    let rows = outputs(layer, &[40]);
    assert_eq!(rows, outputs(Dropout::new(0.25), &[40]));
}

#[test]
fn penalties_are_minimised_and_reported_apart_from_the_loss_on_data() {
    let (x, target) = (noise(1, 4 * 3), noise(2, 4 * 2));
    let build = |penalized: bool| {
        let g = Graph::new();
        let mut h = g.input("x", [3]).layer(Dense::new(5).tanh());
        if penalized {
            h = h.layer(ActivityPenalty { l1: 0.1, l2: 0.2 });
        }
        let y = h.layer(Dense::new(2));
        let step = TrainStep::new(Sgd::default()).loss("y", Mse::default()).regularizer(L2::new(0.3));
        step.build(&g.model(&[("y", &y), ("h", &h)]).unwrap()).unwrap()
    };
    let (with, without) = (build(true), build(false));
    let read = |model: &Model, name: &str| {
        let mut state = State::<f64>::new(model, 5);
        value(model, name, Mode::Train, &mut state, &[&x, &target], 4)
    };
    let h = read(&with, "h");
    let activity = (0.1 * h.iter().map(|h| h.abs()).sum::<f64>() + 0.1 * h.iter().map(|h| h * h).sum::<f64>()) / 4.0;
    let [penalty, data, loss] = ["penalty", "data_loss", "loss"].map(|name| read(&with, name)[0]);
    assert!((penalty - read(&without, "penalty")[0] - activity).abs() < 1e-12);
    assert_eq!(data, read(&without, "data_loss")[0]);
    assert!((loss - data - penalty).abs() < 1e-12);
    assert_ne!(read(&with, "gradient/dense/weight"), read(&without, "gradient/dense/weight"));
    assert_eq!(read(&with, "gradient/dense_1/weight"), read(&without, "gradient/dense_1/weight"));
    check_gradients(("activity_penalty", "beside a loss"), &with, &[&x, &target], 4);
}

#[test]
fn axes_and_sizes_that_do_not_fit_are_refused() {
    let refused = |layer: AnyLayer, shape: &[usize]| {
        let g = Graph::new();
        let y = g.input("x", shape).layer(layer);
        g.model(&[("y", &y)]).unwrap_err().to_string()
    };
    let error = refused(BatchNorm { axis: Some(3), ..BatchNorm::default() }.into(), &[4]);
    assert!(error.contains("in `batch_norm`") && error.contains("received: axis 3 of [B, 4]"), "{error}");
    assert!(refused(BatchNorm { axis: Some(0), ..BatchNorm::default() }.into(), &[4]).contains("behind the batch"));
    assert!(refused(BatchNorm { momentum: 0.0, ..BatchNorm::default() }.into(), &[4]).contains("`momentum` above 0"));
    assert!(refused(BatchNorm { eps: -1.0, ..BatchNorm::default() }.into(), &[4]).contains("`eps` above 0"));
    assert!(refused(BatchNorm::default().into(), &[]).contains("received: axis 1 of [B]"));
    assert!(refused(LayerNorm { axes: vec![0], ..LayerNorm::default() }.into(), &[4]).contains("received: [0]"));
    assert!(refused(LayerNorm { axes: vec![-3], ..LayerNorm::default() }.into(), &[4]).contains("axes [-3] of [B, 4]"));
    let group: AnyLayer = gradus_nn::layers::GroupNorm { groups: 3, ..Default::default() }.into();
    assert!(refused(group, &[4]).contains("expected: channels that 3 groups divide\n  received: 4"));
    let instance: AnyLayer = gradus_nn::layers::InstanceNorm::default().into();
    assert!(refused(instance, &[4]).contains("help:     for rows of features use `layer_norm` or `batch_norm`"));
    assert!(refused(ActivityPenalty::default().into(), &[4]).contains("expected: `l1` or `l2` above 0"));
    assert!(refused(Dropout { axis: Some(1), ..Dropout::new(0.5) }.into(), &[4]).contains("per = \"channel\""));
    assert!(refused(Dropout::new(1.0).per_channel().into(), &[4]).contains("below 1\n  received: 1"));
    let empty = MultiSampleDropout { layers: vec![], ..MultiSampleDropout::new(0.5, 2, Dense::new(1)) };
    assert!(refused(empty.into(), &[4]).contains("`layers` of at least one layer"));
}

#[test]
fn one_sample_is_a_batch_only_where_there_is_space() {
    let need = |shape: &[usize]| {
        let g = Graph::new();
        let y = g.input("x", shape).layer(BatchNorm::default());
        g.model(&[("y", &y)]).unwrap().least_batch().map(|need| need.samples)
    };
    assert_eq!(need(&[4]), Some(2));
    assert_eq!(need(&[4, 1, 1]), Some(2));
    assert_eq!(need(&[4, 2, 2]), None);
    assert_eq!(need(&[5, 4]), None);
}
