//! Student's t and the t-tests against scipy's, on fixtures that `fixtures/t_tests.py` writes.

use gradus_metrics::{TTest, student};
use serde_json::Value;

fn fixture(part: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("fixtures/t_tests.json")).unwrap();
    all[part].as_array().unwrap().clone()
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap()
}

#[track_caller]
fn close(received: f64, expected: f64, what: &str) {
    assert!((received - expected).abs() <= 1e-9 * expected.abs() + 1e-300, "{what}: {received}, expected {expected}");
}

#[test]
fn probabilities_and_quantiles() {
    for case in fixture("probabilities") {
        let (t, degrees) = (number(&case, "t"), number(&case, "degrees"));
        close(student::probability(t, degrees), number(&case, "p"), &format!("P(T < {t}), {degrees} degrees"));
        close(student::two_sided(t, degrees), number(&case, "two_sided"), &format!("P(|T| > {t}), {degrees} degrees"));
    }
    for case in fixture("quantiles") {
        let (p, degrees) = (number(&case, "p"), number(&case, "degrees"));
        close(student::quantile(p, degrees), number(&case, "t"), &format!("quantile {p}, {degrees} degrees"));
    }
}

#[test]
fn paired_and_corrected_tests() {
    for case in fixture("tests") {
        let numbers = |key: &str| case[key].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<_>>();
        let differences: Vec<f64> = numbers("a").iter().zip(numbers("b")).map(|(a, b)| a - b).collect();
        let rows = |key: &str| usize::try_from(case[key].as_u64().unwrap()).unwrap();
        let corrected = TTest::corrected(&differences, rows("test"), rows("train"));
        for (name, test, confidence) in [("plain", TTest::paired(&differences), 0.95), ("corrected", corrected, 0.99)] {
            let expected = &case[name];
            close(test.t, number(expected, "t"), name);
            close(test.p, number(expected, "p"), name);
            let [low, high] = test.interval(confidence);
            close(low, number(expected, "low"), name);
            close(high, number(expected, "high"), name);
        }
    }
}
