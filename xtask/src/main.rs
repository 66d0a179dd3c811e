//! Developer commands: `cargo xtask bench` measures training steps, alone or beside other frameworks.

mod bench;

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
}

fn main() -> ExitCode {
    let Command::Bench(options) = Cli::parse().command;
    match bench::run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}
