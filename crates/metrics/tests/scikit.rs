//! Every figure against scikit-learn's, on fixtures that `fixtures/make.py` writes.

use gradus_metrics::information::{conditional_entropy, entropy, mutual_information};
use gradus_metrics::{Binary, ConfusionMatrix, Evaluator, Metric, Regression, Task, TopK};
use serde_json::Value;

fn fixture(part: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("fixtures/scikit.json")).unwrap();
    all[part].as_array().unwrap().clone()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn indices(value: &Value) -> Vec<usize> {
    value.as_array().unwrap().iter().map(|v| usize::try_from(v.as_u64().unwrap()).unwrap()).collect()
}

#[track_caller]
fn close(received: f64, expected: &Value, what: &str) {
    let expected = expected.as_f64().unwrap_or_else(|| panic!("{what}: no such figure in the fixture"));
    assert!((received - expected).abs() <= 1e-10 * expected.abs().max(1.0), "{what}: {received}, expected {expected}");
}

#[test]
fn classification() {
    for case in fixture("classes") {
        let classes = usize::try_from(case["classes"].as_u64().unwrap()).unwrap();
        let (probabilities, labels) = (numbers(&case["probabilities"]), indices(&case["labels"]));
        let metrics: Vec<Metric> =
            Task::Classes(classes).metrics().filter(|m| !matches!(m, Metric::TopK { .. })).collect();
        let mut evaluator = Evaluator::new(Task::Classes(classes), &metrics).unwrap();
        for (p, y) in probabilities.chunks(7 * classes).zip(labels.chunks(7)) {
            evaluator.add_classes(p, y).unwrap();
        }
        let matrix = evaluator.confusion().unwrap();
        assert_eq!(serde_json::to_value(&matrix).unwrap(), case["confusion"]);
        let mut again = ConfusionMatrix::new(classes).unwrap();
        again.extend(&labels, &indices(&case["predicted"])).unwrap();
        assert_eq!(again, matrix);

        let mut compared = 0;
        for (metric, value) in evaluator.values().unwrap() {
            if let Some(expected) = case.get(metric.name()) {
                close(value, expected, metric.name());
                compared += 1;
            }
        }
        assert!(compared >= 11, "only {compared} figures compared");
        for (class, expected) in case["per_class"].as_array().unwrap().iter().enumerate() {
            let scores = matrix.scores(class);
            close(scores.precision, &expected[0], "precision");
            close(scores.recall, &expected[1], "recall");
            close(scores.f1, &expected[2], "f1");
            close(scores.support as f64, &expected[3], "support");
        }
        for (k, expected) in case["top"].as_object().unwrap() {
            let mut top = TopK::new(k.parse().unwrap()).unwrap();
            top.extend(&numbers(&case["scores"]), &labels, classes).unwrap();
            close(top.value(), expected, "top-k");
        }
    }
}

#[test]
fn binary() {
    for case in fixture("binary") {
        let positive: Vec<bool> = case["positive"].as_array().unwrap().iter().map(|v| v.as_bool().unwrap()).collect();
        let probabilities = numbers(&case["probabilities"]);
        let metrics = [Metric::Accuracy, Metric::Precision, Metric::Recall, Metric::F1, Metric::LogLoss, Metric::Auc];
        let mut evaluator = Evaluator::new(Task::Binary, &metrics).unwrap();
        for (p, y) in probabilities.chunks(9).zip(positive.chunks(9)) {
            evaluator.add_binary(p, y).unwrap();
        }
        for (metric, value) in evaluator.values().unwrap() {
            close(value, &case[metric.name()], metric.name());
        }
        let mut binary = Binary::default();
        binary.extend(&probabilities, &positive).unwrap();
        close(binary.confusion(0.3).accuracy(), &case["accuracy_at_0.3"], "accuracy at 0.3");
    }
}

#[test]
fn regression() {
    for case in fixture("regression") {
        let outputs = usize::try_from(case["outputs"].as_u64().unwrap()).unwrap();
        let (predicted, truth) = (numbers(&case["predicted"]), numbers(&case["truth"]));
        let metrics: Vec<Metric> = Task::Values(outputs).metrics().collect();
        let mut evaluator = Evaluator::new(Task::Values(outputs), &metrics).unwrap();
        for (p, y) in predicted.chunks(11 * outputs).zip(truth.chunks(11 * outputs)) {
            evaluator.add_values(p, y).unwrap();
        }
        assert_eq!(metrics.len(), 6);
        for (metric, value) in evaluator.values().unwrap() {
            close(value, &case[metric.name()], metric.name());
        }
        let mut errors = Regression::new(outputs).unwrap();
        errors.extend(&predicted, &truth).unwrap();
        for output in 0..outputs {
            close(errors.r2_of(output), &case["r2_of"][output], "r2 of one output");
        }
    }
}

#[test]
fn information() {
    for case in fixture("information") {
        let columns = usize::try_from(case["columns"].as_u64().unwrap()).unwrap();
        let joint = numbers(&case["joint"]);
        let shared = mutual_information(&joint, columns).unwrap();
        close(shared, &case["mutual_information"], "mutual information");
        let of_columns: Vec<f64> = (0..columns).map(|y| joint.iter().skip(y).step_by(columns).sum()).collect();
        let whole = entropy(&of_columns).unwrap();
        close(whole, &case["entropy_of_columns"], "entropy");
        assert!((conditional_entropy(&joint, columns).unwrap() + shared - whole).abs() < 1e-12);
    }
}
