//! Times training steps on small standard networks, and sets them beside other frameworks.
//!
//! | case | network | batch |
//! |---|---|---|
//! | A | 1-4-1 regression, sigmoid, SGD | 10 |
//! | B | 2-3-1 binary classification, sigmoid, SGD | 5 |
//! | C | 14-32-16-8-4-1 binary classification, ReLU, SGD | 16 |
//! | D | 784-128-64-32-16-10 classification, ReLU, SGD | 64 |
//! | E64, E256 | 784-200-10 classification, sigmoid, Adam | 64, 256 |
//! | F | 28×28 images: convolutions of 8 and 16 filters with pooling, 32-10, ReLU, momentum | 64 |
//! | G | 32×32 colour images: residual net of eight layers, batch norm, momentum | 64 |
//! | H | one prediction of D | 1 |

mod answers;
mod cases;
mod costs;
mod extras;
mod measure;
mod onnx;
mod peers;
mod profile;
mod sweep;
mod updates;

use cases::Case;
use clap::Args;
use gradus_kernels::{Isa, Machine, Pool};
use std::path::{Path, PathBuf};

/// What to measure.
#[derive(Args)]
pub struct Options {
    /// A, B, C, D, E64, E256, F, G or H; all of them if left out. May be given several times.
    #[arg(long = "case")]
    cases: Vec<String>,
    /// Threads of a step.
    #[arg(long, default_value_t = 1)]
    threads: usize,
    /// JSON lines instead of a table.
    #[arg(long)]
    json: bool,
    /// An instruction set other than the best one of this processor: portable, avx2 or avx512.
    #[arg(long)]
    isa: Option<Isa>,
    /// Print each case's schedule instead of timing it.
    #[arg(long)]
    plan: bool,
    /// Print the time of each kernel of the case's step, with its share of a step and of the machine's limits, instead of timing the whole.
    #[arg(long)]
    profile: bool,
    /// A folder of programs that measure the same cases in other frameworks, to run in turn with ours. With --sweep: torch, jax or both.
    #[arg(long)]
    vs: Option<String>,
    /// Nets of many sizes instead of the cases, and a list of those where a program of --vs is faster.
    #[arg(long)]
    sweep: Option<sweep::Sweep>,
    /// Predictions of the ONNX models of a folder, alone and 64 at once, instead of the cases; with --vs: onnxruntime, tract or both.
    #[arg(long, value_name = "FOLDER")]
    onnx: Option<PathBuf>,
    /// The program that measures tract, built from xtask/peers/tract.
    #[arg(long, value_name = "PROGRAM")]
    tract: Option<PathBuf>,
    /// PyTorch's compiler instead of its eager mode, with --sweep.
    #[arg(long)]
    compile: bool,
    /// Our own part of a sweep, as lines of JSON.
    #[arg(long, hide = true)]
    worker: bool,
    /// The interpreter that has a framework, as in `torch=venv/bin/python`. May be given several times.
    #[arg(long = "python", value_name = "NAME=PATH")]
    pythons: Vec<String>,
    /// How many times each program runs with --vs: 5 unless said otherwise; 1 in a sweep.
    #[arg(long)]
    rounds: Option<usize>,
    /// The largest memory of each case without its data, and the time to build its graph and to compile it.
    #[arg(long)]
    costs: bool,
    /// What each refinement of training (a penalty, clipping, a schedule) adds to a step of the cases, in turn with the plain step.
    #[arg(long)]
    extras: bool,
    /// The time of every optimiser's step over this many parameters, beside the time that memory needs for it.
    #[arg(long, value_name = "PARAMETERS")]
    optimizers: Option<usize>,
    /// The processor that one-thread programs are pinned to with --vs.
    #[arg(long, default_value_t = 0)]
    cpu: usize,
}

/// Runs the benchmark.
pub fn run(options: &Options) -> Result<(), String> {
    let chosen: Vec<&Case> = if options.cases.is_empty() {
        cases::CASES.iter().collect()
    } else {
        options.cases.iter().map(|name| cases::find(name)).collect::<Result<_, _>>()?
    };
    let isa = options.isa.unwrap_or_else(Isa::detect);
    if !isa.is_available() {
        return Err(format!("this processor has no {isa}"));
    }
    if let Some(sweep) = options.sweep {
        return sweep::run(sweep, options, isa);
    }
    if let Some(folder) = &options.onnx {
        return onnx::run(folder, options);
    }
    if let Some(folder) = &options.vs {
        return peers::compare(Path::new(folder), &chosen, options);
    }
    if let Some(parameters) = options.optimizers {
        return updates::run(parameters, options.threads, isa);
    }
    if options.costs {
        return costs::run(&chosen, options, isa);
    }
    if options.extras {
        return match options.plan {
            true => extras::plans(&chosen, options.threads, isa),
            false => extras::run(&chosen, options.threads, isa, options.rounds.unwrap_or(3)),
        };
    }
    if options.plan {
        for case in chosen {
            println!("{}\n{}", case.name, case.plan(|step| step, options.threads, isa)?);
        }
        return Ok(());
    }
    if options.profile {
        let machine = Machine::measure(isa, &Pool::new(options.threads));
        profile::print_machine(&machine);
        return chosen.into_iter().try_for_each(|case| {
            println!("{}", case.name);
            profile::print(&case.profile(options.threads, isa)?, &machine);
            Ok(())
        });
    }
    if !options.json {
        println!("{:<6} {:>12} {:>12} {:>12} {:>12}", "case", "µs a step", "p10", "p90", "samples/s");
    }
    for case in chosen {
        let result = case.measure(options.threads, isa)?;
        if options.json {
            println!("{}", serde_json::to_string(&result).map_err(|e| e.to_string())?);
        } else {
            let (name, us, p10, p90) = (&result.case, result.us_per_step, result.p10, result.p90);
            println!("{name:<6} {us:>12.2} {p10:>12.2} {p90:>12.2} {:>12.0}", result.samples_per_s);
        }
    }
    Ok(())
}
