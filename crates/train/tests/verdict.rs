//! The verdict on nets that are known to fit well, too little, and too well.

mod common;

use common::parts;
use gradus_data::readers::Embedded;
use gradus_data::{Dataset, Target};
use gradus_graph::{Graph, Model};
use gradus_nn::layers::{Dense, Flatten};
use gradus_nn::losses::{CrossEntropy, Mse};
use gradus_nn::optimizers::{Adam, Sgd};
use gradus_nn::{LayerExt, seq};
use gradus_tensor::Tensor;
use gradus_train::verdict::{Evidence, Measure, Verdict, VerdictOptions, judge};
use gradus_train::{Epochs, Keep, OverfitOptions, Trainer, sanity};

fn digits(hidden: usize) -> Model {
    let g = Graph::new();
    let y = g.input("x", [8, 8]).layer(seq![Flatten, Dense::new(hidden).relu(), Dense::new(10)]);
    g.model(&[("digit", &y)]).unwrap()
}

fn verdict_on_digits(train: &Dataset, valid: &Dataset, lr: f64, epochs: u64) -> Verdict {
    let outcome = Trainer::new(&digits(64))
        .loss("digit", CrossEntropy::default())
        .optimizer(Adam { lr, ..Adam::default() })
        .keep(Keep::Last)
        .seed(2)
        .fit(train, valid, Epochs(epochs))
        .unwrap();
    let options = VerdictOptions::default();
    judge(Evidence::measure(&outcome, train, Some(valid), &options).unwrap(), &options)
}

#[test]
fn digits_fit_well_too_little_and_too_well() {
    let (train, valid) = parts(Embedded::Digits, 0.2, 1);
    let good = verdict_on_digits(&train, &valid, 3e-3, 30);
    assert_eq!(good.headline(), "good fit", "{:?}", good.reasons);
    assert_eq!(good.evidence.measure, Measure::ErrorRate);
    // The most frequent class of ten that are about as frequent is wrong nine times of ten.
    assert!((good.evidence.baseline_error - 0.9).abs() < 0.02, "{:?}", good.evidence);
    assert!(good.evidence.baseline.starts_with("always `"));
    let under = verdict_on_digits(&train, &valid, 1e-5, 2);
    assert_eq!(under.headline(), "under-fit", "{:?}", under.reasons);
    let few: Vec<usize> = (0..60).collect();
    let over = verdict_on_digits(&train.select(&few).unwrap(), &valid, 3e-3, 200);
    assert_eq!((over.under_fit, over.over_fit), (false, Some(true)), "{:?}", over.reasons);
    assert!(over.advice().unwrap().contains("more data"));
}

/// Values `2x + noise`: the same noise at each call.
fn line(rows: usize, first: usize) -> Dataset {
    let x: Vec<f32> = (0..rows).map(|i| (i as f32 + 0.5) / rows as f32 * 2.0 - 1.0).collect();
    let noise = |i: usize| ((first + i) as f32 * 12.9898).sin() * 0.7;
    let y: Vec<f32> = x.iter().enumerate().map(|(i, x)| 2.0 * x + noise(i)).collect();
    Dataset::new(Tensor::vector(x), Target::from_values(Tensor::vector(y), None).unwrap()).unwrap()
}

#[test]
fn values_are_judged_by_their_root_mean_square_error() {
    let (train, valid) = (line(40, 0), line(40, 1000));
    let verdict = |units: Option<usize>, epochs: u64, options: &VerdictOptions| {
        let g = Graph::new();
        let x = g.input("x", [1]);
        let y = match units {
            Some(units) => x.layer(seq![Dense::new(units).tanh(), Dense::new(units).tanh(), Dense::new(1)]),
            None => x.layer(Dense::new(1)),
        };
        let mut trainer =
            Trainer::new(&g.model(&[("y", &y)]).unwrap()).loss("y", Mse::default()).keep(Keep::Last).seed(1);
        trainer = match units {
            Some(_) => trainer.optimizer(Adam { lr: 0.01, ..Adam::default() }),
            None => trainer.optimizer(Sgd { lr: 0.1, ..Sgd::default() }),
        };
        let outcome = trainer.batch_size(40).fit(&train, &valid, Epochs(epochs)).unwrap();
        (judge(Evidence::measure(&outcome, &train, Some(&valid), options).unwrap(), options), outcome)
    };
    let options = VerdictOptions::default();
    let (good, outcome) = verdict(None, 200, &options);
    assert_eq!(good.headline(), "good fit", "{:?}", good.reasons);
    // The errors are those that plain arithmetic gives.
    let (y, p) = (valid.target_values(), outcome.predictor("y").unwrap().predict(valid.input_values()).unwrap());
    let rms = |p: &dyn Fn(usize) -> f32| ((0..40).map(|i| f64::from(p(i) - y[i]).powi(2)).sum::<f64>() / 40.0).sqrt();
    let mean = train.target_values().iter().sum::<f32>() / 40.0;
    assert!((good.evidence.valid_error.unwrap() - rms(&|i| p[i])).abs() < 1e-6);
    assert!((good.evidence.baseline_error - rms(&|_| mean)).abs() < 1e-6);
    let scaled = good.evidence.clone().in_units(0.5);
    assert!((scaled.train_error - 2.0 * good.evidence.train_error).abs() < 1e-12);
    let strict = VerdictOptions { desired: Some(0.3), ..options.clone() };
    assert_eq!(verdict(None, 200, &strict).0.headline(), "under-fit");
    let (over, _) = verdict(Some(64), 4000, &options);
    assert_eq!(over.over_fit, Some(true), "{:?}", over.reasons);
}

#[test]
fn a_handful_is_learnt_by_heart_unless_the_rate_is_wrong() {
    let (train, _) = parts(Embedded::Digits, 0.2, 1);
    let check = |lr: f64| {
        let trainer =
            Trainer::new(&digits(32)).loss("digit", CrossEntropy::default()).optimizer(Sgd { lr, ..Sgd::default() });
        trainer.overfit(&train, OverfitOptions { steps: 2000, ..OverfitOptions::default() }).unwrap()
    };
    let right = check(0.1);
    assert!(right.passed && right.lowest < right.bound && right.steps < 2000 && right.samples == 10, "{right:?}");
    let slow = check(1e-7);
    assert!(!slow.passed && slow.steps == 2000 && slow.lowest <= slow.start && slow.lowest > slow.bound, "{slow:?}");
    let wild = check(1e30);
    assert!(!wild.passed && wild.error.as_deref().unwrap_or("learnt nothing").contains("diverged"), "{wild:?}");
    // One sample of each class.
    let few = sanity::handful(&train, 10).unwrap();
    assert_eq!(few.class_counts().unwrap(), vec![1; 10]);
    let line = line(100, 0);
    assert_eq!(
        sanity::handful(&line, 4).unwrap().input_values(),
        line.select(&[0, 25, 50, 75]).unwrap().input_values()
    );
}
