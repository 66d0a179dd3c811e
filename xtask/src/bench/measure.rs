//! Timing: medians over chunks of about 40 ms, after a warm-up.

use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Seconds of measuring.
pub const SECONDS: f64 = 2.5;

/// One result, in the line format that the other frameworks' programs print too.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Timing {
    /// Which program.
    pub lib: String,
    /// Which case.
    pub case: String,
    /// Median wall time of a step in microseconds.
    pub us_per_step: f64,
    /// Tenth percentile.
    #[serde(default)]
    pub p10: f64,
    /// Ninetieth percentile.
    #[serde(default)]
    pub p90: f64,
    /// Processor time of a step in microseconds; 0 where it is not known.
    #[serde(default)]
    pub cpu_us: f64,
    /// Samples a second.
    #[serde(default)]
    pub samples_per_s: f64,
    /// Largest resident memory in MiB; 0 where it is not known.
    #[serde(default)]
    pub peak_rss_mb: u64,
    /// The first step with all that it waits for, in seconds.
    #[serde(default)]
    pub first_step_s: f64,
}

/// Times `run(n)`, which does `n` steps, for so many seconds after a third of them as a warm-up: microseconds a step of each chunk, processor
/// time a step, seconds of the first step.
pub fn steps(seconds: f64, mut run: impl FnMut(usize)) -> (Vec<f64>, f64, f64) {
    let start = Instant::now();
    run(1);
    let first = start.elapsed().as_secs_f64();
    let (mut n, warm) = (1usize, Instant::now());
    while warm.elapsed().as_secs_f64() < seconds / 3.0 {
        let start = Instant::now();
        run(n);
        let taken = start.elapsed().as_secs_f64();
        if taken < 0.04 {
            n = (n * 2).min((n + 1).max((n as f64 * 0.04 / taken.max(1e-7)) as usize));
        }
    }
    let (mut us, begin, cpu) = (vec![], Instant::now(), cpu_us());
    while begin.elapsed().as_secs_f64() < seconds || us.len() < 7 {
        let start = Instant::now();
        run(n);
        us.push(start.elapsed().as_secs_f64() / n as f64 * 1e6);
    }
    let cpu = (cpu_us() - cpu) / (us.len() * n) as f64;
    (us, cpu, first)
}

/// Times single calls.
pub fn calls(mut call: impl FnMut()) -> Vec<f64> {
    let mut us = vec![];
    for _ in 0..20_000 {
        let start = Instant::now();
        call();
        us.push(start.elapsed().as_secs_f64() * 1e6);
    }
    us.split_off(2_000)
}

impl Timing {
    /// Sums up measured times.
    pub fn new(lib: String, case: &str, batch: usize, mut us: Vec<f64>, cpu_us: f64, first_step_s: f64) -> Timing {
        us.sort_by(f64::total_cmp);
        let quantile = |q: f64| us[((us.len() - 1) as f64 * q).round() as usize];
        Timing {
            lib,
            case: case.into(),
            us_per_step: quantile(0.5),
            p10: quantile(0.1),
            p90: quantile(0.9),
            cpu_us,
            samples_per_s: batch as f64 / quantile(0.5) * 1e6,
            peak_rss_mb: peak_rss_mb(),
            first_step_s,
        }
    }
}

/// User and system time of this process, where the system tells it (Linux, in ticks of 10 ms).
fn cpu_us() -> f64 {
    let ticks = || {
        let text = std::fs::read_to_string("/proc/self/stat").ok()?;
        let fields: Vec<&str> = text[text.rfind(')')? + 2..].split(' ').collect();
        Some(fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?)
    };
    ticks().unwrap_or(0.0) * 1e4
}

fn peak_rss_mb() -> u64 {
    let peak = || {
        let text = std::fs::read_to_string("/proc/self/status").ok()?;
        text.lines().find(|l| l.starts_with("VmHWM"))?.split_whitespace().nth(1)?.parse::<u64>().ok()
    };
    peak().unwrap_or(0) / 1024
}
