//! Keeps the errors that tests measure, where a file is asked for: `cargo xtask agreement` makes the tables of `docs/correctness.md` of them.

use std::io::Write as _;

/// Adds a line to the file that `GRADUS_RECORD` names: what was compared with, what was checked, which case of it, how far they are apart.
pub fn record(against: &str, subject: &str, case: &str, error: f64) {
    let Some(path) = std::env::var_os("GRADUS_RECORD") else { return };
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a file to write to");
    // In one piece: tests run side by side.
    file.write_all(format!("{against}\t{subject}\t{case}\t{error:e}\n").as_bytes()).expect("room");
}

/// The largest difference, as a share of the largest number expected; in itself where that is below 1e-3.
pub fn largest(received: impl Iterator<Item = f64> + Clone, expected: &[f64]) -> f64 {
    let size = expected.iter().filter(|y| y.is_finite()).fold(0.0f64, |size, y| size.max(y.abs()));
    let error = received
        .zip(expected)
        .fold(0.0f64, |error, (x, y)| if y.is_finite() { error.max((x - y).abs()) } else { error });
    error / if size < 1e-3 { 1.0 } else { size }
}
