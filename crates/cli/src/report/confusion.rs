//! Confusion matrix, scores per class, most frequent mix-ups.
//!
//! Each row is shaded by its own total: blue on the diagonal (recall), orange beside it (where the rest went), the latter
//! by the square root of the share so that rare mix-ups can be seen.

use std::fmt::Write;

use gradus_metrics::ConfusionMatrix;

use super::scale::{count, percent};
use super::svg::{Anchor, Svg, escape, pixel};

/// Up to here each cell has its number and its words on hover.
const MOST_NUMBERED: usize = 24;
/// Up to here the matrix is drawn.
const MOST_DRAWN: usize = 200;
/// Rows of the per-class table, at most: the classes with the lowest F1.
const MOST_ROWS: usize = 40;
const MOST_MIXED: usize = 8;

/// The matrix with its tables: side by side, or one over the other where they stand beside a picture.
pub fn section(split: &str, names: &[String], matrix: &ConfusionMatrix, stacked: bool) -> String {
    let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
    let mut html = String::new();
    if matrix.classes() <= MOST_DRAWN {
        html.push_str("<figure class=\"card matrix\">\n<h3>Confusion matrix</h3>\n");
        let _ = writeln!(html, "<p class=\"sub\">{} {split} rows; shaded by true class</p>", count(matrix.total()));
        let drawing = if matrix.classes() <= MOST_NUMBERED { numbered(matrix, &name) } else { shaded(matrix) };
        html.push_str(&drawing);
        html.push_str("</figure>\n");
    }
    html.push_str(&per_class(matrix, &name));
    if stacked { format!("<div class=\"stack\">\n{html}</div>\n") } else { html }
}

fn numbered(matrix: &ConfusionMatrix, name: &dyn Fn(usize) -> String) -> String {
    let classes = matrix.classes();
    let longest = (0..classes).map(|class| name(class).chars().count()).max().unwrap_or(1).min(14);
    let digits = matrix.rows().flatten().max().map_or(1, |most| most.to_string().len());
    let cell = (440.0 / classes as f64).clamp(digits as f64 * 6.6 + 6.0, 74.0).max(20.0);
    let (left, top) = (30.0 + longest as f64 * 6.8, 44.0);
    let side = cell * classes as f64;
    let turned = longest as f64 * 6.8 > cell - 2.0;
    let beside = if turned { longest as f64 * 4.0 } else { 8.0 };
    let below = if turned { longest as f64 * 5.0 } else { 0.0 };
    let top = top + below;
    let mut svg = Svg::new(
        left + side + beside,
        top + side + 8.0,
        "Confusion matrix: true classes in rows, predicted in columns",
    );
    svg.text("name", [left + side / 2.0, 14.0], Anchor::Middle, "predicted");
    svg.upright("name", [12.0, top + side / 2.0], "true");
    for class in 0..classes {
        let middle = (class as f64 + 0.5) * cell;
        let shown = shorten(&name(class), 14);
        svg.text("tick", [left - 8.0, top + middle + 4.0], Anchor::End, &shown);
        if turned {
            svg.slanted("tick", [left + middle, top - 8.0], &shown);
        } else {
            svg.text("tick", [left + middle, top - 9.0], Anchor::Middle, &shown);
        }
    }
    for (truth, row) in matrix.rows().enumerate() {
        let total: u64 = row.iter().sum();
        for (predicted, &rows) in row.iter().enumerate() {
            let share = if total == 0 { 0.0 } else { rows as f64 / total as f64 };
            let (x, y) = (left + predicted as f64 * cell, top + truth as f64 * cell);
            let hit = truth == predicted;
            let opacity = if hit { share } else { share.sqrt() };
            let words = format!(
                "true {}, predicted {}: {} of {} ({})",
                name(truth),
                name(predicted),
                count(rows),
                count(total),
                percent(share)
            );
            svg.rect("cell", [x + 0.75, y + 0.75, cell - 1.5, cell - 1.5], "");
            svg.shade(
                if hit { "hit-cell" } else { "miss-cell" },
                [x + 0.75, y + 0.75, cell - 1.5, cell - 1.5],
                opacity,
                &words,
            );
            if rows > 0 {
                let class = match opacity {
                    o if o <= 0.7 => "number",
                    _ if hit => "number on",
                    _ => "number over",
                };
                svg.text(class, [x + cell / 2.0, y + cell / 2.0 + 4.0], Anchor::Middle, &rows.to_string());
            }
        }
    }
    let width = (left + side + beside).max(220.0);
    format!("<div class=\"plot\" style=\"max-width:{}px\">{}</div>\n", pixel(width * 1.06), svg.finish())
}

/// Many classes: no numbers, one path per level of shade.
fn shaded(matrix: &ConfusionMatrix) -> String {
    const LEVELS: usize = 6;
    let classes = matrix.classes();
    let cell = 480.0 / classes as f64;
    let (left, top, side) = (34.0, 24.0, 480.0);
    let mut paths = vec![String::new(); 2 * LEVELS];
    for (truth, row) in matrix.rows().enumerate() {
        let total: u64 = row.iter().sum();
        for (predicted, &rows) in row.iter().enumerate().filter(|(_, rows)| **rows > 0) {
            let share = rows as f64 / total as f64;
            let hit = truth == predicted;
            let level =
                ((if hit { share } else { share.sqrt() }) * LEVELS as f64).ceil().clamp(1.0, LEVELS as f64) as usize;
            let place = [left + predicted as f64 * cell, top + truth as f64 * cell].map(pixel);
            let size = pixel(cell);
            let path = &mut paths[usize::from(hit) * LEVELS + level - 1];
            let _ = write!(path, "M{} {}h{size}v{size}h-{size}z", place[0], place[1]);
        }
    }
    let mut svg =
        Svg::new(left + side + 8.0, top + side + 8.0, "Confusion matrix: true classes in rows, predicted in columns");
    svg.text("name", [left + side / 2.0, 14.0], Anchor::Middle, "predicted");
    svg.upright("name", [14.0, top + side / 2.0], "true");
    svg.rect("cell", [left, top, side, side], "");
    for (index, path) in paths.iter().enumerate() {
        let class = if index >= LEVELS { "hit-cell" } else { "miss-cell" };
        svg.path(&format!("{class} level{}", index % LEVELS + 1), path);
    }
    format!("<div class=\"plot\">{}</div>\n", svg.finish())
}

fn per_class(matrix: &ConfusionMatrix, name: &dyn Fn(usize) -> String) -> String {
    let mut scores: Vec<_> = matrix.per_class().into_iter().enumerate().collect();
    let hidden = scores.len().saturating_sub(MOST_ROWS);
    if hidden > 0 {
        scores.sort_by(|a, b| a.1.f1.total_cmp(&b.1.f1));
        scores.truncate(MOST_ROWS);
    }
    let mut html = String::from("<div class=\"card\">\n<h3>By class</h3>\n");
    if hidden > 0 {
        let _ = writeln!(
            html,
            "<p class=\"sub\">the {MOST_ROWS} with the lowest F1; {} more not shown</p>",
            count(hidden as u64)
        );
    }
    html.push_str(
        "<div class=\"scroll\"><table class=\"scores\"><thead><tr><th>class</th><th class=\"n\">precision</th>\
         <th class=\"n\">recall</th><th class=\"n\">F1</th><th class=\"n\">rows</th></tr></thead>\n<tbody>\n",
    );
    for (class, scores) in &scores {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}</th>{}{}{}<td class=\"n\">{}</td></tr>",
            escape(&name(*class)),
            bar(scores.precision),
            bar(scores.recall),
            bar(scores.f1),
            count(scores.support)
        );
    }
    html.push_str("</tbody>\n<tfoot>\n");
    for (words, means) in [("mean", matrix.macro_average()), ("weighted mean", matrix.weighted_average())] {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{words}</th>{}{}{}<td class=\"n\">{}</td></tr>",
            bar(means.precision),
            bar(means.recall),
            bar(means.f1),
            count(matrix.total())
        );
    }
    html.push_str("</tfoot></table></div>\n");
    html.push_str(&mixed(matrix, name));
    html.push_str("</div>\n");
    html
}

fn mixed(matrix: &ConfusionMatrix, name: &dyn Fn(usize) -> String) -> String {
    let mut pairs: Vec<(u64, usize, usize)> = Vec::new();
    for (truth, row) in matrix.rows().enumerate() {
        pairs.extend(row.iter().enumerate().filter(|(p, n)| *p != truth && **n > 0).map(|(p, &n)| (n, truth, p)));
    }
    if matrix.classes() < 3 || pairs.is_empty() {
        return String::new();
    }
    pairs.sort_by_key(|&(rows, truth, predicted)| (std::cmp::Reverse(rows), truth, predicted));
    let items: String = pairs
        .iter()
        .take(MOST_MIXED)
        .map(|&(rows, truth, predicted)| {
            let (truth, predicted) = (escape(&name(truth)), escape(&name(predicted)));
            format!("<li><b>{truth}</b> taken for <b>{predicted}</b> <span>{}×</span></li>\n", count(rows))
        })
        .collect();
    format!("<h3 class=\"inner\">Most often mixed up</h3>\n<ul class=\"mixed\">\n{items}</ul>\n")
}

/// A percentage over a bar of that length.
fn bar(share: f64) -> String {
    if !share.is_finite() {
        return "<td class=\"n\">–</td>".into();
    }
    let length = (share.clamp(0.0, 1.0) * 1000.0).round() / 10.0;
    format!("<td class=\"n bar\" style=\"--v:{length}%\">{:.1}%</td>", share * 100.0)
}

/// The first characters of a name that is too long for its place.
pub fn shorten(name: &str, most: usize) -> String {
    if name.chars().count() <= most {
        return name.to_owned();
    }
    name.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}
