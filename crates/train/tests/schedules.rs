//! Learning rates that move: what is recorded, resumed, and cut on a plateau.

mod common;

use common::{Scratch, iris_model, iris_trainer, parts};
use gradus_data::readers::Embedded;
use gradus_nn::clips::GlobalNorm;
use gradus_nn::optimizers::Sgd;
use gradus_nn::schedules::{Cosine, OneCycle, Per, Plateau, StepDecay, WarmUp};
use gradus_nn::{AnySchedule, Group};
use gradus_train::{Checkpoints, Epochs, Event, Every, Flow, Minutes, Outcome, TrainError, Trainer};

const SGD: Sgd = Sgd { lr: 0.1, weight_decay: 0.0 };

fn fit(mut trainer: Trainer<'_>, epochs: u64) -> Result<Outcome, TrainError> {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    trainer.fit(&train, &valid, Epochs(epochs))
}

fn rates(outcome: &Outcome) -> Vec<f64> {
    outcome.history.iter().map(|record| record.lr).collect()
}

fn close(received: &[f64], expected: &[f64]) {
    assert_eq!(received.len(), expected.len(), "{received:?}");
    assert!(received.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9), "{received:?} is not {expected:?}");
}

#[test]
fn records_have_the_rate_of_their_last_step() {
    let model = iris_model();
    let halving = StepDecay { every: 1.0, gamma: 0.5 };
    let outcome = fit(iris_trainer(&model).optimizer(SGD).schedule(halving), 4).unwrap();
    close(&rates(&outcome), &[0.1, 0.05, 0.025, 0.0125]);
    // 8 steps in an epoch; the last of 4 epochs is step 31.
    let cosine =
        fit(iris_trainer(&model).optimizer(SGD).schedule(Cosine::default()).schedule_per(Per::Step), 4).unwrap();
    let at = |step: f64| 0.05 * (1.0 + (std::f64::consts::PI * step / 32.0).cos());
    close(&rates(&cosine), &[at(7.0), at(15.0), at(23.0), at(31.0)]);
}

#[test]
fn the_rate_is_cut_where_the_watched_value_stays() {
    let model = iris_model();
    // Nothing is an improvement: every second check is a cut.
    let plateau = Plateau { factor: 0.5, patience: 1, threshold: 1e9, absolute: true, min: 0.02, ..Plateau::default() };
    let outcome = fit(iris_trainer(&model).optimizer(SGD).schedule(plateau), 8).unwrap();
    close(&rates(&outcome), &[0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.02]);
    let watching = Plateau { monitor: Some("valid/acuracy".into()), ..Plateau::default() };
    let error = fit(iris_trainer(&model).schedule(watching), 2).err().unwrap().to_string();
    assert!(error.contains("valid/acuracy") && error.contains("valid/accuracy"), "{error}");
}

#[test]
fn a_run_with_a_moving_rate_resumes_to_the_identical_end() {
    let model = iris_model();
    let schedules: [AnySchedule; 3] = [
        WarmUp { length: 1.5, then: Box::new(OneCycle::default().into()), ..WarmUp::default() }.into(),
        Plateau { factor: 0.5, patience: 0, threshold: 0.05, check_every: 0.5, ..Plateau::default() }.into(),
        Cosine::default().into(),
    ];
    for schedule in schedules {
        let trainer = |file: &Scratch| {
            iris_trainer(&model)
                .schedule(schedule.clone())
                .clip(GlobalNorm::new(0.5))
                .max_norm(2.0)
                .group(Group { lr: Some(1e-3), ..Group::new("*/bias") })
                .checkpoints(Checkpoints::new(&file.0).every(Every::Minutes(60.0)))
        };
        let (whole, parted) = (Scratch::new("whole"), Scratch::new("parted"));
        let expected = fit(trainer(&whole), 6).unwrap();
        let stop_at = |step: u64| {
            move |event: Event, context: &mut gradus_train::Context<'_>| {
                Ok(if event == Event::Steps && context.step() >= step {
                    Flow::Stop("cut".into())
                } else {
                    Flow::Continue
                })
            }
        };
        let cut = fit(trainer(&parted).validate_every(1.0).callback(stop_at(11)), 6).unwrap();
        assert!(cut.steps < 48, "{}", cut.steps);
        let resumed = fit(trainer(&parted).resume(&parted.0), 6).unwrap();
        let values = |outcome: &Outcome| outcome.last.variables().map(|(_, x)| x.to_vec()).collect::<Vec<_>>();
        assert_eq!(values(&expected), values(&resumed), "{schedule:?}");
        assert_eq!(rates(&expected).last(), rates(&resumed).last(), "{schedule:?}");
    }
}

#[test]
fn a_schedule_that_ends_with_the_run_needs_its_length() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    let error =
        iris_trainer(&iris_model()).schedule(Cosine::default()).fit(&train, &valid, Minutes(0.1)).err().unwrap();
    let text = error.to_string();
    assert!(
        text.contains("a run whose number of steps is known") && text.contains("limit the run by epochs or steps"),
        "{text}"
    );
    let given = Cosine { length: Some(3.0), ..Cosine::default() };
    iris_trainer(&iris_model()).schedule(given).stop(Epochs(1)).fit(&train, &valid, Minutes(1.0)).unwrap();
}
