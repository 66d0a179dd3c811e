//! Every schedule against an independent implementation (see `fixtures/README.md`), and what is refused.

use gradus_nn::schedules::{Curve, Per, Plateau};
use gradus_nn::{AnySchedule, Schedule};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/schedules.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

/// The points of a schedule over some steps.
fn points(schedule: &AnySchedule, per: Per, per_epoch: u64, total: Option<u64>, steps: u64) -> Vec<f64> {
    let mut curve = Curve::new(schedule, 0.1, per, per_epoch, total, 0).unwrap();
    (0..steps).map(|step| curve.at(step).rate).collect()
}

#[test]
fn rates_and_momenta() {
    let fixture = fixture();
    let base = fixture["base"].as_f64().unwrap();
    for case in fixture["cases"].as_array().unwrap() {
        let schedule: AnySchedule = serde_json::from_value(case["schedule"].clone()).unwrap();
        schedule.check().unwrap();
        let mut curve = Curve::new(&schedule, base, Per::Step, 1, case["total"].as_u64(), 0).unwrap();
        for (t, rate) in numbers(&case["rates"]).into_iter().enumerate() {
            let point = curve.at(t as u64);
            assert!(
                (point.rate - rate).abs() <= 1e-7 * rate.abs().max(1e-3),
                "{case}: {t}: {} is not {rate}",
                point.rate
            );
            if let Some(momentum) = case["momenta"].get(t).and_then(Value::as_f64) {
                let own = point.momentum.unwrap();
                assert!((own - momentum).abs() <= 1e-7, "{case}: {t}: momentum {own} is not {momentum}");
            }
        }
    }
}

#[test]
fn every_schedule_in_the_table_has_a_case() {
    let fixture = fixture();
    let cased = |key: &str| {
        fixture["cases"].as_array().unwrap().iter().any(|c| c["schedule"].to_string().contains(&format!("\"{key}\"")))
    };
    for key in AnySchedule::KEYS.iter().filter(|&&key| !["noisy_linear_cosine", "plateau"].contains(&key)) {
        assert!(cased(key), "{key}");
    }
}

#[test]
fn cuts_on_a_plateau() {
    let fixture = fixture();
    let values = numbers(&fixture["values"]);
    for case in fixture["plateaus"].as_array().unwrap() {
        let plateau: Plateau = serde_json::from_value(case["settings"].clone()).unwrap();
        let lower = case["lower"].as_bool().unwrap();
        let cuts: Vec<u64> = (1..=values.len()).map(|n| plateau.cuts(values[..n].iter().copied(), lower)).collect();
        let expected: Vec<u64> = numbers(&case["cuts"]).into_iter().map(|c| c as u64).collect();
        assert_eq!(cuts, expected, "{case}");
    }
}

#[test]
fn the_noise_has_the_stated_variance_and_no_rate_is_negative() {
    let settings = r#"{ "noisy_linear_cosine": { "length": 1e9, "variance": 0.01, "decay": 0.0, "beta": 0.0 } }"#;
    let schedule: AnySchedule = serde_json::from_str(settings).unwrap();
    let rates = points(&schedule, Per::Step, 1, None, 4000);
    let mean = rates.iter().sum::<f64>() / 4000.0;
    let sd = (rates.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / 3999.0).sqrt();
    assert!((mean - 0.1).abs() < 5.0 * 0.01 / 4000f64.sqrt(), "{mean}");
    assert!((sd - 0.01).abs() < 5.0 * 0.01 / 8000f64.sqrt(), "{sd}");
    let wild = settings.replace("0.01", "100.0");
    let schedule: AnySchedule = serde_json::from_str(&wild).unwrap();
    assert!(points(&schedule, Per::Step, 1, None, 500).iter().all(|&rate| rate >= 0.0));
}

#[test]
fn time_counts_steps_epochs_or_both() {
    let step: AnySchedule = serde_json::from_str(r#"{ "step": { "every": 2, "gamma": 0.5 } }"#).unwrap();
    // 7 steps in an epoch: a number whose fractions are rounded.
    let rates = points(&step, Per::Epoch, 7, None, 42);
    assert_eq!(rates, points(&step, Per::Fraction, 7, None, 42));
    assert!(rates[..14].iter().all(|&r| r == 0.1) && rates[14..28].iter().all(|&r| r == 0.05) && rates[28] == 0.025);
    let cosine: AnySchedule = serde_json::from_str(r#"{ "cosine": {} }"#).unwrap();
    let whole = points(&cosine, Per::Step, 7, Some(42), 43);
    let fraction = points(&cosine, Per::Fraction, 7, Some(42), 43);
    assert!(whole.iter().zip(&fraction).all(|(a, b)| (a - b).abs() < 1e-12) && whole[42].abs() < 1e-12);
    let epochs = points(&cosine, Per::Epoch, 7, Some(42), 42);
    assert!(epochs.chunks(7).all(|epoch| epoch.iter().all(|r| r == &epoch[0])));
    assert!((epochs[7] - whole[7]).abs() < 1e-12);
}

#[test]
fn boundaries_of_a_run_in_fractions_hold_to_the_step() {
    let multi: AnySchedule =
        serde_json::from_str(r#"{ "multi_step": { "boundaries": [1, 2, 3], "gamma": 0.5 } }"#).unwrap();
    for per_epoch in [3, 7, 49, 844, 1875] {
        let rates = points(&multi, Per::Fraction, per_epoch, None, 4 * per_epoch);
        for (epoch, part) in rates.chunks(per_epoch as usize).enumerate() {
            assert!(part.iter().all(|&r| r == 0.1 * 0.5f64.powi(epoch as i32)), "{per_epoch} {epoch}");
        }
    }
}

#[test]
fn settings_out_of_range_are_refused() {
    for (settings, expected) in [
        (r#"{ "multi_step": { "boundaries": [3, 2] } }"#, "`boundaries` above 0 and in rising order"),
        (r#"{ "multi_step": { "boundaries": [] } }"#, "at least one number in `boundaries`"),
        (r#"{ "piecewise": { "boundaries": [1, 2], "values": [0.1] } }"#, "3 `values` for 2 boundaries"),
        (r#"{ "step": { "every": 0 } }"#, "`every` above 0"),
        (r#"{ "cosine": { "length": -1 } }"#, "`length` above 0"),
        (r#"{ "chain": { "parts": [] } }"#, "at least one schedule in `parts`"),
        (
            r#"{ "chain": { "parts": [{ "cosine": {} }, { "plateau": {} }], "boundaries": [2] } }"#,
            "parts that neither wait",
        ),
        (r#"{ "warm_up": { "length": 0 } }"#, "`length` above 0"),
        (r#"{ "one_cycle": { "three_phase": true, "rise": 0.6 } }"#, "`rise` above 0 and below 0.5"),
    ] {
        let schedule: AnySchedule = serde_json::from_str(settings).unwrap();
        let error = schedule.check().unwrap_err();
        assert!(error.expected.starts_with(expected), "{settings}: {}", error.expected);
    }
    let endless = Curve::new(&AnySchedule::from(gradus_nn::schedules::Cosine::default()), 0.1, Per::Step, 1, None, 0);
    let error = endless.err().unwrap().to_string();
    assert!(error.contains("a run whose number of steps is known"), "{error}");
}
