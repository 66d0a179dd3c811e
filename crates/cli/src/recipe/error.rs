//! What can be wrong with a recipe. Every message says where, what was expected, what was received, and what to do.

use super::document::Document;
use super::nearest;
use gradus_graph::ShapeError;
use miette::{Diagnostic, LabeledSpan, NamedSource, SourceCode};
use std::fmt;
use std::ops::Range;

/// An error in a recipe.
#[derive(Debug, thiserror::Error)]
pub enum RecipeError {
    /// The file cannot be read.
    #[error("cannot read the recipe {name}: {source}")]
    Read {
        /// The file.
        name: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The file is no text.
    #[error("{name} is not a recipe: it looks like {found}")]
    NotText {
        /// The file.
        name: String,
        /// What it looks like.
        found: String,
    },
    /// A place in the recipe is wrong.
    #[error("{}", .0.problem)]
    At(Box<Fault>),
}

/// A place that is wrong.
#[derive(Debug)]
pub struct Fault {
    problem: String,
    label: String,
    help: String,
    source: NamedSource<String>,
    place: Range<usize>,
}

impl RecipeError {
    /// An error at a place of the document.
    pub fn at(
        document: &Document,
        place: &Range<usize>,
        problem: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> RecipeError {
        let (name, text, place) = document.source(place);
        let source = NamedSource::new(name, text);
        RecipeError::At(Box::new(Fault {
            problem: problem.into(),
            label: label.into(),
            help: help.into(),
            source,
            place: visible(place),
        }))
    }

    /// An error at the value of a key path, such as `train.batch_size`.
    pub fn at_path(
        document: &Document,
        path: &str,
        problem: impl Into<String>,
        label: impl Into<String>,
        help: impl Into<String>,
    ) -> RecipeError {
        let place = document.place(path).unwrap_or(0..0);
        RecipeError::at(document, &place, problem, label, help)
    }

    /// A setting out of range, as the layers, losses and optimisers tell it. `path` is that of the member: `model.layers.1.dense`.
    pub fn setting(document: &Document, path: &str, error: &ShapeError) -> RecipeError {
        let key = error.expected.split('`').nth(1).filter(|_| error.expected.starts_with('`'));
        match key {
            Some(key) => {
                let expected = error.expected.trim_start_matches(&format!("`{key}` ")).trim_start_matches("of ");
                let problem = format!("`{path}.{key}` is {}, but must be {expected}", error.received);
                let label = format!("expected {expected}");
                RecipeError::at_path(document, &format!("{path}.{key}"), problem, label, error.help.clone())
            }
            None => {
                let problem = format!("`{path}`: expected {}, received {}", error.expected, error.received);
                RecipeError::at_path(document, path, problem, "here", error.help.clone())
            }
        }
    }

    /// The parser's message in our words: names that are unknown come with those that are known, the nearest first.
    pub(super) fn explain(document: &Document, message: &str, place: Option<Range<usize>>) -> RecipeError {
        let place = place.unwrap_or(0..0);
        if let Some((what, wrong, known)) = unknown_name(message) {
            let known: Vec<&str> = known.iter().map(String::as_str).collect();
            let label = match nearest::meant(&wrong, &known) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("not a known {what}"),
            };
            let help = match &nearest::sorted(&wrong, &known)[..] {
                [] => format!("no {what} is known here: leave it out"),
                [only] => format!("the only {what} here is `{only}`"),
                names => format!(
                    "known here: {}",
                    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
                ),
            };
            return RecipeError::at(document, &place, format!("unknown {what} `{wrong}`"), label, help);
        }
        if let Some(field) = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`')) {
            let problem = format!("the key `{field}` is missing");
            return RecipeError::at(
                document,
                &place,
                problem,
                format!("`{field}` is needed here"),
                format!("add `{field} = …`"),
            );
        }
        if let Some((received, expected)) = wrong_type(message) {
            let label = format!("expected {expected}");
            let help = format!("give {expected}");
            return RecipeError::at(document, &place, format!("expected {expected}, found {received}"), label, help);
        }
        let first = message.lines().next().unwrap_or_default().to_string();
        let rest = message.lines().skip(1).collect::<Vec<_>>().join("; ");
        let help =
            if rest.is_empty() { "correct this place; see docs/recipes.md for the format".to_string() } else { rest };
        RecipeError::at(document, &place, first, "here", help)
    }
}

/// `unknown field `x`, expected one of `a`, `b`` in its parts: what, the wrong name, the known ones.
fn unknown_name(message: &str) -> Option<(&'static str, String, Vec<String>)> {
    let (what, rest) = [("unknown field `", "key"), ("unknown variant `", "name")]
        .iter()
        .find_map(|(start, what)| Some((*what, message.strip_prefix(start)?)))?;
    let (wrong, rest) = rest.split_once('`')?;
    let known = rest.split('`').skip(1).step_by(2).map(str::to_string).collect();
    Some((what, wrong.to_string(), known))
}

/// `invalid type: string "x", expected usize` in words: received, expected.
fn wrong_type(message: &str) -> Option<(String, String)> {
    let rest = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "))?;
    let (received, expected) = rest.split_once(", expected ")?;
    let expected = match expected {
        _ if received.ends_with("i128") => "a whole number below 2⁶³".to_string(),
        "usize" | "u64" | "u32" => "a whole number of at least 0".to_string(),
        "i64" => "a whole number".to_string(),
        "f64" | "a 64-bit float" => "a number".to_string(),
        "a boolean" => "true or false".to_string(),
        "a string" => "text in quotes".to_string(),
        "a sequence" => "a list, [ … ]".to_string(),
        "map" | "a map" => "a table, { … }".to_string(),
        other if other.starts_with("struct ") => "a table of settings, { … }".to_string(),
        other if other.starts_with("enum ") => "a name, or a table with one name".to_string(),
        other => other.to_string(),
    };
    let received = match received.split_once(' ').unwrap_or((received, "")) {
        ("string", text) => format!("the text {text}"),
        ("integer" | "floating", number) => {
            let number = number.trim_start_matches("point ").trim_start_matches('`');
            format!("the number {}", number.split('`').next().unwrap_or(number))
        }
        ("boolean", value) => value.trim_matches('`').to_string(),
        ("map", _) => "a table".to_string(),
        ("sequence", _) => "a list".to_string(),
        _ => received.to_string(),
    };
    Some((received, expected))
}

/// A mark needs at least one letter to stand under.
fn visible(place: Range<usize>) -> Range<usize> {
    place.start..place.end.max(place.start + 1)
}

impl Diagnostic for RecipeError {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        match self {
            RecipeError::Read { .. } => Some(Box::new("give the path of a recipe, such as recipes/digits.toml")),
            RecipeError::NotText { .. } => Some(Box::new("a recipe is a TOML text, such as recipes/digits.toml")),
            RecipeError::At(fault) if fault.help.is_empty() => None,
            RecipeError::At(fault) => Some(Box::new(&fault.help)),
        }
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        match self {
            RecipeError::At(fault) => Some(&fault.source),
            _ => None,
        }
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        match self {
            RecipeError::At(fault) => {
                let label = LabeledSpan::new_primary_with_span(Some(fault.label.clone()), fault.place.clone());
                Some(Box::new(std::iter::once(label)))
            }
            _ => None,
        }
    }
}
