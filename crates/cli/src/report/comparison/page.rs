//! The page of a comparison: one HTML file that needs nothing beside it.

use super::{Comparison, overlay, strips, tables};
use crate::report::page::document;
use crate::report::svg::escape;
use crate::report::tables::{environment, metric_in_words};

/// The report as one HTML document. Empty parts are left out; no input makes it fail.
pub fn page(comparison: &Comparison) -> String {
    let mut chips = vec![format!(
        "by {} on the {} data, {}",
        metric_in_words(&comparison.metric),
        if comparison.part == "valid" { "validation" } else { "test" },
        tables::better(comparison)
    )];
    let seeds: Vec<String> = comparison.seeds.iter().map(ToString::to_string).collect();
    if seeds.len() <= 12 {
        chips.push(format!("seeds {}", seeds.join(", ")));
    }
    let mut body = tables::tiles(comparison);
    if !comparison.notes.is_empty() {
        let notes: String = comparison.notes.iter().map(|note| format!("<p>{}</p>\n", escape(note))).collect();
        body.push_str(&format!("<div class=\"card notes\">\n{notes}</div>\n"));
    }
    let results = tables::results(comparison) + &strips::section(comparison) + &tables::metrics(comparison);
    body.push_str(&section("Which is better", &results));
    body.push_str(&section("Training", &overlay::section(comparison)));
    body.push_str(&section("Weights", &tables::weights(comparison)));
    let method: String = comparison
        .method
        .iter()
        .map(|(name, words)| format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(name), escape(words)))
        .collect();
    let method = format!(
        "<div class=\"card wide\">\n<h3>How it was compared</h3>\n<div class=\"scroll\"><table class=\"pairs method\"><tbody>\n{method}</tbody></table></div>\n</div>\n"
    );
    body.push_str(&section("Method", &(method + &tables::differing(comparison))));
    body.push_str(&section("Runs", &(tables::runs(comparison) + &environment(&comparison.environment))));
    document(&format!("Comparison: {}", comparison.title), &comparison.description, &chips, &body)
}

fn section(title: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<section>\n<h2>{title}</h2>\n<div class=\"cards\">\n{content}</div>\n</section>\n")
}
