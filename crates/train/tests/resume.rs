//! A run that was ended anywhere and resumed ends exactly as one that was not: parameters, optimiser state, best weights, history.

mod common;

use common::{Scratch, iris_model, iris_trainer, parts};
use gradus_data::Dataset;
use gradus_data::readers::Embedded;
use gradus_graph::{Graph, Model};
use gradus_nn::activations::Relu;
use gradus_nn::layers::{Activation, BatchNorm, Dense, Dropout};
use gradus_nn::{LayerExt as _, seq};
use gradus_tensor::safetensors::{self, TensorFile};
use gradus_train::{
    Checkpoints, Context, Epochs, Event, Every, Flow, Interrupt, LossBelow, ModelFile, Outcome, Patience, Signal,
    TrainError, Trainer,
};

const EPOCHS: Epochs = Epochs(9);

struct Setting {
    model: Model,
    train: Dataset,
    valid: Dataset,
}

impl Setting {
    /// 120 samples in batches of 16 (the last of 8): 8 steps in an epoch.
    fn new() -> Setting {
        let (train, valid) = parts(Embedded::Iris, 0.2, 3);
        Setting { model: iris_model(), train, valid }
    }

    /// Adam, dropout, shuffling, records between the epochs' ends, and stops that remember.
    fn trainer<'a>(&self, file: &Scratch, every: Every) -> Trainer<'a> {
        iris_trainer(&self.model)
            .validate_every(0.5)
            .stop(Patience { check_every: 0.3, ..Patience::new(6) })
            .stop(LossBelow::new(1e-3))
            .checkpoints(Checkpoints::new(&file.0).every(every).with("recipe", "seed = 5"))
    }

    fn fit(&self, mut trainer: Trainer<'_>) -> Result<Outcome, TrainError> {
        trainer.fit(&self.train, &self.valid, EPOCHS)
    }
}

/// A run as it should be, and its last checkpoint.
fn uninterrupted(setting: &Setting) -> (Outcome, TensorFile) {
    let file = Scratch::new("whole");
    let outcome = setting.fit(setting.trainer(&file, Every::Minutes(60.0))).unwrap();
    assert!(outcome.steps > 64, "{} after {}", outcome.stopped_by, outcome.steps);
    (outcome, safetensors::read(&file.0).unwrap())
}

fn assert_same(a: &(Outcome, TensorFile), outcome: &Outcome, file: &Scratch, when: &str) {
    assert_eq!(a.0.stopped_by, outcome.stopped_by, "{when}");
    for (x, y) in a.0.history.iter().zip(&outcome.history) {
        assert_eq!(x, y, "{when}");
    }
    assert_eq!(a.0.history.len(), outcome.history.len(), "{when}");
    assert_eq!(a.0.best, outcome.best, "{when}");
    assert_eq!(a.0.steps, outcome.steps, "{when}");
    let b = safetensors::read(&file.0).unwrap();
    assert!(a.1.tensors.keys().eq(b.tensors.keys()), "{when}");
    for (name, x) in &a.1.tensors {
        assert_eq!(x.values().to_le_bytes(), b.tensors[name].values().to_le_bytes(), "{when}: {name}");
    }
    let slots = b.tensors.keys().filter(|name| name.starts_with("slot:")).count();
    let best = b.tensors.keys().filter(|name| name.starts_with("best:")).count();
    assert!(slots >= 2 && best >= 4, "{when}: {slots} slots, {best} best");
}

#[test]
fn killed_after_any_step() {
    let setting = Setting::new();
    let whole = uninterrupted(&setting);
    assert_eq!((whole.0.stopped_by.as_str(), whole.0.steps), ("epochs", 72));
    for step in [1, 2, 5, 7, 8, 9, 16, 23, 40, 41, 63, 64, 71, 72] {
        let file = Scratch::new("killed");
        // The process dies right after the checkpoint at this step: nothing else is written.
        let kill = move |event: Event, context: &mut Context<'_>| match event {
            Event::Checkpoint if context.step() == step => Err(TrainError::Callback("killed".into())),
            _ => Ok(Flow::Continue),
        };
        let error = setting.fit(setting.trainer(&file, Every::Steps(step)).callback(kill)).err().unwrap();
        assert_eq!(error.to_string(), "a callback failed: killed");
        let outcome = setting.fit(setting.trainer(&file, Every::Epochs(2.0)).resume(&file.0)).unwrap();
        assert_same(&whole, &outcome, &file, &format!("killed at {step}"));
    }
}

/// Running statistics, one of them counted anew in each epoch.
fn normalized() -> Setting {
    let g = Graph::new();
    let cumulative = BatchNorm { cumulative: true, ..BatchNorm::default() };
    let hidden = seq![Dense::new(8).no_bias(), cumulative, Activation::new(Relu), Dropout::new(0.2)];
    let y = g.input("x", [4]).layer(hidden).layer(seq![BatchNorm::default(), Dense::new(3)]);
    Setting { model: g.model(&[("species", &y)]).unwrap(), ..Setting::new() }
}

#[test]
fn running_statistics_go_on_where_they_were() {
    let setting = normalized();
    let whole = uninterrupted(&setting);
    let batches = whole.0.last.variable("batch_norm/batches").unwrap()[0];
    assert_eq!(batches as u64, (whole.0.steps - 1) % 8 + 1, "those of the last epoch");
    for step in [1, 7, 8, 9, 41, 64] {
        let file = Scratch::new("normalized");
        let kill = move |event: Event, context: &mut Context<'_>| match event {
            Event::Checkpoint if context.step() == step => Err(TrainError::Callback("killed".into())),
            _ => Ok(Flow::Continue),
        };
        assert!(setting.fit(setting.trainer(&file, Every::Steps(step)).callback(kill)).is_err());
        let outcome = setting.fit(setting.trainer(&file, Every::Epochs(2.0)).resume(&file.0)).unwrap();
        assert_same(&whole, &outcome, &file, &format!("killed at {step}"));
    }
}

#[test]
fn killed_between_checkpoints_and_many_times() {
    let setting = Setting::new();
    let whole = uninterrupted(&setting);
    let file = Scratch::new("often");
    let mut died = 0;
    let outcome = loop {
        let mut checkpoints = 0;
        let kill = |event: Event, _: &mut Context<'_>| {
            checkpoints += u64::from(event == Event::Checkpoint);
            // The second checkpoint of each life is followed by some more steps, which are lost.
            match event {
                Event::Steps if checkpoints == 2 => Err(TrainError::Callback("killed".into())),
                _ => Ok(Flow::Continue),
            }
        };
        let mut trainer = setting.trainer(&file, Every::Steps(5)).callback(kill);
        if file.0.exists() {
            trainer = trainer.resume(&file.0);
        }
        match setting.fit(trainer) {
            Ok(outcome) => break outcome,
            Err(_) => died += 1,
        }
    };
    assert_eq!(died, 7);
    assert_same(&whole, &outcome, &file, "killed often");
}

#[test]
fn interrupted_runs_save_and_go_on() {
    let setting = Setting::new();
    let whole = uninterrupted(&setting);
    for least in [1, 20, 70] {
        let file = Scratch::new("interrupted");
        let interrupt = Interrupt::new();
        let handle = interrupt.clone();
        let ask = move |event: Event, context: &mut Context<'_>| {
            if event == Event::Steps && context.step() >= least {
                handle.request(Signal::Interrupt);
            }
            Ok(Flow::Continue)
        };
        let trainer = setting.trainer(&file, Every::Minutes(60.0)).callback(ask).interrupt(interrupt);
        let first = setting.fit(trainer).unwrap();
        assert_eq!(first.stopped_by, "interrupted");
        assert!(first.steps >= least && first.steps < 72, "{}", first.steps);
        let outcome = setting.fit(setting.trainer(&file, Every::Minutes(60.0)).resume(&file.0)).unwrap();
        assert_same(&whole, &outcome, &file, &format!("interrupted at {}", first.steps));
    }
}

#[test]
fn a_finished_run_stays_finished_and_can_be_prolonged() {
    let setting = Setting::new();
    let whole = uninterrupted(&setting);
    let file = Scratch::new("finished");
    let short = |trainer: Trainer<'_>| {
        let mut trainer = trainer;
        trainer.fit(&setting.train, &setting.valid, Epochs(4))
    };
    let first = short(setting.trainer(&file, Every::default())).unwrap();
    let again = short(setting.trainer(&file, Every::default()).resume(&file.0)).unwrap();
    assert_eq!((&first.history, first.steps), (&again.history, again.steps));
    let longer = setting.fit(setting.trainer(&file, Every::default()).resume(&file.0)).unwrap();
    assert_same(&whole, &longer, &file, "prolonged");
}

#[test]
fn a_checkpoint_is_a_model_file() {
    let setting = Setting::new();
    let file = Scratch::new("model");
    let outcome = setting.fit(setting.trainer(&file, Every::default())).unwrap();
    let model = ModelFile::read(&file.0).unwrap();
    assert_eq!(model.metadata["recipe"], "seed = 5");
    let mut state = gradus_graph::State::new(&setting.model, 99);
    model.restore(&mut state).unwrap();
    for ((variable, x), (_, y)) in state.variables().zip(outcome.state.variables()) {
        assert_eq!(x, y, "{}", variable.path);
    }
}

/// The message of a resumption that fails, without the file's name.
fn refusal(setting: &Setting, file: &Scratch, change: impl FnOnce(Trainer<'static>) -> Trainer<'static>) -> String {
    let trainer = change(setting.trainer(file, Every::default()).resume(&file.0));
    setting.fit(trainer).err().unwrap().to_string().replace(&file.0.display().to_string(), "FILE")
}

#[test]
fn foreign_checkpoints_are_refused_by_name() {
    let setting = Setting::new();
    let file = Scratch::new("foreign");
    setting.fit(setting.trainer(&file, Every::default())).unwrap();
    assert_eq!(
        refusal(&setting, &file, |t| t.seed(6).batch_size(20)),
        "cannot resume from FILE: it belongs to another run\n  differs:  seed: 5 in the checkpoint, 6 now\n            \
         batch_size: 16 in the checkpoint, 20 now\n  help:     resume with the recipe and data of that run, or start a new one"
    );
    let other = gradus_nn::optimizers::Adam { lr: 0.01, ..Default::default() };
    assert_eq!(
        refusal(&setting, &file, |t| t.optimizer(other)),
        "cannot resume from FILE: it belongs to another run\n  differs:  layers, losses, optimizer or regularizer have other \
         settings than in the checkpoint\n  help:     resume with the recipe and data of that run, or start a new one"
    );
    let (train, valid) = parts(Embedded::Iris, 0.2, 4);
    let elsewhere = Setting { train, valid, ..Setting::new() };
    let message = refusal(&elsewhere, &file, |t| t);
    assert!(message.contains("training data (fingerprint): "), "{message}");
    assert!(message.contains("validation data (fingerprint): "), "{message}");
    let g = gradus_graph::Graph::new();
    use gradus_nn::LayerExt;
    let y = g.input("x", [4]).layer(gradus_nn::layers::Dense::new(3));
    let smaller = Setting { model: g.model(&[("species", &y)]).unwrap(), ..Setting::new() };
    let message = refusal(&smaller, &file, |t| t);
    assert!(message.contains("`dense/bias`: shape [8] in the checkpoint, [3] now"), "{message}");
    assert!(message.contains("`best:dense_1/bias`: in the checkpoint, but not in this model"), "{message}");

    ModelFile::read(&file.0).unwrap().write(&file.0).unwrap();
    // The metadata still say that it is a checkpoint, but what it holds are weights alone.
    assert!(refusal(&setting, &file, |t| t).contains("`slot:optimizer/m`: not in the checkpoint"));
    let mut plain = ModelFile::read(&file.0).unwrap();
    plain.metadata.clear();
    plain.write(&file.0).unwrap();
    assert_eq!(
        refusal(&setting, &file, |t| t),
        "cannot resume from FILE: it holds tensors, but is no checkpoint of a training run\n  help:     give the checkpoint of the \
         run; a model file can be started from, but not resumed"
    );
}

#[test]
fn damaged_checkpoints_are_refused() {
    let setting = Setting::new();
    let file = Scratch::new("damaged");
    setting.fit(setting.trainer(&file, Every::default())).unwrap();
    let whole = std::fs::read(&file.0).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    std::fs::write(&file.0, &flipped).unwrap();
    assert_eq!(
        refusal(&setting, &file, |t| t),
        "FILE is damaged: its contents do not have the checksum that was written with them; copy, download or write it again"
    );
    let at = whole.windows(10).position(|w| w == b"seed = 5\",").map_or(whole.len() / 4, |at| at + 7);
    let mut flipped = whole.clone();
    flipped[at] ^= 1;
    std::fs::write(&file.0, &flipped).unwrap();
    assert!(refusal(&setting, &file, |t| t).starts_with("FILE is damaged"));
    std::fs::write(&file.0, &whole[..whole.len() / 2]).unwrap();
    assert!(refusal(&setting, &file, |t| t).starts_with("FILE is damaged"));
    std::fs::write(&file.0, b"").unwrap();
    assert_eq!(refusal(&setting, &file, |t| t), "FILE is not a safetensors file: it looks like an empty file");
    std::fs::remove_file(&file.0).unwrap();
    assert!(refusal(&setting, &file, |t| t).starts_with("cannot read FILE: "));
}
