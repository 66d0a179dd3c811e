//! Whole training steps: against an independent implementation, and what a trainer relies on.

mod common;

use common::{DOUBLE, SINGLE, assert_close, cast, tensor};
use gradus_graph::{Constant, Engine, Graph, GraphError, Mode, Model, Request, Role, State};
use gradus_kernels::{Pool, Real};
use gradus_nn::layers::{Dense, Dropout, Flatten};
use gradus_nn::losses::{BinaryCrossEntropy, CrossEntropy, Mse, Target};
use gradus_nn::optimizers::{Adam, Sgd};
use gradus_nn::regularizers::{L1, L2};
use gradus_nn::updates::Decay;
use gradus_nn::{AnyLayer, AnyLoss, AnyOptimizer, Layer, LayerExt, Sequential, TrainStep, seq};
use gradus_tensor::Shape;
use serde_json::{Value, json};

/// Runs a few steps, one call each; the sums of every call.
fn train<T: Real>(
    model: &Model,
    state: &mut State<T>,
    scalars: &[&str],
    inputs: &[&[T]],
    batch: usize,
    steps: usize,
) -> Vec<Vec<f64>> {
    let mut engine = Engine::new(model, Request::training(scalars)).unwrap();
    let pool = Pool::new(1);
    let mut run = || {
        engine.run(state, inputs, batch, 1, &pool).unwrap();
        engine.sums().to_vec()
    };
    (0..steps).map(|_| run()).collect()
}

fn dense(units: usize, activation: &str) -> Dense {
    serde_json::from_value(json!({ "units": units, "activation": activation })).unwrap()
}

/// One run of `mlp.json` in one precision.
fn follow<T: Real>(net: &Value, run: &Value, tolerance: (f64, f64)) {
    let widths: Vec<usize> = net["widths"].as_array().unwrap().iter().map(|w| w.as_u64().unwrap() as usize).collect();
    let hidden = net["hidden"].as_str().unwrap();
    let g = Graph::new();
    let y = g.input("x", [widths[0]]);
    let y = g.scope("dense1", || dense(widths[1], hidden).build(&y));
    let y = g.scope("dense2", || Dense::new(widths[2]).build(&y));
    let model = g.model(&[("out", &y)]).unwrap();

    let optimizer = run["optimizer"].as_str().unwrap().replace("adamw", "adam_w");
    let optimizer: AnyOptimizer = serde_json::from_value(json!({ optimizer: run["settings"] })).unwrap();
    let loss: AnyLoss = match net["loss"].as_str().unwrap() {
        "mse half" => Mse { half: true, ..Mse::default() }.into(),
        _ => CrossEntropy::default().into(),
    };
    let mut step = TrainStep::new(optimizer).loss("out", loss);
    if let Some(l2) = net["l2"].as_f64() {
        step = step.regularizer(L2::new(l2));
    }
    let model = step.build(&model).unwrap();
    let mut state = State::<T>::new(&model, 0);
    for (path, start) in net["start"].as_object().unwrap() {
        state.variable_mut(path).unwrap().copy_from_slice(&cast::<T>(&tensor(start).1));
    }
    let (sizes, x) = tensor(&net["x"]);
    let (x, y) = (cast::<T>(&x), cast::<T>(&tensor(&net["y"]).1));

    if let Some(gradients) = run["first_gradients"].as_object() {
        let names: Vec<String> = gradients.keys().map(|path| format!("gradient/{path}")).collect();
        let request = Request { mode: Mode::Train, outputs: names, ..Request::predicting(&[]) };
        let mut engine = Engine::new(&model, request).unwrap();
        engine.run(&mut state, &[&x, &y], sizes[0], 1, &Pool::new(1)).unwrap();
        for (path, gradient) in gradients {
            assert_close(path, engine.output(&format!("gradient/{path}")).unwrap(), &tensor(gradient).1, tolerance);
        }
    }
    let steps = net["steps"].as_u64().unwrap() as usize;
    let sums = train(&model, &mut state, &["loss"], &[&x, &y], sizes[0], steps);
    let losses: Vec<f64> = sums.iter().map(|s| s[0]).collect();
    assert_close("losses", &losses, &common::numbers(&run["losses"]), tolerance);
    for (path, end) in run["final"].as_object().unwrap() {
        assert_close(path, state.variable(path).unwrap(), &tensor(end).1, tolerance);
    }
}

#[test]
fn small_networks_end_to_end() {
    let nets: Value = serde_json::from_str(include_str!("fixtures/mlp.json")).unwrap();
    for net in nets.as_array().unwrap() {
        for run in net["runs"].as_array().unwrap() {
            follow::<f64>(net, run, DOUBLE);
            follow::<f32>(net, run, SINGLE);
        }
    }
}

/// Random numbers in [-1, 1).
fn noise(stream: u32, len: usize) -> Vec<f32> {
    let mut rng = gradus_tensor::Rng::new(1, stream, 0);
    (0..len).map(|_| (rng.uniform() * 2.0 - 1.0) as f32).collect()
}

#[test]
fn every_layer_trains_saves_and_loads() {
    // Whole networks want images of their own size, embeddings ids: they have tests of their own.
    let others = |layer: &AnyLayer| !matches!(layer, AnyLayer::Network(_) | AnyLayer::Embedding(_));
    for layer in AnyLayer::examples().into_iter().filter(others) {
        let g = Graph::new();
        let x = g.input("x", [2, 3]).layer(Dense::new(4));
        let y = match layer {
            AnyLayer::MultiSampleDropout(_) => x.layer(seq![Flatten, layer.clone()]),
            AnyLayer::DeformConv(_) => {
                let image = x.layer(seq![Flatten, Dense::new(32)]).reshape(Shape::batched(&[2, 4, 4]));
                image.layer(layer.clone()).layer(seq![Flatten, Dense::new(2)])
            }
            _ => x.layer(layer.clone()).layer(seq![Flatten, Dense::new(2)]),
        };
        let width = y.units();
        let network = g.model(&[("y", &y)]).unwrap();
        let step = TrainStep::new(Adam { lr: 0.01, ..Adam::default() }).loss("y", Mse::default());
        let model = step.build(&network).unwrap_or_else(|e| panic!("{layer:?}: {e}"));
        let (x, t) = (noise(1, 8 * 6), noise(2, 8 * width));
        let mut state = State::<f32>::new(&model, 5);
        let evaluate = |state: &mut State<f32>| {
            let mut engine = Engine::new(&model, Request::predicting(&["data_loss"])).unwrap();
            engine.run(state, &[&x, &t], 8, 1, &Pool::new(1)).unwrap();
            engine.output("data_loss").unwrap()[0]
        };
        let before = evaluate(&mut state);
        train(&model, &mut state, &["data_loss"], &[&x, &t], 8, 200);
        let after = evaluate(&mut state);
        assert!(after < 0.7 * before, "{layer:?} learns: {before} -> {after}");

        // What a file keeps: the values by path. They give the same predictions in a network without optimiser.
        let saved: Vec<(String, Vec<f32>)> = state
            .variables()
            .filter(|(v, _)| v.role.in_model())
            .map(|(v, values)| (v.path.clone(), values.to_vec()))
            .collect();
        let predictor = step.predictor(&network).unwrap();
        let mut loaded = State::<f32>::new(&predictor, 99);
        assert_eq!(saved.len(), loaded.variables().count(), "{layer:?}");
        for (path, values) in &saved {
            loaded.variable_mut(path).unwrap().copy_from_slice(values);
        }
        let mut predict = Engine::new(&predictor, Request::predicting(&["y"])).unwrap();
        predict.run(&mut loaded, &[&x], 8, 1, &Pool::new(1)).unwrap();
        let mut whole = Engine::new(&model, Request::predicting(&["y"])).unwrap();
        whole.run(&mut state, &[&x, &t], 8, 1, &Pool::new(1)).unwrap();
        assert_eq!(predict.output("y"), whole.output("y"), "{layer:?}");
    }
}

#[test]
fn dropout_drops_its_share_when_training_and_keeps_the_mean() {
    let rate = 0.3;
    let output = |layer: Dropout, mode: Mode, state_step: u64| {
        let g = Graph::new();
        let y = g.input("x", [1000]).layer(layer);
        let model = g.model(&[("y", &y)]).unwrap();
        let mut engine = Engine::<f64>::new(&model, Request { mode, ..Request::predicting(&["y"]) }).unwrap();
        let mut state = State::new(&model, 1);
        state.step = state_step;
        engine.run(&mut state, &[&vec![2.0; 40_000]], 40, 1, &Pool::new(1)).unwrap();
        engine.output("y").unwrap().to_vec()
    };
    let inverted = output(Dropout::new(rate), Mode::Train, 0);
    let dropped = inverted.iter().filter(|&&y| y == 0.0).count() as f64 / 40_000.0;
    assert!((dropped - rate).abs() < 5.0 * (rate * (1.0 - rate) / 40_000.0).sqrt(), "{dropped}");
    assert!(inverted.iter().all(|&y| y == 0.0 || (y - 2.0 / 0.7).abs() < 1e-12));
    assert_ne!(inverted, output(Dropout::new(rate), Mode::Train, 1), "a new mask in every step");
    assert_eq!(output(Dropout::new(rate), Mode::Predict, 0), [2.0; 40_000]);

    let classic = output(Dropout::new(rate).classic(), Mode::Train, 0);
    assert!(
        classic.iter().zip(&inverted).all(|(&c, &i)| if i == 0.0 { c == 0.0 } else { c == 2.0 }),
        "the same mask, not scaled"
    );
    assert!(output(Dropout::new(rate).classic(), Mode::Predict, 0).iter().all(|&y| (y - 1.4).abs() < 1e-12));
    assert_eq!(output(Dropout::new(0.0), Mode::Train, 0), [2.0; 40_000]);
}

#[test]
fn the_backward_pass_sees_the_forward_mask() {
    let g = Graph::new();
    let x = g.input("x", [50]);
    let y = x.layer(Dropout::new(0.5));
    let dx = g.gradients(&y.sum_all(), &[&x]).unwrap().remove(0);
    let model = g.model(&[("y", &y), ("dx", &dx)]).unwrap();
    let mut engine =
        Engine::<f64>::new(&model, Request { mode: Mode::Train, ..Request::predicting(&["y", "dx"]) }).unwrap();
    engine.run(&mut State::new(&model, 1), &[&[3.0; 200]], 4, 1, &Pool::new(1)).unwrap();
    let (y, dx) = (engine.output("y").unwrap(), engine.output("dx").unwrap());
    assert!(y.iter().zip(dx).all(|(y, dx)| *y == 3.0 * dx));
    assert!(y.contains(&0.0) && y.contains(&6.0));
}

fn classifier(layers: Sequential) -> Model {
    let g = Graph::new();
    let y = g.input("x", [4]).layer(layers);
    g.model(&[("class", &y)]).unwrap()
}

#[test]
fn sums_over_batches_give_the_loss_and_accuracy_of_all_samples() {
    let model = classifier(seq![Dense::new(8).tanh(), Dense::new(3)]);
    let loss = CrossEntropy { class_weights: vec![1.0, 2.0, 3.0].into(), ..CrossEntropy::default() };
    let model = TrainStep::new(Sgd::default()).loss("class", loss).build(&model).unwrap();
    let names = ["class/loss_sum", "class/loss_count", "class/correct", "class/count"];
    let request = || Request { updates: false, mode: Mode::Predict, ..Request::training(&names) };
    let (x, t): (Vec<f32>, Vec<f32>) = (noise(3, 40), (0..10).map(|i| (i % 3) as f32).collect());
    let mut state = State::<f32>::new(&model, 0);
    let pool = Pool::new(1);
    let mut whole = Engine::new(&model, request()).unwrap();
    whole.run(&mut state, &[&x, &t], 10, 1, &pool).unwrap();
    let mut parts = Engine::new(&model, request()).unwrap();
    parts.run(&mut state, &[&x[..32], &t[..8]], 4, 2, &pool).unwrap();
    let mut sums = parts.sums().to_vec();
    parts.run(&mut state, &[&x[32..], &t[8..]], 2, 1, &pool).unwrap();
    sums.iter_mut().zip(parts.sums()).for_each(|(a, b)| *a += b);
    assert_close("sums", &sums, whole.sums(), (1e-6, 0.0));
    assert_eq!(sums[1], 4.0 * 1.0 + 3.0 * 2.0 + 3.0 * 3.0);
    assert_eq!(sums[3], 10.0);
}

#[test]
fn several_heads_with_weights_and_soft_targets() {
    let g = Graph::new();
    let x = g.input("x", [4]).layer(Dense::new(6).tanh());
    let (class, price, yes) = (x.layer(Dense::new(3)), x.layer(Dense::new(1)), x.layer(Dense::new(2)));
    let network = g.model(&[("class", &class), ("price", &price), ("tags", &yes)]).unwrap();
    let step = TrainStep::new(Sgd { lr: 0.1, ..Sgd::default() })
        .loss("class", CrossEntropy::default())
        .target(Target::Soft)
        .loss("price", Mse::default())
        .weight(0.5)
        .sample_weights()
        .loss("tags", BinaryCrossEntropy::default())
        .target(Target::Soft)
        .regularizer(L1::new(0.01));
    let model = step.build(&network).unwrap();
    let inputs: Vec<String> = model.inputs().iter().map(|i| format!("{} {}", i.name, i.shape)).collect();
    assert_eq!(
        inputs,
        ["x [B, 4]", "class/target [B, 3]", "price/target [B, 1]", "price/sample_weights [B]", "tags/target [B, 2]"]
    );

    let mut state = State::<f64>::new(&model, 0);
    let names = [
        "loss",
        "data_loss",
        "penalty",
        "class/loss_sum",
        "class/loss_count",
        "price/loss_sum",
        "price/loss_count",
        "tags/loss_sum",
        "tags/loss_count",
    ];
    let inputs: [&[f64]; 5] = [
        &[0.1, -0.4, 0.3, 0.9, 0.2, 0.5, -0.7, 0.0],
        &[1.0, 0.0, 0.0, 0.2, 0.3, 0.5],
        &[0.7, -0.2],
        &[1.0, 3.0],
        &[1.0, 0.0, 1.0, 1.0],
    ];
    let weights: f64 =
        state.variables().filter(|(v, _)| v.role == Role::Weight).flat_map(|(_, w)| w).map(|w| w.abs()).sum();
    let sums = train(&model, &mut state, &names, &inputs, 2, 30);
    let first = &sums[0];
    assert_close("penalty", &first[2..3], &[0.01 * weights], DOUBLE);
    assert_eq!((first[4], first[6], first[8]), (2.0, 4.0, 4.0));
    assert_close("data_loss", &first[1..2], &[first[3] / 2.0 + 0.5 * first[5] / 4.0 + first[7] / 4.0], DOUBLE);
    assert_close("loss", &first[..1], &[first[1] + first[2]], DOUBLE);
    assert!(sums[29][0] < sums[0][0], "{} -> {}", sums[0][0], sums[29][0]);
}

/// Central differences of `loss` against `gradient/…`, with penalty, dropout and several steps' masks kept.
#[test]
fn gradients_are_those_of_the_loss() {
    let network = classifier(seq![Dense::new(5).tanh(), Dropout::new(0.4), Dense::new(3)]);
    let step = TrainStep::new(Sgd::default())
        .loss("class", CrossEntropy::default())
        .regularizer(L2 { per_sample: true, ..L2::new(0.3) })
        .decay(Decay::All);
    let model = step.build(&network).unwrap();
    let x: Vec<f64> = noise(4, 24).into_iter().map(f64::from).collect();
    let t = [0.0, 1.0, 2.0, 2.0, 1.0, 0.0];
    let mut state = State::<f64>::new(&model, 3);
    let paths: Vec<String> = network.variables().iter().map(|v| v.path.clone()).collect();
    let outputs: Vec<String> = paths.iter().map(|p| format!("gradient/{p}")).chain(["loss".into()]).collect();
    let mut engine = Engine::new(&model, Request { mode: Mode::Train, outputs, ..Request::predicting(&[]) }).unwrap();
    let pool = Pool::new(1);
    for path in &paths {
        engine.run(&mut state, &[&x, &t], 6, 1, &pool).unwrap();
        let gradient = engine.output(&format!("gradient/{path}")).unwrap().to_vec();
        for (i, g) in gradient.iter().enumerate() {
            let mut at = |offset: f64| {
                state.variable_mut(path).unwrap()[i] += offset;
                engine.run(&mut state, &[&x, &t], 6, 1, &pool).unwrap();
                state.variable_mut(path).unwrap()[i] -= offset;
                engine.output("loss").unwrap()[0]
            };
            let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
            assert!((g - difference).abs() < 1e-8, "{path}[{i}]: {g} against {difference}");
        }
    }
}

#[test]
fn slots_lie_under_the_optimizer_and_only_decay_makes_two_groups() {
    let network = classifier(seq![Dense::new(2), Dense::new(3)]);
    let slots = |step: TrainStep| -> Vec<String> {
        let model = step.loss("class", CrossEntropy::default()).build(&network).unwrap();
        model.variables().iter().filter(|v| v.role == Role::Slot).map(|v| v.path.clone()).collect()
    };
    assert_eq!(slots(TrainStep::new(Adam::default())), ["optimizer/m", "optimizer/v"]);
    assert_eq!(
        slots(TrainStep::new(Adam::default()).regularizer(L2::default())),
        ["optimizer/group/m", "optimizer/group/v", "optimizer/group_1/m", "optimizer/group_1/v"]
    );
    assert_eq!(
        slots(TrainStep::new(Adam::default()).regularizer(L2::default()).decay(Decay::All)),
        ["optimizer/m", "optimizer/v"]
    );
    assert!(slots(TrainStep::new(Sgd::default())).is_empty());
}

#[test]
fn what_cannot_be_trained_is_refused_with_a_remedy() {
    let network = classifier(seq![Dense::new(3)]);
    let refused = |step: TrainStep| {
        let text = step.build(&network).unwrap_err().to_string();
        text.lines().filter(|l| !l.contains("-->")).collect::<Vec<_>>().join("\n")
    };
    let sgd = || TrainStep::new(Sgd::default());
    assert_eq!(
        refused(sgd()),
        "`train_step` in ``\n  expected: at least one loss\n  received: none\n  help:     say which output is compared with which target: \
         `.loss(\"class\", CrossEntropy::default())`"
    );
    assert_eq!(refused(sgd().loss("clas", Mse::default())), "there is no output `clas`\n  expected: one of `class`");
    assert_eq!(
        refused(TrainStep::new(Sgd { lr: -1.0, ..Sgd::default() }).loss("class", CrossEntropy::default())),
        "`optimizer` in ``\n  expected: `lr` above 0\n  received: -1\n  help:     correct the setting `lr`"
    );
    assert!(
        refused(sgd().loss("class", CrossEntropy::default()).regularizer(L2::new(f64::NAN)))
            .contains("`lambda` of at least 0")
    );
    assert!(refused(sgd().loss("class", BinaryCrossEntropy::default())).contains("`binary_cross_entropy` in `class`"));

    let g = Graph::new();
    let x = g.input("x", [4]);
    let lost = g.scope("spare", || x.param("weight", [4], Constant(1.0), Role::Weight));
    let y = x.layer(Dense::new(2)) + lost.sum_all().stop_gradient();
    let network = g.model(&[("y", &y)]).unwrap();
    let Err(GraphError::NoGradient { variable, cut }) = sgd().loss("y", Mse::default()).build(&network) else {
        panic!()
    };
    assert_eq!(variable, "spare/weight");
    assert!(cut.contains("stop_gradient"), "{cut}");
}
