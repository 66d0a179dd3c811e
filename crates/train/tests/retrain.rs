//! Training on all of the data after an early stop: what it does, what it refuses, and that it can be ended anywhere.

mod common;

use common::{Scratch, iris_model, iris_trainer, parts};
use gradus_data::Dataset;
use gradus_data::readers::Embedded;
use gradus_graph::{Model, State};
use gradus_train::retrain::{Continue, Target};
use gradus_train::{
    Checkpoints, Context, Epochs, Event, Every, Flow, Interrupt, Outcome, Patience, Phase, Retrain, Signal, Steps,
    TrainError, Trainer, retrain_file,
};

struct Setting {
    model: Model,
    train: Dataset,
    valid: Dataset,
}

impl Setting {
    fn new() -> Setting {
        let (train, valid) = parts(Embedded::Iris, 0.2, 3);
        Setting { model: iris_model(), train, valid }
    }

    fn trainer<'a>(&self) -> Trainer<'a> {
        iris_trainer(&self.model).stop(Patience::new(3))
    }

    fn joined(&self) -> Dataset {
        Dataset::concat(&[&self.train, &self.valid]).unwrap()
    }

    fn early(&self, trainer: &mut Trainer<'_>) -> Outcome {
        trainer.fit(&self.train, &self.valid, Epochs(100)).unwrap()
    }

    fn again(&self, trainer: &mut Trainer<'_>, early: &Outcome, how: &Retrain) -> Outcome {
        trainer.retrain(early, &self.train, &self.valid, how, Epochs(300)).unwrap()
    }
}

fn same_weights(a: &State<f32>, b: &State<f32>) -> bool {
    a.variables().zip(b.variables()).all(|((_, x), (_, y))| x == y)
}

fn to(target: Target) -> Retrain {
    Retrain::Continue(Continue { target, ..Continue::default() })
}

#[test]
fn from_scratch_is_a_plain_run_on_all_data_for_the_bests_steps() {
    let setting = Setting::new();
    let mut trainer = setting.trainer();
    let early = setting.early(&mut trainer);
    assert_eq!(early.stopped_by, "patience");
    let steps = early.best.as_ref().unwrap().step;
    assert!(steps > 0 && steps < early.steps);
    let again = setting.again(&mut trainer, &early, &Retrain::FromScratch);
    assert_eq!((again.steps, again.stopped_by.as_str(), again.best.is_none()), (steps, "steps", true));
    // 150 samples in batches of 16 make ten steps an epoch.
    assert_eq!(again.epochs, steps as f64 / 10.0);
    assert!(again.history.iter().all(|record| record.phase == Phase::Retrain && record.valid.is_none()));
    assert!(early.history.iter().all(|record| record.phase == Phase::Train && record.valid.is_some()));
    let plain = iris_trainer(&setting.model).fit(setting.joined(), None, Steps(steps)).unwrap();
    assert!(same_weights(&again.state, &plain.last) && same_weights(&again.last, &plain.last));
    // The trainer is as it was.
    assert_eq!(setting.early(&mut trainer).history, early.history);
}

#[test]
fn going_on_ends_under_the_target() {
    let setting = Setting::new();
    let mut trainer = setting.trainer();
    let early = setting.early(&mut trainer);
    let (on_train, on_valid) = (early.evaluate(&setting.train).unwrap(), early.evaluate(&setting.valid).unwrap());
    for (target, evaluation) in [(Target::TrainLoss, &on_train), (Target::ValidLoss, &on_valid)] {
        let bound = evaluation.scores["loss"];
        let again = setting.again(&mut trainer, &early, &to(target));
        let losses: Vec<f64> = again.history.iter().map(|record| record.valid.as_ref().unwrap()["loss"]).collect();
        let begun_under = on_valid.scores["loss"] < bound;
        assert_eq!(again.stopped_by, "loss_below", "{target:?}: {losses:?}");
        assert!(again.best.is_none());
        match losses.split_last() {
            None => assert!(begun_under && same_weights(&again.state, &early.state)),
            Some((last, before)) => {
                assert!(!begun_under && *last < bound && before.iter().all(|loss| *loss >= bound), "{losses:?}");
                assert_eq!(again.steps, 10 * losses.len() as u64);
                assert!((again.evaluate(&setting.valid).unwrap().scores["loss"] - last).abs() < 1e-9);
            }
        }
    }
    // It goes on from the best weights: one step later it is still close to them.
    let harder = Retrain::Continue(Continue { epochs: Some(1), check_every: 0.1, ..Continue::default() });
    let again = setting.again(&mut trainer, &early, &harder);
    let kernel = |state: &State<f32>| state.variable("dense/weight").unwrap().to_vec();
    let far = kernel(&again.last).iter().zip(kernel(&early.state)).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(far < 0.25, "{far}");
}

#[test]
fn going_on_is_bounded() {
    let setting = Setting::new();
    // Weights of the first epoch, on data of which the validation part is hopeless: its labels are turned round.
    let labels: Vec<f64> = setting.valid.labels().unwrap().iter().map(|&label| f64::from((label + 1) % 3)).collect();
    let classes = setting.valid.classes().unwrap();
    let names: Vec<String> = labels.iter().map(|&label| classes[label as usize].clone()).collect();
    let turned = gradus_data::Target::from_labels(&names, Some(classes)).unwrap();
    let valid = Dataset::new(setting.valid.inputs().clone(), turned).unwrap();
    let valid = valid.with_columns(setting.train.columns().unwrap().to_vec()).unwrap();
    let mut trainer = setting.trainer();
    let early = trainer.fit(&setting.train, &valid, Epochs(100)).unwrap();
    let how = Retrain::Continue(Continue { epochs: Some(2), ..Continue::default() });
    let again = trainer.retrain(&early, &setting.train, &valid, &how, Epochs(100)).unwrap();
    let bound = early.evaluate(&setting.train).unwrap().scores["loss"];
    if early.evaluate(&valid).unwrap().scores["loss"] >= bound {
        assert_eq!((again.stopped_by.as_str(), again.epochs), ("epochs", 2.0));
    } else {
        panic!("the turned labels are learnt: {bound}");
    }
}

#[test]
fn a_retraining_ended_anywhere_goes_on_to_the_identical_end() {
    let setting = Setting::new();
    for how in [Retrain::FromScratch, to(Target::TrainLoss)] {
        let file = Scratch::new(how.key());
        let second = Scratch(retrain_file(&file.0));
        let trainer = |every| setting.trainer().checkpoints(Checkpoints::new(&file.0).every(every));
        let mut whole = trainer(Every::Minutes(60.0));
        let early = setting.early(&mut whole);
        let again = setting.again(&mut whole, &early, &how);
        assert!(again.steps >= 5, "{}: {} steps", how.key(), again.steps);
        let tensors = |path| gradus_tensor::safetensors::read(path).unwrap().tensors;
        let ends = [tensors(&file.0), tensors(&second.0)];
        for step in [1, 3, again.steps - 1, again.steps] {
            std::fs::remove_file(&second.0).unwrap();
            // The process dies right after this checkpoint of the retraining.
            let kill = move |event: Event, context: &mut Context<'_>| match event {
                Event::Checkpoint if context.step() == step => Err(TrainError::Callback("killed".into())),
                _ => Ok(Flow::Continue),
            };
            let mut first = trainer(Every::Steps(step)).callback(kill);
            let killed = first.retrain(&early, &setting.train, &setting.valid, &how, Epochs(300));
            assert_eq!(killed.err().unwrap().to_string(), "a callback failed: killed");
            // All that a new process does: the finished training, then the retraining from where it was.
            let mut resumed = trainer(Every::Minutes(60.0)).resume(&file.0);
            let early = setting.early(&mut resumed);
            let outcome = setting.again(&mut resumed, &early, &how);
            assert_eq!((&outcome.history, outcome.steps), (&again.history, again.steps), "{} at {step}", how.key());
            assert!(same_weights(&outcome.state, &again.state), "{} at {step}", how.key());
            assert!([tensors(&file.0), tensors(&second.0)] == ends, "{} at {step}", how.key());
        }
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let setting = Setting::new();
    let file = Scratch::new("refused");
    let second = Scratch(retrain_file(&file.0));
    let mut trainer = setting.trainer().checkpoints(Checkpoints::new(&file.0));
    let early = setting.early(&mut trainer);
    setting.again(&mut trainer, &early, &Retrain::FromScratch);
    let mut resumed = setting.trainer().resume(&file.0);
    let error = resumed.retrain(&early, &setting.train, &setting.valid, &to(Target::TrainLoss), Epochs(9)).err();
    let message = error.unwrap().to_string().replace(&second.0.display().to_string(), "FILE");
    assert!(message.starts_with("cannot resume from FILE: it belongs to another run\n"), "{message}");
    assert!(message.contains("retraining: from scratch for "), "{message}");
    let interrupt = Interrupt::new();
    interrupt.request(Signal::Interrupt);
    let mut stopped = setting.trainer().interrupt(interrupt);
    let half = setting.early(&mut stopped);
    let error = stopped.retrain(&half, &setting.train, &setting.valid, &Retrain::FromScratch, Epochs(9)).err();
    assert!(error.unwrap().to_string().starts_with("the training was interrupted\n"));
    let (digits, _) = parts(Embedded::Digits, 0.2, 1);
    let error = setting.trainer().retrain(&early, &setting.train, &digits, &Retrain::FromScratch, Epochs(9)).err();
    assert!(error.unwrap().to_string().contains("data sets of one kind to join: [4] features"));
    assert_eq!(
        Retrain::FromScratch.check_data(None).unwrap_err().to_string(),
        "`retrain` is `from_scratch`, but there are no validation data\n  expected: validation data, which are trained on after \
         the early stop\n  received: none\n  help:     hold some out, as in valid = { fraction = 0.1 }, or leave `retrain` out"
    );
}
