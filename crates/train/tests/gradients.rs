//! Compiled gradients against central differences.

mod common;

use common::parts;
use gradus_data::readers::Embedded;
use gradus_graph::{Graph, Model};
use gradus_nn::layers::{Dense, Dropout};
use gradus_nn::losses::{CrossEntropy, Mse};
use gradus_nn::regularizers::L2;
use gradus_nn::{LayerExt, seq};
use gradus_train::{GradientCheckOptions, Trainer};

fn model() -> Model {
    let g = Graph::new();
    let layers = seq![Dense::new(6).tanh(), Dropout::new(0.3), Dense::new(5).sigmoid(), Dense::new(3)];
    let y = g.input("x", [4]).layer(layers);
    g.model(&[("species", &y)]).unwrap()
}

#[test]
fn right_gradients_pass() {
    let (train, _) = parts(Embedded::Iris, 0.2, 3);
    let model = model();
    let trainer =
        Trainer::new(&model).loss("species", CrossEntropy::default()).regularizer(L2::new(0.1)).batch_size(20).seed(11);
    let check = trainer.gradient_check(&train, GradientCheckOptions::default()).unwrap();
    assert!(check.passed, "{check}");
    assert!(check.error < 1e-8 && check.parameters.len() == 6, "{check}");
    assert!(check.parameters.iter().all(|p| p.checked == p.elements && !p.zero), "{check}");

    let sampled = trainer.gradient_check(&train, GradientCheckOptions { samples: 10, ..Default::default() }).unwrap();
    assert!(sampled.passed && sampled.parameters[0].checked == 10, "{sampled}");
    let table = sampled.to_string();
    assert!(table.lines().nth(1).unwrap().starts_with("dense/weight           10 of 24  "), "{table}");
}

#[test]
fn wrong_gradients_fail() {
    let (train, _) = parts(Embedded::Iris, 0.2, 3);
    let g = Graph::new();
    let hidden = g.input("x", [4]).layer(Dense::new(6).tanh());
    // Half of the slope is hidden from autodiff.
    let y = (&hidden + hidden.stop_gradient()).layer(Dense::new(3));
    let model = g.model(&[("species", &y)]).unwrap();
    let trainer = Trainer::new(&model).loss("species", CrossEntropy::default());
    let check = trainer.gradient_check(&train, GradientCheckOptions::default()).unwrap();
    assert!(!check.passed);
    let passed: Vec<bool> = check.parameters.iter().map(|p| p.passed).collect();
    assert_eq!(passed, [false, false, true, true], "{check}");
    assert!((check.parameters[0].error - 1.0 / 3.0).abs() < 1e-6, "{check}");
    assert!(check.to_string().contains("WRONG"));
}

#[test]
fn a_gradient_that_is_zero_is_marked() {
    let (train, _) = parts(Embedded::Iris, 0.2, 3);
    let g = Graph::new();
    // A bias in front of a softmax over one shared shift changes nothing.
    let x = g.input("x", [4]).layer(Dense::new(3));
    let shift = g.variable("shift", [1], gradus_graph::Constant(0.5), gradus_graph::Role::Bias);
    let model = g.model(&[("species", &(x + shift))]).unwrap();
    let trainer = Trainer::new(&model).loss("species", CrossEntropy::default());
    let check = trainer.gradient_check(&train, GradientCheckOptions::default()).unwrap();
    assert!(check.passed, "{check}");
    assert!(check.parameters[2].zero && !check.parameters[0].zero, "{check}");
    let wrong = Trainer::new(&model).loss("species", Mse::default()).gradient_check(&train, Default::default());
    assert!(wrong.is_err());
}
