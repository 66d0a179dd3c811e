//! What `gradus check` finds out, one finding each.
//!
//! | read | for |
//! |---|---|
//! | [`Finding`], [`table`] | what is said, and how |
//! | [`data`](fn@data) | parts, samples in two of them, classes, features |
//! | [`net`](fn@net) | shapes, the loss at the start, memory, time |
//! | [`overfit`](fn@overfit) | whether a handful of samples can be learnt |

mod data;
mod net;
mod overfit;

pub use data::data;
pub use net::net;
pub use overfit::overfit;

use crate::report::terminal::wrapped;
use serde_json::{Value, json};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// As it should be.
    Ok,
    /// Good to know.
    Note,
    /// Perhaps a mistake.
    Warning,
    /// A mistake.
    Failed,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Warning => "warning",
            Level::Failed => "FAILED",
        }
    }
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, in a word.
    pub what: &'static str,
    /// What was found, in a sentence.
    pub text: String,
    /// The figures behind it.
    pub figures: Value,
}

impl Finding {
    /// A finding.
    pub fn new(level: Level, what: &'static str, text: impl Into<String>, figures: Value) -> Finding {
        Finding { level, what, text: text.into(), figures }
    }

    /// For machines.
    pub fn json(&self) -> Value {
        json!({ "check": self.what, "result": self.level.word().to_lowercase(), "text": self.text, "figures": self.figures })
    }
}

/// Findings below each other: result, what was looked at, what was found.
pub fn table(findings: &[Finding], width: usize) -> String {
    let mut text = String::new();
    for finding in findings {
        let head = format!("  {:7}  {:8}  ", finding.level.word(), finding.what);
        let indent = " ".repeat(head.chars().count());
        for line in wrapped(&finding.text, &head, &indent, width) {
            text += &(line + "\n");
        }
    }
    text
}

/// `1 sample`, `2 samples`; `1 class`, `2 classes`
fn counted(count: usize, noun: &str) -> String {
    let plural = if noun.ends_with('s') { format!("{noun}es") } else { format!("{noun}s") };
    format!("{count} {}", if count == 1 { noun } else { &plural })
}
