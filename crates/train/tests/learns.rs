//! Training to a known result, the same with any number of threads.

mod common;

use common::{digits_model, iris_model, iris_trainer, parts};
use gradus_data::readers::Embedded;
use gradus_data::{Dataset, Target};
use gradus_graph::Graph;
use gradus_metrics::Metric;
use gradus_nn::activations::Relu;
use gradus_nn::layers::{Activation, BatchNorm, Dense, Flatten, MultiSampleDropout};
use gradus_nn::losses::{BinaryCrossEntropy, CrossEntropy, Mse};
use gradus_nn::optimizers::{Adam, Sgd};
use gradus_nn::{LayerExt, seq};
use gradus_tensor::Tensor;
use gradus_train::{Epochs, Outcome, Trainer};

#[test]
fn digits_are_learned() {
    let (train, valid) = parts(Embedded::Digits, 0.2, 7);
    let model = digits_model();
    let outcome = Trainer::new(&model)
        .loss("digit", CrossEntropy::default())
        .optimizer(Adam { lr: 3e-3, ..Adam::default() })
        .metric("digit", Metric::Accuracy)
        .metric("digit", Metric::F1Macro)
        .fit(&train, &valid, Epochs(20))
        .unwrap();
    assert_eq!((outcome.stopped_by.as_str(), outcome.epochs, outcome.steps), ("epochs", 20.0, 20 * 45));
    assert_eq!(outcome.history.len(), 20);
    let evaluation = outcome.evaluate(&valid).unwrap();
    assert!(evaluation.scores["accuracy"] > 0.97, "{:?}", evaluation.scores);
    assert_eq!(outcome.scores().unwrap().1, Some(&evaluation.scores));
    let matrix = evaluation.confusion.unwrap();
    assert_eq!((matrix.total(), matrix.accuracy()), (359, evaluation.scores["accuracy"]));

    let mut predictor = outcome.predictor("digit").unwrap();
    let probabilities = predictor.predict(valid.input_values()).unwrap();
    let right = probabilities
        .chunks_exact(10)
        .zip(valid.labels().unwrap())
        .filter(|(p, label)| gradus_metrics::argmax(p) == **label as usize)
        .count();
    assert_eq!(right as u64, matrix.correct());
    assert!(outcome.history[19].train["accuracy"] > 0.99);
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
}

#[test]
fn normalised_networks_and_several_masks_learn_and_predict_folded() {
    let (train, valid) = parts(Embedded::Digits, 0.2, 7);
    let g = Graph::new();
    let hidden = seq![Flatten, Dense::new(48).no_bias(), BatchNorm::default(), Activation::new(Relu)];
    let y = g.input("image", [8, 8]).layer(hidden).layer(MultiSampleDropout::new(0.3, 4, Dense::new(10)));
    let model = g.model(&[("digit", &y)]).unwrap();
    let outcome = Trainer::new(&model)
        .loss("digit", CrossEntropy::default())
        .optimizer(Adam { lr: 3e-3, ..Adam::default() })
        .metric("digit", Metric::Accuracy)
        .fit(&train, &valid, Epochs(10))
        .unwrap();
    let evaluation = outcome.evaluate(&valid).unwrap();
    assert!(evaluation.scores["accuracy"] > 0.95, "{:?}", evaluation.scores);
    // The predictor's model is folded, the evaluation's is not.
    let probabilities = outcome.predictor("digit").unwrap().predict(valid.input_values()).unwrap();
    let loss = probabilities
        .chunks_exact(10)
        .zip(valid.labels().unwrap())
        .map(|(p, label)| -f64::from(p[*label as usize]).ln())
        .sum::<f64>()
        / valid.len() as f64;
    assert!((loss - evaluation.scores["loss"]).abs() < 1e-5, "{loss} and {}", evaluation.scores["loss"]);
}

#[test]
fn threads_do_not_change_a_bit() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 1);
    let model = iris_model();
    let run = |threads| iris_trainer(&model).threads(threads).fit(&train, &valid, Epochs(5)).unwrap();
    same(&run(1), &run(2));

    let (train, valid) = parts(Embedded::Digits, 0.2, 1);
    let model = digits_model();
    let run = |threads| {
        Trainer::new(&model)
            .loss("digit", CrossEntropy::default())
            .threads(threads)
            .fit(&train, &valid, Epochs(2))
            .unwrap()
    };
    same(&run(1), &run(3));
}

fn same(a: &Outcome, b: &Outcome) {
    assert_eq!(a.history, b.history);
    for ((variable, x), (_, y)) in a.last.variables().zip(b.last.variables()) {
        assert!(x.iter().zip(y).all(|(x, y)| x.to_bits() == y.to_bits()), "{}", variable.path);
    }
}

#[test]
fn a_line_is_fitted() {
    // y = (3x + 1, -x) on 300 points.
    let x: Vec<f32> = (0..300).map(|i| i as f32 / 300.0).collect();
    let y = x.iter().flat_map(|x| [3.0 * x + 1.0, -x]).collect::<Vec<f32>>();
    let target = Target::from_values(Tensor::new([300, 2], y.clone()).unwrap(), None).unwrap();
    let data = Dataset::new(Tensor::vector(x), target).unwrap();
    let g = Graph::new();
    let model = g.model(&[("y", &g.input("x", [1]).layer(Dense::new(2)))]).unwrap();
    let metrics = [Metric::Mse, Metric::Rmse, Metric::Mae, Metric::R2];
    let trainer = Trainer::new(&model).loss("y", Mse { half: true, ..Mse::default() });
    let mut trainer = metrics.into_iter().fold(trainer, |trainer, metric| trainer.metric("y", metric));
    trainer = trainer.optimizer(Sgd { lr: 0.5, ..Sgd::default() });
    let outcome = trainer.fit(&data, &data, Epochs(200)).unwrap();
    let scores = outcome.evaluate(&data).unwrap().scores;
    assert!(scores["r2"] > 0.999_99 && scores["mse"] < 1e-6, "{scores:?}");
    assert!((scores["rmse"] - scores["mse"].sqrt()).abs() < 1e-12);
    assert!((scores["loss"] - scores["mse"] / 2.0).abs() < 1e-6 * scores["loss"]);
    assert!(outcome.evaluate(&data).unwrap().confusion.is_none());
    let names: Vec<&str> = outcome.history[0].train.iter().map(|s| s.0).collect();
    assert_eq!(names, ["loss", "mae", "mse", "rmse"]);

    let predicted = outcome.predictor("y").unwrap().threads(2).unwrap().predict(data.input_values()).unwrap();
    let mae = predicted.iter().zip(&y).map(|(p, y)| f64::from((p - y).abs())).sum::<f64>() / 600.0;
    assert!((scores["mae"] - mae).abs() < 1e-6 * mae, "{} {mae}", scores["mae"]);
}

#[test]
fn two_classes_on_one_output() {
    // Class 1 lies above the diagonal of the unit square.
    let points: Vec<f32> = (0..400).flat_map(|i| [(i % 20) as f32 / 20.0, (i / 20) as f32 / 20.0 + 0.025]).collect();
    let labels: Vec<f64> = points.chunks(2).map(|p| f64::from(u8::from(p[1] > p[0]))).collect();
    let target = Target::from_numbers(&labels, None).unwrap();
    let data = Dataset::new(Tensor::new([400, 2], points).unwrap(), target).unwrap();
    let g = Graph::new();
    let model = g.model(&[("above", &g.input("x", [2]).layer(Dense::new(1)))]).unwrap();
    let mut trainer = Trainer::new(&model)
        .loss("above", BinaryCrossEntropy::default())
        .optimizer(Adam { lr: 0.1, ..Adam::default() })
        .metric("above", Metric::Accuracy)
        .metric("above", Metric::Auc);
    let outcome = trainer.fit(&data, &data, Epochs(30)).unwrap();
    let evaluation = outcome.evaluate(&data).unwrap();
    assert!(evaluation.scores["accuracy"] > 0.97 && evaluation.scores["auc"] > 0.99, "{:?}", evaluation.scores);
    assert_eq!(evaluation.confusion.unwrap().accuracy(), evaluation.scores["accuracy"]);
    let probabilities = outcome.predictor("above").unwrap().predict(data.input_values()).unwrap();
    let right = probabilities.iter().zip(&labels).filter(|(p, label)| (**p > 0.5) == (**label > 0.5)).count();
    assert_eq!(right as f64 / 400.0, evaluation.scores["accuracy"]);
}

#[test]
fn seeds_differ_and_repeat() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 1);
    let model = iris_model();
    let run = |seed| iris_trainer(&model).seed(seed).fit(&train, &valid, Epochs(2)).unwrap().history;
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
