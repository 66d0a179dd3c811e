//! The families' documentation, for programs to show: what `gradus explain` prints, and the tables of settings in the manual.
//!
//! It is read from the members' own sources, which the tables keep: there is one text only.

use crate::table::Page;
use std::fmt;

/// What is to be said of a member of a family.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Its key in a recipe.
    pub key: &'static str,
    /// What it is: paragraphs of Markdown.
    pub text: String,
    /// Its settings in order.
    pub settings: Vec<Setting>,
}

/// One setting of a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Setting {
    /// Its key.
    pub name: String,
    /// What kind of value it takes.
    pub kind: String,
    /// Its default, as a recipe writes it; `None` where it must be given or is off.
    pub default: Option<String>,
    /// What it does.
    pub text: String,
}

/// A family by name, with what is known of its members.
pub type Family = (&'static str, &'static [Page]);

/// The families of this crate, as a recipe meets them.
pub const FAMILIES: &[Family] = &[
    ("layers", crate::AnyLayer::PAGES),
    ("models", crate::models::AnyModel::PAGES),
    ("activations", crate::AnyActivation::PAGES),
    ("init", crate::AnyInit::PAGES),
    ("losses", crate::AnyLoss::PAGES),
    ("regularizers", crate::AnyRegularizer::PAGES),
    ("optimizers", crate::AnyOptimizer::PAGES),
    ("clips", crate::AnyClip::PAGES),
    ("schedules", crate::AnySchedule::PAGES),
];

/// Explains a member from its source.
///
/// ```
/// use gradus_nn::{AnyOptimizer, explain::explain};
/// let page = AnyOptimizer::PAGES.iter().find(|page| page.key == "adam_w").unwrap();
/// let explanation = explain(page);
/// assert!(explanation.text.starts_with("Adam with decoupled weight decay"));
/// assert_eq!(explanation.settings[0].name, "lr");
/// assert_eq!(explanation.settings[0].default.as_deref(), Some("0.001"));
/// ```
pub fn explain(page: &Page) -> Explanation {
    let lines: Vec<&str> = page.source.lines().map(str::trim).collect();
    let head = format!("pub struct {}", page.name);
    let starts =
        |line: &&&str| line.strip_prefix(&head).is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
    let Some(at) = lines.iter().position(|line| starts(&line)) else {
        return Explanation { key: page.key, text: String::new(), settings: vec![] };
    };
    let example = (page.example)();
    let settings = if lines[at].ends_with('{') { settings(&lines[at + 1..], &example) } else { vec![] };
    Explanation { key: page.key, text: prose(&docs_before(&lines, at)), settings }
}

/// The documentation comment above a line, past attributes.
fn docs_before<'a>(lines: &[&'a str], at: usize) -> Vec<&'a str> {
    let above = lines[..at].iter().rev().take_while(|line| line.starts_with("///") || line.starts_with("#["));
    let mut docs: Vec<&str> = above.filter_map(|line| line.strip_prefix("///")).collect();
    docs.reverse();
    docs.into_iter().map(|line| line.strip_prefix(' ').unwrap_or(line)).collect()
}

/// The public fields of a struct, from the line after its head.
fn settings(lines: &[&str], example: &serde_json::Value) -> Vec<Setting> {
    let end = lines.iter().position(|line| *line == "}").unwrap_or(lines.len());
    let mut settings = vec![];
    for (at, line) in lines[..end].iter().enumerate() {
        let Some((name, kind)) =
            line.strip_prefix("pub ").and_then(|field| field.trim_end_matches(',').split_once(": "))
        else {
            continue;
        };
        let default = example.get(name).map(written);
        settings.push(Setting {
            name: name.into(),
            kind: in_words(kind),
            default,
            text: prose(&docs_before(lines, at)),
        });
    }
    settings
}

/// A Rust type as a writer of recipes knows it.
fn in_words(kind: &str) -> String {
    let inner = |prefix: &str| kind.strip_prefix(prefix).and_then(|rest| rest.strip_suffix('>'));
    if let Some(kind) = inner("Option<").or_else(|| inner("Box<")) {
        return in_words(kind);
    }
    if let Some(kind) = inner("Vec<") {
        return format!("list: {}", in_words(kind));
    }
    let known = match kind {
        "f64" => "number",
        "usize" | "u64" | "i64" | "isize" => "whole number",
        "[usize; 2]" => "pair of whole numbers",
        "bool" => "true or false",
        "String" => "text",
        "AnyActivation" => "activation",
        "AnyInit" => "initialisation",
        "AnyLayer" => "layer",
        "AnySchedule" => "schedule",
        "AnyRegularizer" => "penalty",
        _ => "name",
    };
    known.into()
}

/// A value as a recipe writes it.
fn written(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Array(items) => format!("[{}]", items.iter().map(written).collect::<Vec<_>>().join(", ")),
        serde_json::Value::Object(map) => {
            let pairs: Vec<String> = map.iter().map(|(key, value)| format!("{key} = {}", written(value))).collect();
            if pairs.is_empty() { "{}".into() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
        other => other.to_string(),
    }
}

/// Documentation as plain Markdown: paragraphs on one line each, without code examples and links to items.
fn prose(docs: &[&str]) -> String {
    let mut text = String::new();
    let mut code = false;
    for line in docs {
        if line.trim_start().starts_with("```") {
            code = !code;
            continue;
        }
        if code {
            continue;
        }
        let list = line.starts_with("* ") || line.starts_with("| ");
        if line.is_empty() {
            text.truncate(text.trim_end().len());
            text.push_str("\n\n");
        } else {
            let joint = if text.is_empty() || text.ends_with('\n') {
                ""
            } else if list {
                "\n"
            } else {
                " "
            };
            text.push_str(joint);
            text.push_str(line);
        }
    }
    without_links(text.trim())
}

/// ``[`Adam`](super::Adam)`` and ``[`Adam`]`` become `` `Adam` ``.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("[`") {
        let Some(end) = rest[start..].find("`]").map(|i| start + i + 2) else { break };
        plain.push_str(&rest[..start]);
        plain.push_str(&rest[start + 1..end - 1]);
        rest = &rest[end..];
        if let Some(close) = rest.strip_prefix('(').and_then(|target| target.find(')')) {
            rest = &rest[close + 2..];
        }
    }
    plain.push_str(rest);
    plain
}

impl fmt::Display for Explanation {
    /// The text, then one line for each setting.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}\n\n{}", self.key, self.text)?;
        let width = self.settings.iter().map(|s| s.name.chars().count()).max().unwrap_or(0);
        if !self.settings.is_empty() {
            writeln!(f)?;
        }
        for setting in &self.settings {
            let default = setting.default.as_deref().map_or("no default".to_string(), |d| format!("default {d}"));
            writeln!(f, "  {:width$}  {} ({}, {default})", setting.name, setting.text, setting.kind)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_member_says_what_it_is_and_what_each_setting_does() {
        for (family, pages) in FAMILIES {
            for page in *pages {
                let explanation = explain(page);
                assert!(explanation.text.len() > 20, "{family} {}: {:?}", page.key, explanation.text);
                for setting in &explanation.settings {
                    assert!(!setting.text.is_empty(), "{family} {}.{}", page.key, setting.name);
                }
                let keys =
                    (page.example)().as_object().map(|map| map.keys().cloned().collect::<Vec<_>>()).unwrap_or_default();
                for key in keys.iter().filter(|_| !explanation.settings.is_empty()) {
                    assert!(explanation.settings.iter().any(|s| s.name == *key), "{family} {}.{key}", page.key);
                }
            }
        }
    }

    #[test]
    fn links_become_plain_text() {
        assert_eq!(without_links("see [`A`](super::A) and [`b`], [c](d)"), "see `A` and `b`, [c](d)");
    }
}
