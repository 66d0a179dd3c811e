//! Training to a known result, the same with any number of threads.

mod common;

use common::{digits_model, iris_model, iris_trainer, parts};
use gradus_data::readers::Embedded;
use gradus_metrics::Metric;
use gradus_nn::losses::CrossEntropy;
use gradus_nn::optimizers::Adam;
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
fn seeds_differ_and_repeat() {
    let (train, valid) = parts(Embedded::Iris, 0.2, 1);
    let model = iris_model();
    let run = |seed| iris_trainer(&model).seed(seed).fit(&train, &valid, Epochs(2)).unwrap().history;
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}
