//! Why and where runs end, and which weights they return.

mod common;

use common::{digits_model, iris_model, iris_trainer, parts};
use gradus_data::loader::{Loader, LoaderOptions};
use gradus_data::readers::Embedded;
use gradus_graph::{Engine, Request, State};
use gradus_kernels::Pool;
use gradus_metrics::{Direction, Metric};
use gradus_nn::losses::CrossEntropy;
use gradus_nn::optimizers::{Adam, Sgd};
use gradus_train::stops::Check;
use gradus_train::{
    AnyStop, Context, Epochs, Event, Flow, GeneralizationLoss, Keep, LossBelow, LossChange, Minutes, Outcome, Patience,
    ProgressQuotient, Steps, Trainer, Up, Worsening,
};
use std::sync::Arc;

fn iris(stops: Vec<AnyStop>, until: impl Into<AnyStop>) -> Outcome {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    let model = iris_model();
    let trainer = stops.into_iter().fold(iris_trainer(&model), Trainer::stop);
    let mut trainer = trainer;
    trainer.fit(&train, &valid, until).unwrap()
}

#[test]
fn limits() {
    let outcome = iris(vec![], Epochs(3));
    assert_eq!((outcome.stopped_by.as_str(), outcome.steps, outcome.history.len()), ("epochs", 24, 3));
    let outcome = iris(vec![], Steps(21));
    assert_eq!((outcome.stopped_by.as_str(), outcome.steps, outcome.epochs), ("steps", 21, 2.625));
    assert_eq!(outcome.history.iter().map(|r| r.step).collect::<Vec<_>>(), [8, 16, 21]);
    let outcome = iris(vec![Epochs(1).into()], Steps(21));
    assert_eq!(outcome.stopped_by, "epochs");
    let outcome = iris(vec![Minutes(1e-4).into()], Epochs(1_000_000));
    assert_eq!(outcome.stopped_by, "minutes");
    assert!(outcome.seconds >= 6e-3 && outcome.seconds < 5.0, "{}", outcome.seconds);
}

#[test]
fn watching_stops_look_between_epochs() {
    // Eight steps in an epoch: every 0.3 epochs is every round(2.4) = 2 steps.
    let bound = LossBelow { check_every: 0.3, ..LossBelow::new(0.6) };
    let outcome = iris(vec![bound.into()], Epochs(100));
    assert_eq!(outcome.stopped_by, "loss_below");
    assert!(outcome.history.iter().all(|record| record.step % 2 == 0));
    let (last, before) = outcome.history.split_last().unwrap();
    assert!(last.valid.as_ref().unwrap()["loss"] < 0.6 && outcome.steps == last.step);
    assert!(before.iter().all(|record| record.valid.as_ref().unwrap()["loss"] >= 0.6));

    let accuracy = LossBelow { monitor: Some("valid/species/accuracy".into()), ..LossBelow::new(0.9) };
    let outcome = iris(vec![accuracy.into()], Epochs(100));
    assert_eq!(outcome.stopped_by, "loss_below");
    assert!(outcome.history.last().unwrap().valid.as_ref().unwrap()["accuracy"] > 0.9);

    let outcome = iris(vec![LossChange { check_every: 2.0, ..LossChange::new(0.02) }.into()], Epochs(200));
    assert_eq!((outcome.stopped_by.as_str(), outcome.steps % 16), ("loss_change", 0));
    let losses: Vec<f64> =
        outcome.history.iter().filter(|r| r.step % 16 == 0).map(|r| r.valid.as_ref().unwrap()["loss"]).collect();
    let changes: Vec<f64> = losses.windows(2).map(|w| (w[1] - w[0]).abs()).collect();
    assert!(changes.last().unwrap() < &0.02 && changes[..changes.len() - 1].iter().all(|c| *c >= 0.02), "{changes:?}");
}

#[test]
fn without_validation_data_the_training_loss_is_watched() {
    let (train, _) = parts(Embedded::Iris, 0.2, 3);
    let model = iris_model();
    let outcome = iris_trainer(&model).stop(LossBelow::new(0.7)).fit(&train, None, Epochs(50)).unwrap();
    assert_eq!(outcome.stopped_by, "loss_below");
    assert!(outcome.history.iter().all(|record| record.valid.is_none()));
    assert_eq!(outcome.best.unwrap().monitor, "train/loss");
}

#[test]
fn patience_returns_the_best_weights() {
    // A rate this high soon makes digits worse again.
    let (train, valid) = parts(Embedded::Digits, 0.5, 1);
    let model = digits_model();
    let trainer = || {
        Trainer::new(&model)
            .loss("digit", CrossEntropy::default())
            .optimizer(Adam { lr: 0.05, ..Adam::default() })
            .metric("digit", Metric::Accuracy)
            .batch_size(16)
            .seed(1)
    };
    let outcome = trainer().stop(Patience::new(3)).fit(&train, &valid, Epochs(200)).unwrap();
    assert_eq!(outcome.stopped_by, "patience");
    let best = outcome.best.clone().unwrap();
    let losses: Vec<f64> = outcome.history.iter().map(|r| r.valid.as_ref().unwrap()["loss"]).collect();
    let lowest = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!((best.value, best.monitor.as_str()), (lowest, "valid/loss"));
    assert_eq!(losses.len(), losses.iter().position(|l| *l == lowest).unwrap() + 1 + 3);
    assert_eq!(outcome.evaluate(&valid).unwrap().scores["loss"], lowest);
    assert_ne!(outcome.state.variable("dense/weight"), outcome.last.variable("dense/weight"));

    let of_accuracy = trainer().keep(Keep::BestOf("valid/accuracy".into())).fit(&train, &valid, Epochs(8)).unwrap();
    let highest = of_accuracy.history.iter().map(|r| r.valid.as_ref().unwrap()["accuracy"]).fold(0.0, f64::max);
    assert_eq!(of_accuracy.best.as_ref().unwrap().value, highest);
    assert_eq!(of_accuracy.evaluate(&valid).unwrap().scores["accuracy"], highest);

    let last = trainer().keep(Keep::Last).fit(&train, &valid, Epochs(8)).unwrap();
    assert_eq!((last.best, last.state.variable("dense/weight")), (None, last.last.variable("dense/weight")));
}

#[test]
fn callbacks_see_everything_and_may_end_the_run() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    let model = iris_model();
    let mut events = vec![];
    let outcome = iris_trainer(&model)
        .callback(|event, context: &mut Context<'_>| {
            events.push((event, context.step()));
            let enough = event == Event::Record { epoch_end: true } && context.history.len() == 2;
            assert_eq!(context.last_step, Some(400));
            Ok(if enough { Flow::Stop("enough".into()) } else { Flow::Continue })
        })
        .fit(&train, &valid, Epochs(50))
        .unwrap();
    assert_eq!((outcome.stopped_by.as_str(), outcome.steps), ("enough", 16));
    assert_eq!(events.first(), Some(&(Event::Start, 0)));
    assert_eq!(events.last(), Some(&(Event::End, 16)));
    assert_eq!(events.iter().filter(|e| e.0 == Event::Record { epoch_end: true }).count(), 2);
    assert!(events.contains(&(Event::Best, 8)));
}

#[test]
fn records_hold_what_plain_loops_give() {
    let (train, valid) = parts(Embedded::Digits, 0.2, 1);
    let model = digits_model();
    let mut trainer = Trainer::new(&model)
        .loss("digit", CrossEntropy::default())
        .optimizer(Sgd { lr: 0.1, ..Sgd::default() })
        .metric("digit", Metric::Accuracy)
        .metric("digit", Metric::LogLoss)
        .batch_size(50)
        .keep(Keep::Last)
        .seed(9);
    let outcome = trainer.fit(&train, &valid, Epochs(1)).unwrap();
    let record = &outcome.history[0];

    // The same epoch batch by batch, with its last batch of 38.
    let step = trainer.step(&train).unwrap();
    let names = ["data_loss", "digit/correct", "digit/count"];
    let mut engine = Engine::new(&step, Request::training(&names)).unwrap();
    let mut state = State::<f32>::new(&step, 9);
    let options = LoaderOptions { batch: 50, seed: 9, ..LoaderOptions::default() };
    let mut loader = Loader::new(Arc::new(train.clone()), options).unwrap();
    let (mut loss, mut correct, mut count, mut sizes) = (0.0, 0.0, 0.0, vec![]);
    for i in 0..29 {
        let mut chunks = loader.steps(0, i..i + 1);
        let chunk = chunks.next_chunk().unwrap();
        engine.run(&mut state, &[chunk.inputs(), chunk.targets()], chunk.batch(), 1, &Pool::new(1)).unwrap();
        loss += engine.sums()[0] * chunk.batch() as f64;
        correct += engine.sums()[1];
        count += engine.sums()[2];
        sizes.push(chunk.batch());
    }
    assert_eq!((sizes[27], sizes[28], count), (50, 38, 1438.0));
    assert!((record.train["loss"] - loss / count).abs() < 1e-12);
    assert_eq!(record.train["accuracy"], correct / count);
    assert_eq!(outcome.last.variable("dense/weight"), state.variable("dense/weight"));

    // The validation loss from predicted probabilities.
    let probabilities = outcome.predictor("digit").unwrap().predict(valid.input_values()).unwrap();
    let labels = valid.labels().unwrap();
    let log = |(p, &label): (&[f32], &u32)| -f64::from(p[label as usize]).ln();
    let mean = probabilities.chunks_exact(10).zip(labels).map(log).sum::<f64>() / labels.len() as f64;
    let scores = record.valid.as_ref().unwrap();
    assert!((scores["loss"] - mean).abs() < 1e-6, "{} {mean}", scores["loss"]);
    assert!((scores["log_loss"] - mean).abs() < 1e-9, "{} {mean}", scores["log_loss"]);
}

#[test]
fn several_outputs_add_up() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    use gradus_nn::{LayerExt, layers::Dense};
    let g = gradus_graph::Graph::new();
    let hidden = g.input("x", [4]).layer(Dense::new(8).tanh());
    let (main, aux) = (hidden.layer(Dense::new(3)), hidden.layer(Dense::new(3)));
    let model = g.model(&[("main", &main), ("aux", &aux)]).unwrap();
    let outcome = Trainer::new(&model)
        .loss("main", CrossEntropy::default())
        .weighted_loss("aux", CrossEntropy::default(), 0.25)
        .metric("aux", Metric::Accuracy)
        .stop(LossBelow { monitor: Some("valid/aux/accuracy".into()), ..LossBelow::new(0.8) })
        .fit(&train, &valid, Epochs(300))
        .unwrap();
    assert_eq!(outcome.stopped_by, "loss_below");
    let scores = outcome.history.last().unwrap().valid.clone().unwrap();
    let names: Vec<&str> = scores.iter().map(|s| s.0).collect();
    assert_eq!(names, ["aux/accuracy", "aux/loss", "loss", "main/loss"]);
    assert!((scores["loss"] - scores["main/loss"] - 0.25 * scores["aux/loss"]).abs() < 1e-12);
}

/// Prechelt's criteria end courses of errors where an independent implementation says (`fixtures/stops.py`).
#[test]
fn prechelts_criteria_agree_with_the_paper() {
    let cases: Vec<serde_json::Value> = serde_json::from_str(include_str!("fixtures/stops.json")).unwrap();
    let list = |of: &serde_json::Value| of.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect::<Vec<_>>();
    let mut seen = (0, 0);
    for (number, case) in cases.iter().enumerate() {
        let pairs = list(&case["valid"]).into_iter().zip(list(&case["train"])).zip(1..);
        let checks: Vec<Check> = pairs.map(|((value, train_loss), step)| Check { step, value, train_loss }).collect();
        for end in case["ends"].as_array().unwrap() {
            let (bound, strip) = (end["bound"].as_f64().unwrap(), end["strip"].as_u64().unwrap());
            let stop: AnyStop = match end["rule"].as_str().unwrap() {
                "generalization_loss" => GeneralizationLoss { strip, ..GeneralizationLoss::new(bound) }.into(),
                "progress_quotient" => ProgressQuotient { strip, ..ProgressQuotient::new(bound) }.into(),
                _ => Up { strip, ..Up::new(bound as u64) }.into(),
            };
            let found = (1..=checks.len()).find(|&n| stop.reached(&checks[..n], Direction::Lower));
            assert_eq!(found.map(|n| n as u64), end["end"].as_u64(), "case {number}: {end}");
            if found.is_some() { seen.0 += 1 } else { seen.1 += 1 }
        }
    }
    assert!(seen.0 > 200 && seen.1 > 10, "{seen:?}");
}

#[test]
fn the_new_stops_end_runs() {
    let stops: [(AnyStop, &str); 4] = [
        (GeneralizationLoss { check_every: 0.25, ..GeneralizationLoss::new(1.0) }.into(), "generalization_loss"),
        (ProgressQuotient { strip: 3, check_every: 0.5, ..ProgressQuotient::new(0.05) }.into(), "progress_quotient"),
        (Up { strip: 2, ..Up::new(2) }.into(), "up"),
        (Worsening { monitor: Some("valid/accuracy".into()), ..Worsening::new(1) }.into(), "worsening"),
    ];
    for (stop, key) in stops {
        let outcome = iris(vec![stop], Epochs(2000));
        assert_eq!(outcome.stopped_by, key);
        let name = if key == "worsening" { "accuracy" } else { "loss" };
        let seen: Vec<f64> = outcome.history.iter().map(|record| record.valid.as_ref().unwrap()[name]).collect();
        let (last, before) = seen.split_last().unwrap();
        match key {
            "worsening" => assert!(last < before.last().unwrap(), "{seen:?}"),
            _ => assert!(before.iter().any(|loss| loss < last), "{key}: {seen:?}"),
        }
    }
}

#[test]
fn monitors_that_do_not_fit_are_refused_with_what_there_is() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    let model = iris_model();
    let refusal =
        |stop: AnyStop| iris_trainer(&model).stop(stop).fit(&train, &valid, Epochs(1)).err().unwrap().to_string();
    let monitor = Some("valid/acuracy".to_string());
    let stops: [AnyStop; 4] = [
        GeneralizationLoss { monitor: monitor.clone(), ..GeneralizationLoss::new(5.0) }.into(),
        ProgressQuotient { monitor: monitor.clone(), ..ProgressQuotient::new(0.5) }.into(),
        Up { monitor: monitor.clone(), ..Up::new(3) }.into(),
        Worsening { monitor, ..Worsening::new(4) }.into(),
    ];
    for stop in stops {
        let (key, message) = (stop.key(), refusal(stop));
        assert_eq!(
            message,
            format!(
                "`{key}` watches `valid/acuracy`, which this run does not have\n  expected: one of `train/loss`, `valid/loss`, \
                 `train/accuracy`, `valid/accuracy`\n  help:     correct `monitor`, or ask for that metric"
            )
        );
    }
    let accuracy = Some("valid/accuracy".to_string());
    assert_eq!(
        refusal(GeneralizationLoss { monitor: accuracy.clone(), ..GeneralizationLoss::new(5.0) }.into()),
        "`generalization_loss` watches `valid/accuracy`\n  expected: an error: a value of at least 0 that is better when lower\n  \
         received: a value that is better when higher\n  help:     watch a loss or an error; `patience`, `up` and `worsening` \
         watch anything"
    );
    for (stop, option) in [
        (AnyStop::from(GeneralizationLoss::new(f64::NAN)), "alpha"),
        (ProgressQuotient::new(-1.0).into(), "alpha"),
        (Up { strip: 0, ..Up::new(1) }.into(), "strip"),
        (Worsening::new(0).into(), "checks"),
    ] {
        let message = refusal(stop);
        assert!(message.starts_with(&format!("`{option}` is ")), "{message}");
    }
}
