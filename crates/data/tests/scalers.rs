//! Transforms against scikit-learn. The figures are made by `fixtures/make_scalers.py`.

use gradus_data::{Dataset, FittedPipeline, Pipeline, Target};
use gradus_tensor::Tensor;
use serde_json::Value;

fn numbers(value: &Value) -> Vec<f32> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap() as f32).collect()
}

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/scalers.json")).unwrap()
}

fn data(values: Vec<f32>, sample: &[usize]) -> Dataset {
    let width: usize = sample.iter().product();
    let shape: Vec<usize> = std::iter::once(values.len() / width).chain(sample.iter().copied()).collect();
    Dataset::new(Tensor::new(shape, values).unwrap(), Target::None).unwrap()
}

/// Fits on one table, stores and reads what was fitted, applies it to another, and compares.
fn check(name: &str, recipe: &str, sample: &[usize]) {
    let fixture = fixture();
    let pipeline: Pipeline = serde_json::from_str(recipe).unwrap();
    let (mut train, mut other) = (numbers(&fixture["train"]), numbers(&fixture["other"]));
    if name == "log1p" {
        // It has no negative numbers to take.
        train.iter_mut().chain(&mut other).for_each(|x| *x = x.abs());
    }
    let fitted = pipeline.fit(&data(train, sample)).unwrap();
    let stored = serde_json::to_string(&fitted).unwrap();
    let read: FittedPipeline = serde_json::from_str(&stored).unwrap();
    assert_eq!(read, fitted);
    let scaled = read.apply(data(other.clone(), sample)).unwrap();
    let expected = numbers(&fixture["expected"][name]);
    assert_eq!(expected.len(), other.len());
    for (i, (found, expected)) in scaled.input_values().iter().zip(&expected).enumerate() {
        assert!((found - expected).abs() <= 2e-6 * expected.abs() + 1e-7, "{name} {i}: {found}, not {expected}");
    }
    if fitted.inputs_come_back() {
        let mut back = scaled.input_values().to_vec();
        fitted.inverse_inputs(&mut back, 4).unwrap();
        let reach = other.iter().fold(0f32, |most, x| most.max(x.abs()));
        for (found, expected) in back.iter().zip(&other) {
            assert!(
                (found - expected).abs() <= 1e-5 * expected.abs() + 1e-6 * reach,
                "{name}: {found}, not {expected}"
            );
        }
    }
}

#[test]
fn per_feature() {
    check("min_max", r#"[{ "min_max": { "low": -1.0 } }]"#, &[4]);
    check("z_score", r#"[{ "z_score": {} }]"#, &[4]);
    check("robust", r#"[{ "robust": {} }]"#, &[4]);
    check("robust_wide", r#"[{ "robust": { "quantiles": [0.1, 0.95] } }]"#, &[4]);
}

#[test]
fn per_channel_and_whole() {
    check("robust_channel", r#"[{ "robust": { "per": "channel" } }]"#, &[2, 1, 2]);
    check("z_score_whole", r#"[{ "z_score": {} }]"#, &[2, 2]);
    check("z_score_whole", r#"[{ "z_score": { "per": "whole" } }]"#, &[4]);
    check("robust", r#"[{ "robust": { "per": "feature" } }]"#, &[2, 2]);
}

#[test]
fn norms_and_logarithms() {
    for norm in ["l1", "l2", "max"] {
        let recipe = format!(r#"[{{ "unit_norm": {{ "norm": "{norm}" }} }}]"#);
        check(&format!("unit_norm_{norm}"), &recipe, &[4]);
    }
    check("log1p", r#"[{ "log1p": {} }]"#, &[4]);
}
