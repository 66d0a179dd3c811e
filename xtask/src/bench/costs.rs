//! What comes beside the steps: memory while training, and the time before the first step.

use super::Options;
use super::cases::{self, Case};
use super::measure::Timing;
use gradus_kernels::Isa;
use std::time::Instant;

/// Compilations of which the median counts.
const COMPILATIONS: usize = 7;

/// Prints for each case the largest resident memory of a process that trains it, less the data, and the time to build its graph with
/// gradients and updates, and to plan and compile it.
pub fn run(chosen: &[&Case], options: &Options, isa: Isa) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    println!(
        "{:<6} {:>10} {:>8} {:>12} {:>10} {:>11}",
        "case", "peak MB", "data MB", "without MB", "graph ms", "compile ms"
    );
    for case in chosen.iter().filter(|case| case.trains()) {
        let mut command = super::peers::pinned(&own, options);
        command.args(["bench", "--json", "--threads", &options.threads.to_string(), "--case", case.name]);
        let output = command.output().map_err(|e| e.to_string())?;
        let timing: Timing = serde_json::from_slice(&output.stdout).map_err(|e| format!("{}: {e}", case.name))?;
        let (peak, data) = (timing.peak_rss_mb as f64, case.data_bytes() as f64 / f64::from(1 << 20));
        let mut times: Vec<[f64; 2]> =
            (0..COMPILATIONS).map(|_| compile(case, options.threads, isa)).collect::<Result<_, _>>()?;
        let mut median = |which: usize| {
            times.sort_by(|a, b| a[which].total_cmp(&b[which]));
            times[COMPILATIONS / 2][which] * 1e3
        };
        let (graph, compiled) = (median(0), median(1));
        println!("{:<6} {peak:>10.0} {data:>8.1} {:>12.1} {graph:>10.2} {compiled:>11.2}", case.name, peak - data);
    }
    Ok(())
}

/// Seconds to build the step's graph, and to plan and compile it.
fn compile(case: &Case, threads: usize, isa: Isa) -> Result<[f64; 2], String> {
    let begun = Instant::now();
    let model = case.step()?;
    let built = begun.elapsed().as_secs_f64();
    let begun = Instant::now();
    cases::prepare(&model, case, threads, isa)?;
    Ok([built, begun.elapsed().as_secs_f64()])
}
