//! The range test of learning rates: it finds rates at which runs do well, with every optimiser, and changes nothing.

use gradus_data::readers::Embedded;
use gradus_data::{Dataset, Pipeline};
use gradus_graph::{Graph, Model, State};
use gradus_nn::layers::Dense;
use gradus_nn::losses::CrossEntropy;
use gradus_nn::optimizers::{AnyOptimizer, Sgd};
use gradus_nn::{Group, LayerExt};
use gradus_train::{Epochs, LrFindOptions, LrVerdict, Trainer};

fn digits() -> Dataset {
    let transforms: Pipeline = serde_json::from_str(r#"[{ "min_max": {} }]"#).unwrap();
    transforms.fit_apply(Embedded::Digits.read()).unwrap().1
}

fn network() -> Model {
    let graph = Graph::new();
    let y = graph.input("x", [8, 8]).flatten().layer(Dense::new(32).relu()).layer(Dense::new(10));
    graph.model(&[("y", &y)]).unwrap()
}

fn trainer(model: &Model, optimizer: impl Into<AnyOptimizer>) -> Trainer<'static> {
    Trainer::new(model).loss("y", CrossEntropy::default()).optimizer(optimizer.into()).seed(7)
}

#[test]
fn the_proposed_rate_learns_and_a_hundred_times_it_does_not() {
    let (model, data) = (network(), digits());
    let found = trainer(&model, Sgd::default()).lr_find(&data, LrFindOptions::default()).unwrap();
    assert_eq!(found.verdict, LrVerdict::Clear, "{}", found.words());
    let lr = found.proposed.unwrap();
    assert!((0.005..1.0).contains(&lr), "{lr}");
    let loss = |lr: f64| {
        let outcome = trainer(&model, Sgd { lr, ..Sgd::default() }).fit(&data, None, Epochs(5));
        outcome.map_or(f64::INFINITY, |outcome| outcome.history[4].train.get("loss").unwrap())
    };
    let (proposed, slow, fast) = (loss(lr), loss(lr / 100.0), loss(lr * 100.0));
    assert!(proposed < 0.8 && proposed < 0.4 * slow && proposed < 0.4 * fast, "{lr}: {proposed} {slow} {fast}");
}

#[test]
fn every_optimizer_can_be_tested() {
    let (model, data) = (network(), digits());
    for optimizer in AnyOptimizer::examples() {
        let options = LrFindOptions { steps: 100, ..LrFindOptions::default() };
        let key = optimizer.key();
        let found = trainer(&model, optimizer).lr_find(&data, options).unwrap();
        assert!(found.points.len() > 20, "{key}");
        assert!(found.points.windows(2).all(|pair| pair[0].lr < pair[1].lr), "{key}");
        assert!((found.points[0].lr - 1e-7).abs() < 1e-15 && found.points[0].loss > 2.0, "{key}");
    }
}

/// The first steps are those of plain runs at their rates.
#[test]
fn rates_are_what_is_applied() {
    let (model, data) = (network(), digits());
    let options = LrFindOptions { low: 0.1, high: 0.100001, steps: 20 };
    let found = trainer(&model, Sgd { lr: 123.0, ..Sgd::default() }).lr_find(&data, options).unwrap();
    let fixed = trainer(&model, Sgd { lr: 0.1, ..Sgd::default() });
    // The same order of samples, the same weights: the mean of the losses of the first 20 steps.
    let outcome = fixed.validate_every(20.0 / 57.0).fit(&data, None, gradus_train::Steps(20)).unwrap();
    let mean = found.points.iter().map(|p| p.loss).sum::<f64>() / 20.0;
    let trained = outcome.history[0].train.get("loss").unwrap();
    assert!((mean - trained).abs() < 1e-3 * trained, "{mean} {trained}");
}

#[test]
fn nothing_of_the_run_changes() {
    let (model, data) = (network(), digits());
    let mut plain = trainer(&model, Sgd::default());
    let mut tested = trainer(&model, Sgd::default());
    let first = tested.lr_find(&data, LrFindOptions::default()).unwrap();
    assert_eq!(first, tested.lr_find(&data, LrFindOptions::default()).unwrap());
    let (a, b) = (plain.fit(&data, None, Epochs(1)).unwrap(), tested.fit(&data, None, Epochs(1)).unwrap());
    let weights = |state: &State<f32>| state.variables().map(|(_, values)| values.to_vec()).collect::<Vec<_>>();
    assert!(weights(&a.last) == weights(&b.last));
}

#[test]
fn curves_in_which_none_stands_out_are_said_to_be_so() {
    let (model, data) = (network(), digits());
    let find = |options: LrFindOptions| trainer(&model, Sgd::default()).lr_find(&data, options).unwrap();
    let low = find(LrFindOptions { high: 1e-5, ..LrFindOptions::default() });
    assert!(low.proposed.is_none() && low.words().starts_with("no rate stands out"), "{}", low.words());
    // A network that is frozen but for its last bias cannot learn the digits.
    let frozen = ["*weight", "dense/bias"].map(|pattern| Group { frozen: true, ..Group::new(pattern) });
    let stuck = frozen.into_iter().fold(trainer(&model, Sgd::default()), Trainer::group);
    let stuck = stuck.lr_find(&data, LrFindOptions { high: 0.1, ..LrFindOptions::default() }).unwrap();
    assert!(stuck.proposed.is_none(), "{}", stuck.words());
}

#[test]
fn options_out_of_range() {
    let (model, data) = (network(), digits());
    for (options, message) in [
        (LrFindOptions { low: 0.0, ..Default::default() }, "`low` is 0\n  expected: a rate above 0"),
        (LrFindOptions { low: f64::NAN, ..Default::default() }, "`low` is NaN\n  expected: a rate above 0"),
        (LrFindOptions { high: 1e-8, ..Default::default() }, "`high` is 0.00000001\n  expected: a rate above `low`"),
        (LrFindOptions { steps: 3, ..Default::default() }, "`steps` is 3\n  expected: 20 to 1,000,000"),
    ] {
        let error = trainer(&model, Sgd::default()).lr_find(&data, options).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}
