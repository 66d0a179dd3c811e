//! The course's table of initialisation × activation × depth, row by row, on the embedded digits; and what a look is made of.

use gradus_data::readers::Embedded;
use gradus_data::{Dataset, Pipeline};
use gradus_graph::{Graph, Model, State};
use gradus_nn::init::{Msra, Normal, Xavier, Zero};
use gradus_nn::layers::Dense;
use gradus_nn::losses::CrossEntropy;
use gradus_nn::optimizers::Sgd;
use gradus_nn::{AnyActivation, AnyInit, LayerExt};
use gradus_train::Trainer;
use gradus_train::inspect::verdict::{COLLAPSING, VANISHING};
use gradus_train::inspect::{Finding, InspectOptions, Inspection, Snapshot, Watched};

fn digits() -> Dataset {
    let transforms: Pipeline = serde_json::from_str(r#"[{ "min_max": {} }]"#).unwrap();
    transforms.fit_apply(Embedded::Digits.read()).unwrap().1
}

/// 64 inputs, hidden layers, 10 outputs, all weights by one rule.
fn network(hidden: &[usize], activation: &str, init: impl Into<AnyInit>) -> (Model, Vec<Watched>) {
    let init = init.into();
    let activation: AnyActivation = serde_json::from_str(&format!("\"{activation}\"")).unwrap();
    let graph = Graph::new();
    let mut y = graph.input("x", [8, 8]).flatten();
    let mut layers = vec![];
    let mut add = |y: &gradus_graph::Node, key: &str| {
        let name = format!("layer {}", layers.len() + 1);
        layers.push(Watched { name, activation: key.into(), output: y.id(), before: None });
    };
    for &units in hidden {
        y = y.layer(Dense::new(units).activation(activation.clone()).weight_init(init.clone()));
        add(&y, activation.key());
    }
    y = y.layer(Dense::new(10).weight_init(init));
    add(&y, "identity");
    (graph.model(&[("y", &y)]).unwrap(), layers)
}

fn look(hidden: &[usize], activation: &str, init: impl Into<AnyInit>, steps: u64) -> Inspection {
    let (model, layers) = network(hidden, activation, init);
    let options = InspectOptions { steps, at: vec![0.0, 1.0], samples: 400, ..Default::default() };
    Trainer::new(&model)
        .loss("y", CrossEntropy::default())
        .optimizer(Sgd { lr: 0.5, ..Sgd::default() })
        .seed(3)
        .inspect(&digits(), &layers, &options)
        .unwrap()
}

fn shows(snapshot: &Snapshot, wanted: impl Fn(&Finding) -> bool) -> bool {
    snapshot.findings().iter().any(wanted)
}

/// The share of a layer's values in the outer fifths of the histogram, and in the middle fifth.
fn ends_and_middle(snapshot: &Snapshot, layer: usize) -> (f64, f64, f64) {
    let shares = &snapshot.layers[layer].output.histogram.shares;
    let (n, fifth) = (shares.len(), shares.len() / 5);
    let sum = |part: &[f64]| part.iter().sum::<f64>();
    (sum(&shares[..fifth]), sum(&shares[n / 2 - fifth / 2..n / 2 + fifth / 2]), sum(&shares[n - fifth..]))
}

#[test]
fn one_layer_from_zero_works() {
    let seen = look(&[], "identity", Zero, 400);
    let [start, end] = &seen.snapshots[..] else { panic!("{}", seen.snapshots.len()) };
    assert!((start.loss - 10f64.ln()).abs() < 1e-4, "{}", start.loss);
    assert!(start.accuracy.unwrap() < 0.2, "{:?}", start.accuracy);
    assert!(end.loss < 0.4 && end.accuracy.unwrap() > 0.9, "{} {:?}", end.loss, end.accuracy);
    assert!(!start.layers[0].symmetric, "the outputs are alike, their gradients are not");
}

#[test]
fn two_sigmoid_layers_from_zero_cannot_break_symmetry() {
    let seen = look(&[32], "sigmoid", Zero, 400);
    for snapshot in &seen.snapshots {
        assert!(shows(snapshot, |f| matches!(f, Finding::Symmetric { layers } if layers == &["layer 1"])));
    }
    let end = &seen.snapshots[1];
    assert!(end.accuracy.unwrap() < 0.5, "{:?}", end.accuracy);
    let hidden = end.layers[0].output.clone();
    assert!(hidden.sd < 0.5 && end.layers[1].output.sd > 0.0, "the output layer's units have become different");
}

#[test]
fn two_sigmoid_layers_from_random_work() {
    let seen = look(&[32], "sigmoid", Xavier::default(), 400);
    let end = &seen.snapshots[1];
    assert!(end.accuracy.unwrap() > 0.9, "{:?}", end.accuracy);
    assert!(seen.snapshots.iter().all(|s| !s.layers[0].symmetric));
}

#[test]
fn a_deep_sigmoid_net_from_unit_normal_is_pushed_to_both_ends() {
    let seen = look(&[100; 8], "sigmoid", Normal { std: 1.0, ..Normal::default() }, 0);
    let start = &seen.snapshots[0];
    assert_eq!(seen.snapshots.len(), 1);
    assert!(shows(start, |f| matches!(f, Finding::BothEnds { share, .. } if *share > 0.5)), "{:?}", start.findings());
    for layer in 0..8 {
        let (low, middle, high) = ends_and_middle(start, layer);
        assert!(low > 0.25 && high > 0.25 && middle < 0.2, "layer {layer}: {low} {middle} {high}");
    }
}

#[test]
fn deep_tanh_from_xavier_keeps_its_spread() {
    let seen = look(&[100; 8], "tanh", Xavier::default(), 0);
    let start = &seen.snapshots[0];
    assert!(shows(start, |f| matches!(f, Finding::SpreadKept { .. })), "{:?}", start.findings());
    assert!(start.spread_ratio().unwrap() > 0.4 && start.layers[7].output.sd > 0.15);
    assert!(shows(start, |f| matches!(f, Finding::GradientsKept { .. })));
}

#[test]
fn deep_relu_from_xavier_collapses_and_from_msra_does_not() {
    let xavier = look(&[100; 8], "relu", Xavier::default(), 0);
    let msra = look(&[100; 8], "relu", Msra::default(), 0);
    let (xavier, msra) = (&xavier.snapshots[0], &msra.snapshots[0]);
    assert!(shows(xavier, |f| matches!(f, Finding::Collapsing { .. })), "{:?}", xavier.findings());
    assert!(shows(msra, |f| matches!(f, Finding::SpreadKept { .. })), "{:?}", msra.findings());
    assert!(xavier.spread_ratio().unwrap() < COLLAPSING && msra.spread_ratio().unwrap() > 0.4);
    // √½ a layer, as half of the variance is lost at each rectifier.
    let norm = |s: &Snapshot, layer: usize| s.layers[layer].output.norm;
    let per_layer = (norm(xavier, 7) / norm(xavier, 0)).powf(1.0 / 7.0);
    assert!((per_layer - 0.5f64.sqrt()).abs() < 0.06, "{per_layer}");
    let per_layer = (norm(msra, 7) / norm(msra, 0)).powf(1.0 / 7.0);
    assert!((per_layer - 1.0).abs() < 0.08, "{per_layer}");
}

#[test]
fn deep_sigmoid_gradients_vanish() {
    let start = &look(&[100; 8], "sigmoid", Xavier::default(), 0).snapshots[0];
    assert!(
        shows(start, |f| matches!(f, Finding::Vanishing { ratio, .. } if *ratio < VANISHING)),
        "{:?}",
        start.findings()
    );
    // At most a quarter of it comes back through each sigmoid.
    assert!(start.gradient_ratio().unwrap() < 0.3f64.powi(7));
}

#[test]
fn gradients_are_those_of_each_sample() {
    // One linear layer: the gradient with respect to the logits is softmax(y) - one_hot(target), a row for each sample.
    let seen = look(&[], "identity", Zero, 0);
    let layer = &seen.snapshots[0].layers[0];
    assert!((layer.gradient.norm - (0.9f64 * 0.9 + 9.0 * 0.01).sqrt()).abs() < 1e-5, "{}", layer.gradient.norm);
    assert!((layer.gradient.low + 0.9).abs() < 1e-5 && (layer.gradient.high - 0.1).abs() < 1e-5);
    assert_eq!((layer.units, layer.dead, layer.output.zeros), (10, 10, 1.0));
}

#[test]
fn updates_are_those_of_the_next_step() {
    let (model, layers) = network(&[16], "tanh", Xavier::default());
    let trainer =
        || Trainer::new(&model).loss("y", CrossEntropy::default()).optimizer(Sgd { lr: 0.1, ..Sgd::default() }).seed(5);
    let data = digits();
    let options = InspectOptions { steps: 7, at: vec![1.0, 0.0], samples: 100, ..Default::default() };
    let seen = trainer().inspect(&data, &layers, &options).unwrap();
    assert_eq!(seen.snapshots.iter().map(|s| s.step).collect::<Vec<_>>(), [Some(0), Some(7)]);
    let after = |steps: u64| trainer().fit(&data, None, gradus_train::Steps(steps)).unwrap().last;
    let (before, after) = (after(7), after(8));
    for update in &seen.snapshots[1].updates {
        let (old, new) = (before.variable(&update.path).unwrap(), after.variable(&update.path).unwrap());
        let norm = old.iter().map(|&w| f64::from(w).powi(2)).sum::<f64>().sqrt();
        let change = old.iter().zip(new).map(|(&a, &b)| f64::from(b - a).powi(2)).sum::<f64>().sqrt();
        assert!(
            (update.norm - norm).abs() < 1e-6 * norm && (update.change - change).abs() < 1e-3 * change,
            "{update:?}"
        );
    }
    assert_eq!(seen.snapshots[0].updates[1].ratio, None, "a bias that is zero");
}

#[test]
fn weights_that_are_there() {
    let (model, layers) = network(&[16], "relu", Msra::default());
    let mut dying = State::<f32>::new(&model, 1);
    dying.variable_mut("dense/bias").unwrap()[..4].fill(-100.0);
    let first = State::<f32>::new(&model, 1);
    let trainer = Trainer::new(&model).loss("y", CrossEntropy::default());
    let seen = trainer.inspect_states(&digits(), &layers, &[("initial", &first), ("best", &dying)], 200).unwrap();
    assert_eq!(seen.snapshots.iter().map(|s| s.label.as_str()).collect::<Vec<_>>(), ["initial", "best"]);
    assert!(seen.snapshots[1].layers[0].dead >= 4 + seen.snapshots[0].layers[0].dead);
    assert!(shows(&seen.snapshots[1], |f| matches!(f, Finding::Dead { of: 16, .. })));
    assert!(seen.snapshots[0].updates.is_empty(), "Adam's slots are not in the weights");
}

#[test]
fn a_run_that_diverges_is_looked_at_where_it_ends() {
    let (model, layers) = network(&[16], "identity", Normal { std: 1.0, ..Normal::default() });
    let seen = Trainer::new(&model)
        .loss("y", CrossEntropy::default())
        .optimizer(Sgd { lr: 1e25, ..Sgd::default() })
        .inspect(&digits(), &layers, &InspectOptions { steps: 500, ..InspectOptions::default() })
        .unwrap();
    let last = seen.snapshots.last().unwrap();
    assert!(seen.diverged.is_some() && last.label.starts_with("diverged in step"), "{}", last.label);
    assert!(shows(last, |f| matches!(f, Finding::NotFinite { .. })), "{:?}", last.findings());
}

#[test]
fn options_out_of_range() {
    let (model, layers) = network(&[], "identity", Zero);
    let refused = |options: InspectOptions, layers: &[Watched]| {
        let trainer = Trainer::new(&model).loss("y", CrossEntropy::default());
        trainer.inspect(&digits(), layers, &options).unwrap_err().to_string()
    };
    let message = refused(InspectOptions { at: vec![0.0, 1.5], ..InspectOptions::default() }, &layers);
    assert_eq!(message, "`at` is 1.5\n  expected: shares from 0 to 1");
    let message = refused(InspectOptions { samples: 1, ..InspectOptions::default() }, &layers);
    assert_eq!(message, "`samples` is 1\n  expected: at least 2");
    let elsewhere = [Watched { name: "far".into(), activation: "relu".into(), output: 100_000, before: None }];
    assert!(refused(InspectOptions::default(), &elsewhere).contains("a layer to look at is not in the model"));
}
