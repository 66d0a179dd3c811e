//! Every loss and penalty, value and gradient, against an independent implementation (see `fixtures/README.md`).

mod common;

use common::{DOUBLE, SINGLE, assert_close, cast, tensor};
use gradus_graph::{Constant, Engine, Graph, Kind, Mode, Model, Node, Request, Role, State};
use gradus_kernels::{Pool, Real};
use gradus_nn::AnyLoss;
use gradus_nn::losses::{self, BinaryCrossEntropy, CrossEntropy, Dice, Loss, Mse, Task};
use gradus_nn::regularizers::{AnyRegularizer, Regularizer};
use gradus_tensor::Shape;
use serde_json::{Value, json};

fn cases() -> Vec<Value> {
    let fixture: Value = serde_json::from_str(include_str!("fixtures/losses.json")).unwrap();
    fixture["cases"].as_array().unwrap().clone()
}

/// The loss with the fixture's settings as a recipe has them.
fn loss(case: &Value) -> AnyLoss {
    let mut settings = case["settings"].as_object().unwrap().clone();
    if let Some(clip) = settings.remove("clip") {
        assert_eq!(clip, 1e-7);
    }
    if settings.get("reduction") == Some(&"none".into()) {
        settings.remove("reduction");
    }
    for list in ["class_weights", "pos_weight", "alpha"] {
        if case[list].is_object() {
            settings.insert(list.into(), case[list]["data"].clone());
        }
    }
    serde_json::from_value(json!({ case["loss"].as_str().unwrap(): settings })).unwrap()
}

fn batched(sizes: &[usize]) -> Shape {
    Shape::batched(&sizes[1..])
}

/// The value and the gradient of one case. Class numbers take the place of 0/1 targets of a binary loss if `index` is set.
fn run<T: Real>(case: &Value, optimize: bool, index: bool) -> (Vec<T>, Vec<T>) {
    let g = Graph::new();
    let (sizes, x) = tensor(&case["input"]);
    let (target_sizes, target) = tensor(&case["target"]);
    let y = g.add_input("y", batched(&sizes), Kind::Real);
    let whole = index || case["target"]["data"].as_array().unwrap().iter().all(Value::is_i64) && target_sizes != sizes;
    let (kind, shape) = if index {
        (Kind::Index, &sizes[..1])
    } else {
        (if whole { Kind::Index } else { Kind::Real }, &target_sizes[..])
    };
    let t = g.add_input("target", batched(shape), kind);
    let mut inputs = vec![cast::<T>(&x), cast(&target)];
    let weights = (!case["sample_weights"].is_null()).then(|| {
        inputs.push(cast(&tensor(&case["sample_weights"]).1));
        g.input("weights", [])
    });
    let loss = loss(case);
    let value = match case["settings"]["reduction"].as_str() {
        Some("none") => loss.values(&y, &t),
        _ => losses::total(&loss, &y, &t, weights.as_ref()).loss(),
    };
    let gradient = g.gradients(&value.sum_all(), &[&y]).unwrap_or_else(|e| panic!("{}: {e}", case["name"])).remove(0);
    let model = g.model(&[("value", &value), ("gradient", &gradient)]).unwrap();
    evaluate(&model, &inputs, sizes[0], optimize)
}

fn evaluate<T: Real>(model: &Model, inputs: &[Vec<T>], batch: usize, optimize: bool) -> (Vec<T>, Vec<T>) {
    let request = Request { optimize, mode: Mode::Train, ..Request::predicting(&["value", "gradient"]) };
    let mut engine = Engine::new(model, request).unwrap();
    let inputs: Vec<&[T]> = inputs.iter().map(Vec::as_slice).collect();
    engine.run(&mut State::new(model, 0), &inputs, batch, 1, &Pool::new(1)).unwrap();
    (engine.output("value").unwrap().to_vec(), engine.output("gradient").unwrap().to_vec())
}

fn expected(case: &Value) -> (Vec<f64>, Vec<f64>) {
    let value =
        if case["value"].is_number() { vec![case["value"].as_f64().unwrap()] } else { tensor(&case["value"]).1 };
    (value, tensor(&case["grad"]).1)
}

fn check<T: Real>(case: &Value, optimize: bool, index: bool, tolerance: (f64, f64)) {
    let (value, gradient) = run::<T>(case, optimize, index);
    let (expected_value, expected_gradient) = expected(case);
    assert_close(&format!("{} value", case["name"]), &value, &expected_value, tolerance);
    assert_close(&format!("{} gradient", case["name"]), &gradient, &expected_gradient, tolerance);
}

#[test]
fn losses_in_double_precision() {
    for case in cases().iter().filter(|c| c["loss"] != "penalty") {
        check::<f64>(case, true, false, DOUBLE);
        check::<f64>(case, false, false, DOUBLE);
    }
}

#[test]
fn losses_in_single_precision() {
    for case in cases().iter().filter(|c| c["loss"] != "penalty") {
        // In `f32` the distance of a probability from 1 has lost digits before any loss sees it: what logits are for.
        let from_probabilities = case["settings"]["from_logits"] == false;
        check::<f32>(case, true, false, if from_probabilities { (1e-4, 1e-7) } else { SINGLE });
    }
}

fn losses_of_values() -> [&'static str; 5] {
    ["mse", "mae", "huber", "smooth_l1", "cosine"]
}

#[test]
fn a_binary_loss_takes_class_numbers_too() {
    let mut count = 0;
    for case in cases().iter().filter(|c| c["loss"] != "penalty" && c["loss"] != "dice") {
        let values = losses_of_values().contains(&case["loss"].as_str().unwrap());
        let (sizes, target) = tensor(&case["target"]);
        if !values && sizes[1..] == [1] && target.iter().all(|t| *t == 0.0 || *t == 1.0) {
            check::<f64>(case, true, true, DOUBLE);
            count += 1;
        }
    }
    assert!(count > 5);
}

#[test]
fn every_loss_in_the_table_has_a_case() {
    for key in AnyLoss::KEYS {
        assert!(cases().iter().any(|c| c["loss"] == *key), "{key}");
    }
}

#[test]
fn penalties() {
    let mut seen = 0;
    for case in cases().iter().filter(|c| c["loss"] == "penalty") {
        let settings = case["settings"].as_object().unwrap();
        let mut part = json!({});
        for key in ["per_sample", "per_weight"] {
            part[key] = settings.get(key).cloned().unwrap_or(false.into());
        }
        let key = match (settings.get("l1"), settings.get("l2")) {
            (Some(l1), Some(l2)) => {
                part["l1"] = l1.clone();
                part["l2"] = l2.clone();
                "elastic"
            }
            (Some(lambda), None) => {
                part["lambda"] = lambda.clone();
                "l1"
            }
            (_, lambda) => {
                part["lambda"] = lambda.unwrap().clone();
                "l2"
            }
        };
        let regularizer: AnyRegularizer = serde_json::from_value(json!({ key: part })).unwrap();
        let (sizes, values) = tensor(&case["input"]);
        let batch = settings.get("batch").map_or(3, |b| b.as_u64().unwrap() as usize);
        let g = Graph::new();
        let w = g.variable("w", &sizes, gradus_graph::Values(values), Role::Weight);
        let (penalty, gradient) = (regularizer.penalty(&w, 6), regularizer.gradient(&w, 6));
        let derived = g.gradients(&penalty, &[&w]).unwrap().remove(0);
        let (expected_value, expected_gradient) = expected(case);
        for gradient in [gradient, derived] {
            let model = g.model(&[("value", &penalty), ("gradient", &gradient)]).unwrap();
            let (value, gradient) = evaluate::<f64>(&model, &[], batch, true);
            assert_close(&format!("{} value", case["name"]), &value, &expected_value, DOUBLE);
            assert_close(&format!("{} gradient", case["name"]), &gradient, &expected_gradient, DOUBLE);
        }
        seen += 1;
    }
    assert_eq!(seen, 7);
}

/// The error of a loss on an output and a target of these shapes.
fn refused(loss: &dyn Loss, y: &[usize], target: (&[usize], Kind)) -> String {
    let g = Graph::new();
    let y = g.input("y", y);
    let t = g.add_input("target", Shape::batched(target.0), target.1);
    let value = losses::total(loss, &y, &t, None).loss();
    let text = g.model(&[("loss", &value)]).unwrap_err().to_string();
    text.lines().filter(|l| !l.contains("-->")).collect::<Vec<_>>().join("\n")
}

#[test]
fn losses_that_do_not_fit_are_refused_with_a_remedy() {
    let (ce, bce) = (CrossEntropy::default, BinaryCrossEntropy::default);
    assert_eq!(
        refused(&ce(), &[1], (&[], Kind::Index)),
        "`cross_entropy` in ``\n  expected: at least 2 outputs, [B, K]\n  received: [B, 1]\n  help:     end the network with one unit for each class, \
         or use `binary_cross_entropy` for a single one"
    );
    assert_eq!(
        refused(&bce(), &[10], (&[], Kind::Index)),
        "`binary_cross_entropy` in ``\n  expected: one output, [B, 1], for a class number 0 or 1\n  received: [B, 10]\n  help:     for one class out of \
         several use `cross_entropy`; for several yes/no answers at once give soft targets of the output's shape"
    );
    assert_eq!(
        refused(&Mse::default(), &[2], (&[3], Kind::Real)),
        "`mse` in ``\n  expected: targets of shape [B, 2] for an output of shape [B, 2]\n  received: [B, 3]\n  help:     give one target for each answer \
         of the network"
    );
    assert!(
        refused(&CrossEntropy { class_weights: vec![1.0; 2].into(), ..ce() }, &[3], (&[], Kind::Index))
            .contains("one number for each of 3 classes")
    );
    assert!(
        refused(&CrossEntropy { label_smoothing: 1.0, ..ce() }, &[3], (&[], Kind::Index))
            .contains("`label_smoothing` of at least 0 and below 1")
    );
    assert!(
        refused(&CrossEntropy { temperature: 0.0, ..ce() }, &[3], (&[], Kind::Index)).contains("`temperature` above 0")
    );
    assert!(refused(&ce(), &[3], (&[3, 1], Kind::Real)).contains("targets of shape [B, 3]"));
}

/// Numbers counted over a batch, by name.
fn counted(loss: &dyn Loss, sizes: &[usize], y: &[f64], target: (&[usize], Kind, &[f64])) -> Vec<(&'static str, f64)> {
    let g = Graph::new();
    let y_node = g.add_input("y", batched(sizes), Kind::Real);
    let t = g.add_input("target", batched(target.0), target.1);
    let metrics = loss.metrics(&y_node, &t);
    let outputs: Vec<(&str, &Node)> = metrics.iter().map(|(name, node)| (*name, node)).collect();
    let model = g.model(&outputs).unwrap();
    let names: Vec<&str> = outputs.iter().map(|o| o.0).collect();
    let mut engine = Engine::<f64>::new(
        &model,
        Request { updates: false, mode: Mode::Predict, guards: vec![], ..Request::training(&names) },
    )
    .unwrap();
    engine.run(&mut State::new(&model, 0), &[y, target.2], sizes[0], 1, &Pool::new(1)).unwrap();
    names.into_iter().zip(engine.sums().iter().copied()).collect()
}

#[test]
fn what_is_counted() {
    let y = [0.1, 0.7, 0.2, 2.0, -1.0, 0.0, 1.0, 1.0, 0.5];
    let classes = counted(&CrossEntropy::default(), &[3, 3], &y, (&[3], Kind::Index, &[1.0, 2.0, 0.0]));
    assert_eq!(classes, [("count", 3.0), ("correct", 2.0)]);
    let ignoring = CrossEntropy { ignore_index: Some(1), ..CrossEntropy::default() };
    assert_eq!(
        counted(&ignoring, &[3, 3], &y, (&[3], Kind::Index, &[1.0, 2.0, 0.0])),
        [("correct", 1.0), ("count", 2.0)]
    );
    let soft = [0.0, 1.0, 0.0, 0.0, 0.0, 1.0, 0.4, 0.3, 0.3];
    assert_eq!(counted(&CrossEntropy::default(), &[3, 3], &y, (&[3, 3], Kind::Real, &soft)), classes);
    let binary = counted(
        &BinaryCrossEntropy::default(),
        &[4, 1],
        &[0.3, -0.2, 0.0, 5.0],
        (&[4], Kind::Index, &[1.0, 0.0, 0.0, 0.0]),
    );
    assert_eq!(binary, [("count", 4.0), ("correct", 3.0)]);
    let errors = counted(&Mse::default(), &[2, 2], &[1.0, 2.0, 3.0, 4.0], (&[2, 2], Kind::Real, &[1.5, 2.0, 5.0, 3.0]));
    assert_eq!(errors, [("squared_error", 5.25), ("absolute_error", 3.5), ("count", 4.0)]);
}

#[test]
fn class_weights_are_no_part_of_the_saved_model() {
    let g = Graph::new();
    let y = g.variable("y", [1], Constant(0.0), Role::Weight);
    let rows = g.input("x", [3]) * y;
    let t = g.index_input("target", []);
    losses::total(
        &CrossEntropy { class_weights: vec![1.0, 2.0, 3.0].into(), ..CrossEntropy::default() },
        &rows,
        &t,
        None,
    );
    assert!(g.variables().iter().filter(|v| v.path.contains("class_weights")).all(|v| v.role == Role::Slot));
}

#[test]
fn what_is_counted_under_the_other_losses() {
    let y = [0.1, 0.7, 0.2, 2.0, -1.0, 0.0, 1.0, 1.0, 0.5];
    let target: (&[usize], Kind, &[f64]) = (&[3], Kind::Index, &[1.0, 2.0, 0.0]);
    let classes = [("count", 3.0), ("correct", 2.0)];
    for key in ["nll", "kl_divergence", "focal", "dice"] {
        assert_eq!(counted(&*read(key, json!({})), &[3, 3], &y, target), classes, "{key}");
    }
    let scores = [0.3, -0.2, 0.0, 5.0];
    for key in ["hinge", "focal", "dice"] {
        let target: (&[usize], Kind, &[f64]) = (&[4], Kind::Index, &[1.0, 0.0, 0.0, 0.0]);
        assert_eq!(
            counted(&*read(key, json!({})), &[4, 1], &scores, target),
            [("count", 4.0), ("correct", 3.0)],
            "{key}"
        );
    }
    let signs: (&[usize], Kind, &[f64]) = (&[4, 1], Kind::Real, &[1.0, -1.0, -1.0, -1.0]);
    assert_eq!(counted(&*read("hinge", json!({})), &[4, 1], &scores, signs), [("count", 4.0), ("correct", 3.0)]);
    for key in ["mae", "huber", "smooth_l1", "cosine"] {
        let target: (&[usize], Kind, &[f64]) = (&[2, 2], Kind::Real, &[1.5, 2.0, 5.0, 3.0]);
        let errors = counted(&*read(key, json!({})), &[2, 2], &[1.0, 2.0, 3.0, 4.0], target);
        assert_eq!(errors, [("squared_error", 5.25), ("absolute_error", 3.5), ("count", 4.0)], "{key}");
    }
}

/// A loss as a recipe names it.
fn read(key: &str, settings: Value) -> AnyLoss {
    serde_json::from_value(json!({ key: settings })).unwrap()
}

#[test]
fn every_loss_says_what_the_network_answers() {
    let task = |loss: &AnyLoss, y: &[usize]| loss.task(&Shape::batched(y));
    for loss in AnyLoss::examples() {
        let values = losses_of_values().contains(&loss.key());
        let binary = matches!(loss.key(), "binary_cross_entropy" | "hinge");
        assert_eq!(task(&loss, &[3]) == Task::Values, values, "{loss:?}");
        if !values && !binary {
            let multi_label = serde_json::to_value(&loss).unwrap()[loss.key()]["multi_label"] == true;
            assert_eq!(task(&loss, &[3]), if multi_label { Task::Binary } else { Task::Classes }, "{loss:?}");
        }
        // A classifier predicts probabilities that say the same as its answers.
        let g = Graph::new();
        let y = g.input("y", [3]);
        let names: Vec<&str> = loss.predictions(&y).iter().map(|p| p.0).collect();
        let probable = matches!(task(&loss, &[3]), Task::Classes | Task::Binary);
        assert_eq!(names, if probable { vec!["probabilities"] } else { vec![] }, "{loss:?}");
    }
    assert_eq!(task(&read("hinge", json!({})), &[1]), Task::Sign);
    assert_eq!(task(&read("focal", json!({})), &[1]), Task::Binary);
    assert_eq!(task(&read("dice", json!({})), &[5, 5, 1]), Task::Binary);
    assert_eq!(task(&read("dice", json!({})), &[5, 5, 2]), Task::Classes);
}

#[test]
fn targets_given_as_numbers_are_checked() {
    let refused = |key: &str, numbers: &[f32]| {
        let error = read(key, json!({})).check_target(numbers).unwrap_err();
        format!("{}; {}", error.expected, error.received)
    };
    for key in ["cross_entropy", "nll", "kl_divergence", "focal", "dice"] {
        assert_eq!(refused(key, &[0.3, 0.3, 0.3]), "numbers that sum to 1; 0.3, 0.3, 0.3, with sum 0.9");
        assert_eq!(refused(key, &[1.5, -0.5, 0.0]), "no number below 0; -0.5");
        assert_eq!(read(key, json!({})).check_target(&[0.333, 0.333, 0.334]), Ok(()));
        assert_eq!(read(key, json!({})).check_target(&[0.0, 1.0]), Ok(()));
    }
    for key in ["binary_cross_entropy", "focal", "dice"] {
        assert_eq!(refused(key, &[2.0]), "numbers in [0, 1]; 2");
        assert_eq!(read(key, json!({})).check_target(&[0.5]), Ok(()));
    }
    assert_eq!(refused("hinge", &[0.5]), "-1 or 0 for no, 1 for yes; 0.5");
    assert_eq!(refused("cross_entropy", &[1.0; 8]), "numbers that sum to 1; 1, 1, 1, 1, 1, 1, …, with sum 8");
    let many = read("focal", json!({ "multi_label": true }));
    assert_eq!(many.check_target(&[1.0, 1.0, 0.0]), Ok(()));
    assert_eq!(read("mse", json!({})).check_target(&[7.0, -3.0]), Ok(()));
}

#[test]
fn settings_of_the_other_losses_are_checked() {
    let wrong = |key: &str, settings: Value| read(key, settings).check().unwrap_err().expected;
    assert_eq!(wrong("huber", json!({ "delta": 0.0 })), "`delta` above 0");
    assert_eq!(wrong("smooth_l1", json!({ "beta": -1.0 })), "`beta` above 0");
    assert_eq!(wrong("focal", json!({ "gamma": -1.0 })), "`gamma` of at least 0");
    assert_eq!(wrong("focal", json!({ "alpha": 1.5 })), "`alpha` in [0, 1]");
    assert_eq!(wrong("dice", json!({ "smooth": -1.0 })), "`smooth` of at least 0");
    assert_eq!(wrong("nll", json!({ "class_weights": [1.0, -1.0] })), "`class_weights` of at least 0");
    let lists = read("focal", json!({ "alpha": [0.5, 0.5] }));
    assert!(
        refused(&*lists, &[3], (&[], Kind::Index)).contains("expected: `alpha` with one number for each of 3 outputs")
    );
    let nll = read("nll", json!({ "class_weights": [0.5, 0.5] }));
    assert!(
        refused(&*nll, &[3], (&[], Kind::Index))
            .contains("expected: `class_weights` with one number for each of 3 classes")
    );
    assert!(refused(&*read("cosine", json!({})), &[], (&[], Kind::Real)).contains("rows of numbers, [B, .., D]"));
    assert!(refused(&*read("hinge", json!({})), &[3], (&[], Kind::Index)).contains("one output, [B, 1]"));
    assert!(
        refused(&*read("dice", json!({ "multi_label": true })), &[3], (&[], Kind::Index))
            .contains("one output, [B, 1]")
    );
}

#[test]
fn samples_are_weighed_only_where_each_has_a_value() {
    let weighed = |loss: &dyn Loss| {
        let g = Graph::new();
        let (y, t, w) = (g.input("y", [3]), g.index_input("target", []), g.input("weights", []));
        g.model(&[("loss", &losses::total(loss, &y, &t, Some(&w)).loss())])
    };
    assert!(weighed(&Dice { per_sample: true, ..Dice::default() }).is_ok());
    let error = weighed(&Dice::default()).unwrap_err().to_string();
    assert!(error.contains("a value for each sample, [B, ..]") && error.contains("`per_sample = true`"), "{error}");
}

#[test]
fn learned_class_weights() {
    use gradus_nn::losses::Weights;
    assert_eq!(read("cross_entropy", json!({ "class_weights": "learned" })), {
        CrossEntropy { class_weights: Weights::Learned, ..CrossEntropy::default() }.into()
    });
    let error =
        serde_json::from_value::<AnyLoss>(json!({ "cross_entropy": { "class_weights": "lerned" } })).unwrap_err();
    assert!(error.to_string().contains("a list with one number for each class, or \"learned\""), "{error}");

    // Logits and weights of three classes, with the loss written out.
    let v = [0.4, -0.3, 0.1];
    let (logits, labels) = ([0.5, -1.0, 2.0, 1.0, 0.0, 0.25], [1usize, 0]);
    let log_softmax = |x: &[f64]| {
        let total = x.iter().map(|x| x.exp()).sum::<f64>().ln();
        x.iter().map(|x| x - total).collect::<Vec<f64>>()
    };
    let log_w: Vec<f64> = log_softmax(&v).iter().map(|l| l + 3f64.ln()).collect();
    let plain: Vec<f64> = logits.chunks(3).zip(labels).map(|(row, label)| -log_softmax(row)[label]).collect();
    let weighed: f64 = plain.iter().zip(labels).map(|(loss, label)| log_w[label].exp() * loss).sum::<f64>() / 2.0;
    let expected = weighed - 0.5 * log_w.iter().sum::<f64>() / 3.0;

    let g = Graph::new();
    let (y, t) = (g.input("y", [3]), g.index_input("target", []));
    let loss = CrossEntropy { class_weights: Weights::Learned, ..CrossEntropy::default() };
    let value = losses::total(&loss, &y, &t, None).loss();
    let variable = &g.variables()[0];
    assert_eq!((variable.path.as_str(), variable.role), ("class_weights/logits", Role::Loss));
    assert!(variable.role.trainable() && !variable.role.in_model());
    let gradient = g.gradients(&value, &[&g.variable_node(0)]).unwrap().remove(0);
    let model = g.model(&[("value", &value), ("gradient", &gradient)]).unwrap();
    let run = |mode: Mode, v: &[f64]| {
        let mut state = State::<f64>::new(&model, 0);
        assert_eq!(state.variable("class_weights/logits").unwrap(), [0.0; 3], "equal weights at the start");
        state.variable_mut("class_weights/logits").unwrap().copy_from_slice(v);
        let mut engine = Engine::new(&model, Request { mode, ..Request::predicting(&["value", "gradient"]) }).unwrap();
        engine.run(&mut state, &[&logits, &[1.0, 0.0]], 2, 1, &Pool::new(1)).unwrap();
        (engine.output("value").unwrap()[0], engine.output("gradient").unwrap().to_vec())
    };
    let (value, gradient) = run(Mode::Train, &v);
    assert!((value - expected).abs() < 1e-14, "{value} {expected}");
    for k in 0..3 {
        let shifted =
            |by: f64| run(Mode::Train, &std::array::from_fn::<f64, 3, _>(|i| v[i] + if i == k { by } else { 0.0 })).0;
        let difference = (shifted(1e-6) - shifted(-1e-6)) / 2e-6;
        assert!((gradient[k] - difference).abs() < 1e-9, "{gradient:?} {difference}");
    }
    let (judged, gradient) = run(Mode::Predict, &v);
    assert!((judged - plain.iter().sum::<f64>() / 2.0).abs() < 1e-14, "judged with equal weights");
    assert_eq!(gradient, [0.0; 3]);
}

#[test]
fn learned_weights_are_trained_and_no_class_is_given_up() {
    use gradus_nn::{LayerExt, TrainStep, layers::Dense, losses::Weights, optimizers::Sgd};
    // Nine of ten samples are of class 0, and nothing tells them apart.
    let g = Graph::new();
    let y = g.input("x", [1]).layer(Dense::new(2));
    let model = g.model(&[("class", &y)]).unwrap();
    let loss = CrossEntropy { class_weights: Weights::Learned, ..CrossEntropy::default() };
    let step = TrainStep::new(Sgd { lr: 0.1, ..Sgd::default() }).loss("class", loss).build(&model).unwrap();
    let mut state = State::<f64>::new(&step, 1);
    let mut engine = Engine::new(&step, Request::training(&["data_loss"])).unwrap();
    let (x, mut t) = ([1.0; 10], [0.0; 10]);
    t[9] = 1.0;
    for _ in 0..20_000 {
        engine.run(&mut state, &[&x, &t], 10, 1, &Pool::new(1)).unwrap();
    }
    let v = state.variable("class/class_weights/logits").unwrap();
    let rare = 2.0 / (1.0 + (v[0] - v[1]).exp());
    let common = 2.0 - rare;
    assert!((common - 1.452_441).abs() < 1e-4 && (rare - 0.547_559).abs() < 1e-4, "{common} {rare}");
    // The same, from the condition for a minimum of `w₀s₀ + w₁s₁ - ¼·(ln w₀ + ln w₁)` over v, with w = 2·softmax(v).
    let (weight, bias) = (state.variable("dense/weight").unwrap(), state.variable("dense/bias").unwrap());
    let gap = weight[0] + bias[0] - weight[1] - bias[1];
    let share = [0.9 * (-gap).exp().ln_1p(), 0.1 * gap.exp().ln_1p()];
    let slope = common * rare / 2.0 * (share[0] - share[1]) - 0.25 * (rare - common) / 2.0;
    assert!(slope.abs() < 1e-6, "{slope}");
}
