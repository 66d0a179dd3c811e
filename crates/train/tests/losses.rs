//! Every loss of classifiers in a run: what is counted, what is judged, what is refused.

mod common;

use common::{Scratch, parts};
use gradus_data::readers::Embedded;
use gradus_data::{Dataset, Target};
use gradus_graph::{Graph, Model, State};
use gradus_metrics::Metric;
use gradus_nn::activations::LogSoftmax;
use gradus_nn::layers::Dense;
use gradus_nn::losses::{BinaryCrossEntropy, CrossEntropy, Dice, Focal, Hinge, KlDivergence, Loss, Nll, Weights};
use gradus_nn::optimizers::Adam;
use gradus_nn::{AnyLoss, LayerExt, seq};
use gradus_tensor::Tensor;
use gradus_train::{Checkpoints, Epochs, Every, ModelFile, TrainError, Trainer};

fn network(inputs: usize, outputs: usize, logarithms: bool) -> Model {
    let g = Graph::new();
    let last = Dense::new(outputs);
    let last = if logarithms { last.activation(LogSoftmax::default()) } else { last };
    let y = g.input("x", [inputs]).layer(seq![Dense::new(16).tanh(), last]);
    g.model(&[("y", &y)]).unwrap()
}

#[test]
fn irises_are_learned_under_every_loss_of_classes() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    let losses: [AnyLoss; 6] = [
        CrossEntropy::default().into(),
        CrossEntropy { class_weights: Weights::Learned, ..CrossEntropy::default() }.into(),
        Nll::default().into(),
        KlDivergence::default().into(),
        Focal::default().into(),
        Dice::default().into(),
    ];
    for loss in losses {
        let model = network(4, 3, matches!(loss.key(), "nll" | "kl_divergence"));
        let outcome = Trainer::new(&model)
            .loss("y", loss.clone())
            .optimizer(Adam { lr: 0.02, ..Adam::default() })
            .metric("y", Metric::Accuracy)
            .metric("y", Metric::F1Macro)
            .batch_size(32)
            .seed(2)
            .fit(&train, &valid, Epochs(60))
            .unwrap();
        let judged = outcome.evaluate(&valid).unwrap();
        assert!(judged.scores["accuracy"] > 0.9, "{loss:?}: {:?}", judged.scores);
        assert!(outcome.history.last().unwrap().train["accuracy"] > 0.93, "{loss:?}");
        let matrix = judged.confusion.unwrap();
        assert_eq!((matrix.total(), matrix.accuracy()), (30, judged.scores["accuracy"]), "{loss:?}");
        let row = outcome.predictor("y").unwrap().predict(valid.input_row(0)).unwrap();
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{loss:?}: {row:?}");
    }
}

/// Whether the first of two numbers is larger.
fn halves() -> Dataset {
    let x: Vec<f32> = (0..400).map(|i| ((i * 37) % 101) as f32 / 50.0 - 1.0).collect();
    let labels: Vec<f64> = x.chunks(2).map(|x| f64::from(u8::from(x[0] > x[1]))).collect();
    Dataset::new(Tensor::new([200, 2], x).unwrap(), Target::from_numbers(&labels, None).unwrap()).unwrap()
}

fn yes_no<'a>(loss: impl Loss + Send + Sync + 'static) -> Trainer<'a> {
    let model = network(2, 1, false);
    Trainer::new(&model)
        .loss("y", loss)
        .optimizer(Adam { lr: 0.02, ..Adam::default() })
        .metric("y", Metric::Accuracy)
        .seed(2)
}

#[test]
fn two_classes_are_learned_under_every_loss_of_yes_and_no() {
    let data = halves();
    let losses: [AnyLoss; 5] = [
        BinaryCrossEntropy::default().into(),
        Hinge::default().into(),
        Hinge { squared: true, ..Hinge::default() }.into(),
        Focal::default().into(),
        Dice::default().into(),
    ];
    for loss in losses {
        let outcome = yes_no(loss.clone()).metric("y", Metric::F1).fit(&data, &data, Epochs(60)).unwrap();
        let judged = outcome.evaluate(&data).unwrap();
        assert!(judged.scores["accuracy"] > 0.95 && judged.scores["f1"] > 0.95, "{loss:?}: {:?}", judged.scores);
        let matrix = judged.confusion.unwrap();
        assert_eq!((matrix.total(), matrix.accuracy()), (200, judged.scores["accuracy"]), "{loss:?}");
        let mut predictor = outcome.predictor("y").unwrap();
        let predicted = predictor.predict(data.input_values()).unwrap();
        let right =
            predicted.chunks(1).zip(data.labels().unwrap()).filter(|(y, t)| predictor.class_of(y) == **t as usize);
        assert_eq!(right.count() as u64, matrix.correct(), "{loss:?}");
    }
}

#[test]
fn a_score_is_no_probability() {
    let error = yes_no(Hinge::default()).metric("y", Metric::Auc).fit(halves(), None, Epochs(1)).err().unwrap();
    assert_eq!(
        error.to_string(),
        "the metric `auc` does not fit output `y`\n  expected: probabilities\n  received: scores, under the loss `hinge`\n  help:     ask for \
         `accuracy`, or train with `binary_cross_entropy`"
    );
}

/// Rows of shares for irises' inputs; the last of the third row is this.
fn shares(last: f32) -> Dataset {
    let (train, _) = parts(Embedded::Iris, 0.2, 3);
    let mut rows: Vec<f32> =
        train.labels().unwrap().iter().flat_map(|&l| (0..3).map(move |k| f32::from(u8::from(k == l)))).collect();
    rows[6..9].copy_from_slice(&[0.25, 0.25, last]);
    let target = Target::from_values(Tensor::new([train.len(), 3], rows).unwrap(), None).unwrap();
    Dataset::new(train.inputs().clone(), target).unwrap()
}

fn fit(loss: impl Loss + Send + Sync + 'static, data: Dataset) -> Result<(), TrainError> {
    let model = network(4, 3, false);
    Trainer::new(&model).loss("y", loss).fit(data, None, Epochs(1)).map(|_| ())
}

#[test]
fn shares_that_do_not_sum_to_1_are_refused_before_training() {
    let error = fit(CrossEntropy::default(), shares(0.25)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the training data's target in row 2 does not fit the loss `cross_entropy` on output `y`\n  expected: numbers that sum to 1\n  \
         received: 0.25, 0.25, 0.25, with sum 0.75\n  help:     give each row numbers that sum to 1, or one class name for each sample; do \
         not scale this target"
    );
    fit(CrossEntropy::default(), shares(0.5)).unwrap();
    // As three yes/no answers they need no sum.
    fit(BinaryCrossEntropy::default(), shares(0.25)).unwrap();
    let error = fit(BinaryCrossEntropy::default(), shares(1.25)).unwrap_err().to_string();
    assert!(error.contains("in row 2") && error.contains("expected: numbers in [0, 1]\n  received: 1.25"), "{error}");
}

#[test]
fn learned_weights_are_resumed_but_are_no_part_of_the_model() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 3);
    let model = network(4, 3, false);
    let file = Scratch::new("learned");
    let trainer = || {
        Trainer::new(&model)
            .loss("y", CrossEntropy { class_weights: Weights::Learned, ..CrossEntropy::default() })
            .optimizer(Adam { lr: 0.02, ..Adam::default() })
            .batch_size(16)
            .seed(5)
    };
    let whole = trainer().fit(&train, &valid, Epochs(6)).unwrap();
    trainer().checkpoints(Checkpoints::new(&file.0).every(Every::Epochs(1.0))).fit(&train, &valid, Epochs(3)).unwrap();
    let learned = gradus_tensor::safetensors::read(&file.0).unwrap().tensors["slot:y/class_weights/logits"].to_f32();
    assert!(learned.len() == 3 && learned.iter().any(|v| v.abs() > 1e-3), "{learned:?}");
    let resumed = trainer().resume(&file.0).fit(&train, &valid, Epochs(6)).unwrap();
    assert_eq!(resumed.history, whole.history);

    let kept = ModelFile::new(&whole.state).unwrap();
    assert!(kept.tensors.keys().all(|path| path.starts_with("dense")), "{:?}", kept.tensors.keys());
    let mut state = State::<f32>::new(&model, 9);
    kept.restore(&mut state).unwrap();
    // A file's weights are judged as they were in the run: without the loss's own parameters.
    let judged = trainer().evaluate(&state, &valid).unwrap().scores["loss"];
    assert_eq!(judged, whole.evaluate(&valid).unwrap().scores["loss"]);
}
