//! Every update rule over ten steps against an independent implementation (see `fixtures/README.md`).

mod common;

use common::{DOUBLE, SINGLE, assert_close, cast, numbers, tensor};
use gradus_graph::{Engine, Graph, Kind, Request, Role, State, Values};
use gradus_kernels::{Pool, Real};
use gradus_nn::optimizers::{Adam, Momentum, Sgd};
use gradus_nn::updates::{Decay, Updates};
use gradus_nn::{AnyOptimizer, AnyRegularizer, Optimizer, regularizers::L2};
use serde_json::{Value, json};

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/optimizers.json")).unwrap()
}

/// `{ "adam": { "lr": 0.1 } }` as a recipe has it.
fn optimizer(case: &Value) -> AnyOptimizer {
    let name = case["optimizer"].as_str().unwrap();
    serde_json::from_value(json!({ name: case["settings"] })).unwrap()
}

/// Ten steps with the fixture's gradient; the values of the parameters after each step.
fn trajectory<T: Real>(
    fixture: &Value,
    optimizer: &AnyOptimizer,
    regularizer: Option<L2>,
    decay: Decay,
    gradient: fn([T; 4]) -> T,
) -> Vec<Vec<Vec<T>>> {
    let g = Graph::new();
    let parameters = fixture["parameters"].as_array().unwrap();
    let mut pairs = vec![];
    for (i, p) in parameters.iter().enumerate() {
        let name = p["name"].as_str().unwrap();
        let (sizes, start) = tensor(&json!({ "shape": p["shape"], "data": p["start"] }));
        let role = if name == "weight" { Role::Weight } else { Role::Bias };
        g.variable(name, &sizes, Values(start), role);
        let gradient = g.add_input(&format!("gradient/{name}"), gradus_tensor::Shape::fixed(&sizes), Kind::Real);
        pairs.push((i, gradient));
    }
    let regularizer: Option<AnyRegularizer> = regularizer.map(Into::into);
    Updates { regularizer: regularizer.as_ref(), decay, ..Updates::new(optimizer) }.apply(&g, &pairs);
    let model = g.model(&[]).unwrap();
    let mut state = State::<T>::new(&model, 0);
    let mut engine = Engine::new(&model, Request::training(&[])).unwrap();
    let pool = Pool::new(1);
    let mut steps = vec![];
    for t in 1..=fixture["steps"].as_u64().unwrap() {
        let gradients: Vec<Vec<T>> = parameters
            .iter()
            .map(|p| {
                let w = state.variable(p["name"].as_str().unwrap()).unwrap();
                let (a, c) = (cast::<T>(&numbers(&p["a"])), cast::<T>(&numbers(&p["c"])));
                let t = T::from_f64(t as f64);
                w.iter().zip(a).zip(c).map(|((&w, a), c)| gradient([w, a, c, t])).collect()
            })
            .collect();
        engine.run(&mut state, &[&gradients[0], &gradients[1]], 1, 1, &pool).unwrap();
        let values = |p: &Value| state.variable(p["name"].as_str().unwrap()).unwrap().to_vec();
        steps.push(parameters.iter().map(values).collect());
    }
    steps
}

fn compare<T: Real>(fixture: &Value, case: &Value, key: &str, steps: &[Vec<Vec<T>>], tolerance: (f64, f64)) {
    for (i, p) in fixture["parameters"].as_array().unwrap().iter().enumerate() {
        let name = p["name"].as_str().unwrap();
        for (t, values) in steps.iter().enumerate() {
            let what = format!("{} {key} {name} after step {}", case["name"], t + 1);
            assert_close(&what, &values[i], &numbers(&case[key][name][t]), tolerance);
        }
    }
}

fn decay(case: &Value) -> Decay {
    if case["decayed"].is_null() { Decay::All } else { Decay::Weights }
}

#[test]
fn trajectories_in_double_precision() {
    let fixture = fixture();
    for case in fixture["cases"].as_array().unwrap() {
        let steps = trajectory::<f64>(&fixture, &optimizer(case), None, decay(case), |[w, a, c, t]| {
            c * (a * w + (w + t).sin())
        });
        compare(&fixture, case, "f64", &steps, DOUBLE);
    }
}

#[test]
fn trajectories_in_single_precision() {
    let fixture = fixture();
    for case in fixture["cases"].as_array().unwrap() {
        let steps = trajectory::<f32>(&fixture, &optimizer(case), None, decay(case), |[w, a, c, t]| {
            c * (a * w + (w + t).sin())
        });
        compare(&fixture, case, "f32", &steps, SINGLE);
    }
}

#[test]
fn every_rule_in_the_table_has_a_trajectory() {
    let fixture = fixture();
    for key in AnyOptimizer::KEYS {
        assert!(fixture["cases"].as_array().unwrap().iter().any(|c| optimizer(c).key() == *key), "{key}");
    }
}

#[test]
fn for_sgd_an_l2_penalty_is_weight_decay() {
    let fixture = fixture();
    let sgd = |weight_decay| AnyOptimizer::from(Sgd { lr: 0.1, weight_decay });
    let penalty = trajectory::<f64>(&fixture, &sgd(0.0), Some(L2::new(0.05)), Decay::Weights, |[w, a, c, t]| {
        c * (a * w + (w + t).sin())
    });
    let decay =
        trajectory::<f64>(&fixture, &sgd(0.05), None, Decay::Weights, |[w, a, c, t]| c * (a * w + (w + t).sin()));
    assert_eq!(penalty, decay);
    let plain =
        trajectory::<f64>(&fixture, &sgd(0.0), None, Decay::Weights, |[w, a, c, t]| c * (a * w + (w + t).sin()));
    assert_ne!(plain[9][0], decay[9][0], "weights decay");
    assert_eq!(plain[9][1], decay[9][1], "biases do not");
}

#[test]
fn settings_out_of_range_are_refused() {
    let refused = |optimizer: AnyOptimizer| {
        let error = optimizer.check().unwrap_err();
        format!("{} / {}", error.expected, error.received)
    };
    assert_eq!(refused(Sgd { lr: -0.1, ..Sgd::default() }.into()), "`lr` above 0 / -0.1");
    assert_eq!(refused(Sgd { lr: f64::NAN, ..Sgd::default() }.into()), "`lr` above 0 / NaN");
    assert_eq!(refused(Adam { beta2: 1.0, ..Adam::default() }.into()), "`beta2` of at least 0 and below 1 / 1");
    assert_eq!(
        refused(Momentum { bias_correction: true, ..Momentum::default() }.into()),
        "`bias_correction` together with `ema` / `ema = false`"
    );
    let both = Adam { eps_inside: true, eps_before_correction: true, ..Adam::default() };
    assert_eq!(refused(both.into()), "one place for `eps` / both `eps_inside` and `eps_before_correction`");
}
