//! Every loss and penalty, value and gradient, against an independent implementation (see `fixtures/README.md`).

mod common;

use common::{DOUBLE, SINGLE, assert_close, cast, tensor};
use gradus_graph::{Constant, Engine, Graph, Kind, Mode, Model, Node, Request, Role, State};
use gradus_kernels::{Pool, Real};
use gradus_nn::AnyLoss;
use gradus_nn::losses::{self, BinaryCrossEntropy, CrossEntropy, Loss, Mse};
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
    for list in ["class_weights", "pos_weight"] {
        if !case[list].is_null() {
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

#[test]
fn a_binary_loss_takes_class_numbers_too() {
    let mut count = 0;
    for case in cases().iter().filter(|c| c["loss"] == "binary_cross_entropy") {
        let (sizes, target) = tensor(&case["target"]);
        if sizes[1..] == [1] && target.iter().all(|t| *t == 0.0 || *t == 1.0) {
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
        refused(&CrossEntropy { class_weights: vec![1.0; 2], ..ce() }, &[3], (&[], Kind::Index))
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
    losses::total(&CrossEntropy { class_weights: vec![1.0, 2.0, 3.0], ..CrossEntropy::default() }, &rows, &t, None);
    assert!(g.variables().iter().filter(|v| v.path.contains("class_weights")).all(|v| v.role == Role::Slot));
}
