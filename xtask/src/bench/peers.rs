//! The same cases in other frameworks, run in turn with ours: ratios of medians over rounds.
//!
//! The folder holds `train_NAME.py` programs and built Rust programs under `rust/`; each prints one JSON line per result.

use super::Options;
use super::cases::Case;
use super::measure::Timing;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Rounds, unless said otherwise.
const ROUNDS: usize = 5;

/// A program that measures a case.
struct Peer {
    program: PathBuf,
    /// Arguments before the case's name.
    before: Vec<String>,
    /// Arguments after it.
    after: Vec<String>,
}

/// Runs ours and every peer found, and prints a table.
pub fn compare(folder: &Path, cases: &[&Case], options: &Options) -> Result<(), String> {
    let folder = folder.canonicalize().map_err(|e| format!("{}: {e}", folder.display()))?;
    let own = std::env::current_exe().map_err(|e| e.to_string())?;
    let threads = options.threads.to_string();
    let mut peers = vec![Peer {
        program: own,
        before: ["bench", "--json", "--threads", &threads, "--case"].map(String::from).to_vec(),
        after: vec![],
    }];
    peers.extend(pythons(&folder, options));
    peers.extend(binaries(&folder));
    let rounds = options.rounds.unwrap_or(ROUNDS).max(1);
    println!("{} programs, {rounds} rounds, {} thread(s)", peers.len(), options.threads);
    for case in cases {
        let mut results: BTreeMap<String, Vec<Timing>> = BTreeMap::new();
        for _ in 0..rounds {
            for peer in &peers {
                for timing in measure(peer, case.name, &folder, options) {
                    if options.json {
                        println!("{}", serde_json::to_string(&timing).map_err(|e| e.to_string())?);
                    }
                    results.entry(timing.lib.clone()).or_default().push(timing);
                }
            }
        }
        print(case.name, &results)?;
    }
    Ok(())
}

/// Medians over rounds: of a step, of the 10th and 90th percentile within a run; then the slowest and fastest round.
fn print(case: &str, results: &BTreeMap<String, Vec<Timing>>) -> Result<(), String> {
    let sorted = |timings: &[Timing], figure: fn(&Timing) -> f64| {
        let mut values: Vec<f64> = timings.iter().map(figure).collect();
        values.sort_by(f64::total_cmp);
        values
    };
    let median = |timings: &[Timing], figure: fn(&Timing) -> f64| sorted(timings, figure)[timings.len() / 2];
    let mut rows: Vec<(&String, &Vec<Timing>, f64)> =
        results.iter().map(|(lib, timings)| (lib, timings, median(timings, |t| t.us_per_step))).collect();
    rows.sort_by(|a, b| a.2.total_cmp(&b.2));
    let own = rows.iter().find(|r| r.0.starts_with("gradus")).ok_or("our own program gave no result")?.2;
    println!(
        "\n{case:<6} {:<28} {:>12} {:>23} {:>23} {:>12} {:>8} {:>8}",
        "program", "µs a step", "p10–p90", "rounds, low–high", "µs processor", "ratio", "peak MB"
    );
    for (lib, timings, us) in rows {
        let each = sorted(timings, |t| t.us_per_step);
        let within = format!("{:.2}–{:.2}", median(timings, |t| t.p10), median(timings, |t| t.p90));
        let between = format!("{:.2}–{:.2}", each[0], each[each.len() - 1]);
        let memory = median(timings, |t| t.peak_rss_mb as f64);
        // Less than the time of a step where a neighbour had the processor for a while.
        let cpu = median(timings, |t| t.cpu_us);
        let cpu = if cpu > 0.0 { format!("{cpu:.2}") } else { "–".into() };
        println!("{:<6} {lib:<28} {us:>12.2} {within:>23} {between:>23} {cpu:>12} {:>8.2} {memory:>8.0}", "", us / own);
    }
    Ok(())
}

/// The results of one run; none where the program does not know the case or fails.
fn measure(peer: &Peer, case: &str, folder: &Path, options: &Options) -> Vec<Timing> {
    let mut command = pinned(&peer.program, options);
    command.args(&peer.before).arg(case).args(&peer.after).current_dir(folder).stderr(Stdio::null());
    let Ok(output) = command.output() else { return vec![] };
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|l| serde_json::from_str::<Timing>(l).ok()).filter(|t| t.case == case).collect()
}

/// A program on its processor, with as many threads as it may have and an allocator that keeps its memory.
pub fn pinned(program: &Path, options: &Options) -> Command {
    let mut command = if options.threads == 1 {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", &options.cpu.to_string()]).arg(program);
        pinned
    } else {
        Command::new(program)
    };
    for name in
        ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS", "MATMUL_NUM_THREADS"]
    {
        command.env(name, options.threads.to_string());
    }
    // Lets the C library keep large buffers between steps, which favours programs that allocate in each.
    command
        .env("MALLOC_MMAP_THRESHOLD_", "4000000000")
        .env("MALLOC_TRIM_THRESHOLD_", "8000000000")
        .env("MALLOC_TOP_PAD_", "268435456");
    command
}

/// The interpreter that has a framework.
pub fn python<'a>(name: &str, options: &'a Options) -> &'a str {
    options.pythons.iter().find_map(|p| p.strip_prefix(name)?.strip_prefix('=')).unwrap_or("python3")
}

/// The Python programs whose framework can be imported.
fn pythons(folder: &Path, options: &Options) -> Vec<Peer> {
    let threads = options.threads.to_string();
    let variants: &[(&str, &str, &[&[&str]])] = &[
        ("torch", "torch", &[&["--threads", &threads], &["--threads", &threads, "--compile"]]),
        ("jax", "jax", &[&[], &["--scan"]]),
        ("keras", "tensorflow", &[&[]]),
        ("sklearn", "sklearn", &[&[]]),
        ("numpy", "numpy", &[&[]]),
    ];
    let mut peers = vec![];
    for (name, module, variants) in variants {
        let program = PathBuf::from(python(name, options));
        let script = folder.join(format!("train_{name}.py"));
        let importable = || {
            let status =
                Command::new(&program).args(["-c", &format!("import {module}")]).stderr(Stdio::null()).status();
            status.is_ok_and(|s| s.success())
        };
        if script.exists() && importable() {
            peers.extend(variants.iter().map(|after| Peer {
                program: program.clone(),
                before: vec![script.display().to_string()],
                after: after.iter().map(ToString::to_string).collect(),
            }));
        } else {
            eprintln!(
                "skipped: {name} (no {} or no module `{module}`; name its interpreter with --python {name}=PATH)",
                script.display()
            );
        }
    }
    peers
}

/// The Rust programs that have been built.
fn binaries(folder: &Path) -> Vec<Peer> {
    let known: &[(&str, &[&[&str]])] = &[
        ("candle/target/release/candlebench", &[&[]]),
        ("burn/target/release/burnbench", &[&["flex"], &["ndarray"]]),
        ("gemm/target/release/floor", &[&[]]),
    ];
    let mut peers = vec![];
    for (path, variants) in known {
        let program = folder.join("rust").join(path);
        if program.exists() {
            peers.extend(variants.iter().map(|after| Peer {
                program: program.clone(),
                before: vec![],
                after: after.iter().map(ToString::to_string).collect(),
            }));
        } else {
            eprintln!("skipped: {} is not built", program.display());
        }
    }
    peers
}
