//! Reading the fixtures, and comparing numbers.

#![allow(dead_code)]

#[path = "../../../graph/tests/support/record.rs"]
pub mod record;

use gradus_kernels::Real;
use serde_json::Value;

/// A tensor of a fixture: its sizes and numbers.
pub fn tensor(value: &Value) -> (Vec<usize>, Vec<f64>) {
    let sizes = value["shape"].as_array().expect("a shape").iter().map(|n| n.as_u64().unwrap() as usize).collect();
    (sizes, numbers(&value["data"]))
}

/// A list of numbers.
pub fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|x| x.as_f64().unwrap()).collect()
}

/// The numbers in another precision.
pub fn cast<T: Real>(x: &[f64]) -> Vec<T> {
    x.iter().map(|&x| T::from_f64(x)).collect()
}

/// Panics unless all pairs agree within `relative·|expected| + absolute`. What is compared begins with the name of what computes it and
/// that of the case: `lstm odd: gradient/x`.
pub fn assert_close<T: Real>(what: &str, received: &[T], expected: &[f64], (relative, absolute): (f64, f64)) {
    assert_eq!(received.len(), expected.len(), "{what}: lengths");
    if let Some((subject, case)) = what.split_once(' ') {
        let case = case.split_once(':').map_or(case, |case| case.0);
        let error = record::largest(received.iter().map(|x| x.to_f64()), expected);
        record::record(&format!("pytorch {}", T::NAME), subject, case, error);
    }
    for (i, (x, &y)) in received.iter().zip(expected).enumerate() {
        let x = x.to_f64();
        let bound = relative * y.abs() + absolute;
        assert!((x - y).abs() <= bound, "{what}[{i}]: received {x:e}, expected {y:e}, off by {:e}", x - y);
    }
}

/// The agreement asked for in `f32`: 1e-5 relative and 1e-7 absolute.
pub const SINGLE: (f64, f64) = (1e-5, 1e-7);

/// The agreement asked for in `f64`: 1e-12 relative, with room for cancellation near 0.
pub const DOUBLE: (f64, f64) = (1e-12, 1e-15);
