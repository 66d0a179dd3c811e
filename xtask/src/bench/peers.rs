//! The same cases in other frameworks, run in turn with ours: ratios of medians over rounds.
//!
//! The folder holds `train_NAME.py` programs and built Rust programs under `rust/`; each prints one JSON line per result.

use super::Options;
use super::cases::Case;
use super::measure::Timing;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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
    println!("{} programs, {} rounds, {} thread(s)", peers.len(), options.rounds, options.threads);
    for case in cases {
        let mut results: BTreeMap<String, Vec<f64>> = BTreeMap::new();
        for _ in 0..options.rounds {
            for peer in &peers {
                for timing in measure(peer, case.name, &folder, options) {
                    if options.json {
                        println!("{}", serde_json::to_string(&timing).map_err(|e| e.to_string())?);
                    }
                    results.entry(timing.lib).or_default().push(timing.us_per_step);
                }
            }
        }
        print(case.name, results)?;
    }
    Ok(())
}

fn print(case: &str, results: BTreeMap<String, Vec<f64>>) -> Result<(), String> {
    let median = |mut us: Vec<f64>| {
        us.sort_by(f64::total_cmp);
        us[us.len() / 2]
    };
    let mut rows: Vec<(String, f64)> = results.into_iter().map(|(lib, us)| (lib, median(us))).collect();
    rows.sort_by(|a, b| a.1.total_cmp(&b.1));
    let own = rows.iter().find(|r| r.0.starts_with("gradus")).ok_or("our own program gave no result")?.1;
    println!("\n{case:<6} {:<28} {:>12} {:>8}", "program", "µs a step", "ratio");
    for (lib, us) in rows {
        println!("{:<6} {lib:<28} {us:>12.2} {:>8.2}", "", us / own);
    }
    Ok(())
}

/// The results of one run; none where the program does not know the case or fails.
fn measure(peer: &Peer, case: &str, folder: &Path, options: &Options) -> Vec<Timing> {
    let mut command = if options.threads == 1 {
        let mut pinned = Command::new("taskset");
        pinned.args(["-c", &options.cpu.to_string()]).arg(&peer.program);
        pinned
    } else {
        Command::new(&peer.program)
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
    command.args(&peer.before).arg(case).args(&peer.after).current_dir(folder).stderr(Stdio::null());
    let Ok(output) = command.output() else { return vec![] };
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().filter_map(|l| serde_json::from_str::<Timing>(l).ok()).filter(|t| t.case == case).collect()
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
        let chosen = options.pythons.iter().find_map(|p| p.strip_prefix(name)?.strip_prefix('='));
        let program = PathBuf::from(chosen.unwrap_or("python3"));
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
