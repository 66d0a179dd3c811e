//! Developer commands: `cargo xtask bench` measures training steps, alone or beside other frameworks; `cargo xtask docs` and `cargo xtask
//! agreement` make the tables of the manual; `cargo xtask exported` trains and exports every recipe.

mod agreement;
mod bench;
mod exported;
mod manual;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(about = "Developer commands of Gradus")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Times training steps on the standard cases; one JSON line per result with --json.
    Bench(bench::Options),
    /// Runs the tests that compare with differences and with PyTorch, and writes the errors they measure into docs/correctness.md.
    Agreement,
    /// Trains every recipe for some steps and exports it with samples, for crates/onnx/tests/fixtures/onnxruntime_agrees.py.
    Exported(exported::Options),
    /// Writes the tables of settings into the pages of docs/; with --check it only says whether they are up to date.
    Docs {
        /// Change nothing; fail where a page is not up to date.
        #[arg(long)]
        check: bool,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Agreement => agreement::run(),
        Command::Bench(options) => bench::run(&options),
        Command::Exported(options) => exported::run(&options),
        Command::Docs { check } => manual::run(check),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}
