//! What goes where: results to standard output, progress to standard error.

use crate::failure::{Failure, Result};
use std::io::{self, IsTerminal, Write};

/// Prints text to standard output. A closed output is a quiet end, not an error.
pub fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::ClosedOutput),
        Err(error) => {
            Err(Failure::files(format!("cannot write to standard output: {error}"), "free the device or the disk"))
        }
    }
}

/// A value as one line of JSON on standard output.
pub fn print_json(value: &serde_json::Value) -> Result<()> {
    print(&format!("{value}\n"))
}

/// How wide text for people may be.
pub fn width() -> usize {
    std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok()).unwrap_or(100).clamp(40, 140)
}

/// Whether people watch the progress.
pub fn watched() -> bool {
    io::stderr().is_terminal()
}

/// A number as JSON, null where it is not finite.
pub fn number(x: f64) -> serde_json::Value {
    serde_json::Number::from_f64(x).map_or(serde_json::Value::Null, Into::into)
}

/// Prints text to standard error; nobody may be listening.
pub fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
