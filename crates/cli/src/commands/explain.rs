//! `gradus explain`: what a part of a recipe does, and its settings.

use crate::console;
use crate::failure::{Failure, Result};
use crate::recipe::nearest;
use clap::Args;
use gradus_nn::explain::{Explanation, FAMILIES, Family, explain};
use gradus_train::AnyStop;

/// Explain a layer, a loss, an optimizer, … and its settings
///
/// Without a name it lists what there is; with the name of a family (optimizers, schedules, …) its members.
#[derive(Args, Debug)]
pub struct Explain {
    /// A key of a recipe, such as adam_w, or a family, such as optimizers
    name: Option<String>,
}

/// All families that recipes are made of.
pub fn families() -> impl Iterator<Item = Family> {
    FAMILIES.iter().copied().chain([("stops", AnyStop::PAGES)])
}

impl Explain {
    /// Runs the command.
    pub(super) fn run(&self) -> Result<()> {
        let Some(name) = &self.name else { return console::print(&overview()) };
        if let Some((family, pages)) = families().find(|(family, _)| family == name) {
            let rows: Vec<(&str, String)> =
                pages.iter().map(|page| (page.key, first_sentence(&explain(page)))).collect();
            let width = rows.iter().map(|row| row.0.len()).max().unwrap_or(0);
            let lines = rows.iter().map(|(key, text)| indented(&format!("{key:width$}  "), text));
            return console::print(&format!("{family}\n\n{}", lines.collect::<String>()));
        }
        let found: Vec<String> = families()
            .flat_map(|(family, pages)| pages.iter().filter(|page| page.key == name).map(move |page| (family, page)))
            .map(|(family, page)| text(family, &explain(page)))
            .collect();
        if found.is_empty() {
            let known: Vec<&str> =
                families().flat_map(|(family, pages)| pages.iter().map(|p| p.key).chain([family])).collect();
            let near = nearest::meant(name, &known).map(|near| format!("did you mean `{near}`? "));
            let help = format!("{}`gradus explain` lists all", near.unwrap_or_default());
            return Err(Failure::usage(format!("nothing is called `{name}`"), help));
        }
        console::print(&found.join("\n"))
    }
}

/// The families with their members' keys.
fn overview() -> String {
    let width = families().map(|(family, _)| family.len()).max().unwrap_or(0);
    let line = |(family, pages): Family| {
        let keys: Vec<&str> = pages.iter().map(|page| page.key).collect();
        indented(&format!("{family:width$}  "), &keys.join(", "))
    };
    let lines: String = families().map(line).collect();
    format!("{lines}\n`gradus explain NAME` tells more of each.\n")
}

/// Everything about one member.
fn text(family: &str, explanation: &Explanation) -> String {
    let mut text = format!("{} ({family})\n\n", explanation.key);
    for paragraph in explanation.text.split("\n\n") {
        for line in paragraph.lines() {
            text.push_str(&indented("", line));
        }
        text.push('\n');
    }
    let width = explanation.settings.iter().map(|s| s.name.chars().count()).max().unwrap_or(0);
    for setting in &explanation.settings {
        let default = setting.default.as_ref().map_or("not set by default".into(), |d| format!("default {d}"));
        let head = format!("  {:width$}  ", setting.name);
        text.push_str(&indented(&head, &format!("{} [{}, {default}]", setting.text, setting.kind)));
    }
    text
}

fn first_sentence(explanation: &Explanation) -> String {
    let paragraph = explanation.text.lines().next().unwrap_or_default();
    let end = paragraph.find(". ").map_or(paragraph.len(), |at| at + 1);
    paragraph[..end].to_string()
}

/// Text wrapped to the terminal's width, behind a head that the following lines are indented by.
fn indented(head: &str, text: &str) -> String {
    let width = console::width().clamp(40, 110);
    let indent = head.chars().count();
    let (mut out, mut column) = (head.to_string(), indent);
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if column > indent && column + 1 + length > width {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if column > indent {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out.push('\n');
    out
}
