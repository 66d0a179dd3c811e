//! The page: one HTML file that needs nothing beside it.
//!
//! It is written so that an XML parser reads it too: every tag is closed, every attribute quoted, every text escaped.

use super::data::{Evaluation, Picture, ReportData};
use super::svg::escape;
use super::{confusion, curves, regions, regression, tables};

/// The colours and shapes of all pictures.
pub const STYLE: &str = include_str!("style.css");

/// The mark of Gradus: three steps.
const MARK: &str = "<svg class=\"logo\" viewBox=\"0 0 24 24\" role=\"img\" aria-label=\"Gradus\">\
    <path d=\"M2 21v-5h7v-6h7V4h6v17z\"/></svg>";

/// The report of a run as one HTML document. Empty parts are left out; no input makes it fail.
pub fn page(data: &ReportData) -> String {
    let title = if data.title.trim().is_empty() { "Untitled run" } else { &data.title };
    let summary = &data.summary;
    let mut chips = Vec::new();
    if !summary.stopped_by.is_empty() {
        chips.push(tables::stop_words(&summary.stopped_by).to_owned());
    }
    chips.push(format!("seed {}", summary.seed));
    if !summary.version.is_empty() {
        chips.push(format!("Gradus {}", summary.version));
    }
    let mut body = String::new();
    body.push_str(&tables::tiles(data));
    body.push_str(&section("Verdict", &tables::verdict(data.verdict.as_ref())));
    body.push_str(&section("Training", &curves::section(data)));
    let (words, content) = evaluation(data);
    body.push_str(&section(&words, &content));
    body.push_str(&section("Summary", &(tables::scores(summary) + &tables::run(summary))));
    body.push_str(&section("Network", &tables::layers(&data.layers)));
    body.push_str(&section("Settings", &(tables::recipe(&data.recipe) + &tables::environment(&data.environment))));
    document(title, &data.description, &chips, &body)
}

/// One HTML document: a head with title, description and chips, and a body of sections.
pub(super) fn document(title: &str, description: &str, chips: &[String], body: &str) -> String {
    let chips: String = chips.iter().map(|chip| format!("<span class=\"chip\">{}</span>", escape(chip))).collect();
    let description = match description.trim() {
        "" => String::new(),
        words => format!("<p>{}</p>\n", escape(words)),
    };
    let title = escape(title);
    format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n<title>{title} · Gradus</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<header>\n<div class=\"top\">{MARK}<h1>{title}</h1></div>\n{description}<div class=\"chips\">{chips}</div>\n</header>\n\
         <main>\n{body}</main>\n</body>\n</html>\n"
    )
}

fn evaluation(data: &ReportData) -> (String, String) {
    let mut content = match &data.picture {
        Some(Picture::Fit { x_name, y_name, data, curve }) => regression::fit(x_name, y_name, data, curve),
        Some(Picture::Regions { x_name, y_name, names, x_range, y_range, columns, grid, points }) => {
            regions::section([x_name, y_name], names, [*x_range, *y_range], *columns, grid, points)
        }
        None => String::new(),
    };
    match &data.evaluation {
        Some(Evaluation::Classes { split, names, matrix }) => {
            content.push_str(&confusion::section(&escape(split), names, matrix, data.picture.is_some()));
        }
        Some(Evaluation::Values { split, targets }) => content.push_str(&regression::section(split, targets)),
        None => {}
    }
    ("Predictions".into(), content)
}

/// A section with its heading; nothing where it is empty.
pub fn section(title: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<section>\n<h2>{title}</h2>\n<div class=\"cards\">\n{content}</div>\n</section>\n")
}
