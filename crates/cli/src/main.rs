//! The `gradus` command.

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        eprintln!("gradus: internal error: {panic}");
        eprintln!("  This is a bug of Gradus, not of yours: nothing you give it should lead here.");
        eprintln!(
            "  Please report it with the command, the recipe, and the lines above (RUST_BACKTRACE=1 adds details)."
        );
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0") {
            eprintln!("{}", std::backtrace::Backtrace::force_capture());
        }
    }));
    let command = gradus_cli::commands::Gradus::parse();
    match command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.print();
            ExitCode::from(failure.code())
        }
    }
}
