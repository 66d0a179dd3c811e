//! Figures, layers, settings and environment as HTML tables.

use std::fmt::Write;

use gradus_metrics::Metric;

use super::data::{LayerRow, ReportData, Summary, Verdict};
use super::scale::{count, duration, epoch, figure, percent, short_count};
use super::svg::escape;

/// A history key for people: `Loss`, `Accuracy`, `R²`; an unknown one as it is.
pub fn metric_title(key: &str) -> String {
    match key {
        "loss" => "Loss".into(),
        "lr" => "Learning rate".into(),
        _ => key.parse::<Metric>().map_or_else(|_| key.to_owned(), Metric::title),
    }
}

/// Whether people read the metric of this key as a percentage.
pub fn reads_as_share(key: &str) -> bool {
    key.parse::<Metric>().is_ok_and(Metric::is_share)
}

/// A history key inside a sentence: `loss`, `accuracy`, `R²`, `MAE`.
pub fn metric_in_words(key: &str) -> String {
    let title = metric_title(key);
    match title.chars().nth(1) {
        Some(second) if second.is_lowercase() => title.to_lowercase(),
        _ => title,
    }
}

/// A value of this metric in words: `97.25%`, `0.1234`.
pub fn metric_value(key: &str, value: f64) -> String {
    if reads_as_share(key) { percent(value) } else { figure(value) }
}

/// What ended the run, in words; an unknown recipe key as it is.
pub fn stop_words(key: &str) -> &str {
    match key {
        "epochs" => "all epochs done",
        "steps" => "all steps done",
        "time" | "seconds" | "minutes" => "time is up",
        "loss_below" => "loss under its bound",
        "loss_change" => "loss no longer changes",
        "patience" => "no longer improves",
        "generalization_loss" => "validation error well above its lowest",
        "progress_quotient" => "validation error grows faster than training error falls",
        "up" => "worse in several strips in a row",
        "worsening" => "several checks all worse than the one before",
        "interrupted" => "interrupted",
        other => other,
    }
}

/// The large figures at the top of the page.
pub fn tiles(data: &ReportData) -> String {
    let summary = &data.summary;
    let mut tiles = Vec::new();
    if let Some(split) = data.headline() {
        let metrics = split.scores.iter().filter(|score| score.metric != "loss").take(2);
        let loss = split.scores.iter().filter(|score| score.metric == "loss");
        for (index, score) in metrics.chain(loss).enumerate() {
            let class = if index == 0 { "tile main" } else { "tile" };
            let words = format!("{} {}", split.split, metric_in_words(&score.metric));
            let value = metric_value(&score.metric, score.value);
            let short = if value.contains('.') { value.trim_end_matches('0').trim_end_matches('.') } else { &value };
            tiles.push((class, short.to_owned(), words));
        }
    }
    let best = summary.best_epoch.map(|best| format!("epochs, best {}", epoch(best)));
    tiles.push(("tile", epoch(summary.epochs), best.unwrap_or_else(|| "epochs".into())));
    let rate = summary.steps as f64 / summary.seconds;
    let rate = if rate.is_finite() && rate >= 1.0 {
        format!("{} steps/s", short_count(rate as u64))
    } else {
        "training time".into()
    };
    tiles.push(("tile", duration(summary.seconds), rate));
    tiles.push(("tile", short_count(summary.parameters), "parameters".into()));
    let tiles: String = tiles
        .into_iter()
        .map(|(class, value, words)| {
            format!("<div class=\"{class}\"><b>{}</b><span>{}</span></div>\n", escape(&value), escape(&words))
        })
        .collect();
    format!("<div class=\"tiles\">\n{tiles}</div>\n")
}

/// How well the run fits, and why.
pub fn verdict(verdict: Option<&Verdict>) -> String {
    let Some(verdict) = verdict else { return String::new() };
    let line = |text: &String| format!("<li>{}</li>\n", escape(text));
    let reasons: String = verdict.reasons.iter().map(line).collect();
    let advice = verdict.advice.as_ref().map(|advice| format!("<p>{}</p>\n", escape(advice))).unwrap_or_default();
    let headline = escape(&verdict.headline);
    format!("<div class=\"card wide\">\n<h3>{headline}</h3>\n<ul>\n{reasons}</ul>\n{advice}</div>\n")
}

/// Losses and metrics, one line each, one column per part of the data.
pub fn scores(summary: &Summary) -> String {
    let mut metrics: Vec<&str> = Vec::new();
    for score in summary.splits.iter().flat_map(|split| &split.scores) {
        if !metrics.contains(&score.metric.as_str()) {
            metrics.push(&score.metric);
        }
    }
    if metrics.is_empty() {
        return String::new();
    }
    let mut html = String::from(
        "<div class=\"card\">\n<h3>Scores of the weights kept</h3>\n<div class=\"scroll\"><table><thead><tr><th></th>",
    );
    for split in &summary.splits {
        let _ = write!(html, "<th class=\"n\">{}</th>", escape(&split.split));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for metric in metrics {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(&metric_title(metric)));
        for split in &summary.splits {
            let value = split.value(metric).map_or_else(|| "–".into(), |value| metric_value(metric, value));
            let _ = write!(html, "<td class=\"n\">{}</td>", escape(&value));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n<tfoot><tr><th scope=\"row\">rows</th>");
    for split in &summary.splits {
        let _ = write!(html, "<td class=\"n\">{}</td>", count(split.rows));
    }
    html.push_str("</tr></tfoot></table></div>\n</div>\n");
    html
}

/// How the run went.
pub fn run(summary: &Summary) -> String {
    let stopped = if summary.stopped_by.is_empty() {
        "–".into()
    } else {
        let words = stop_words(&summary.stopped_by);
        let key = escape(&summary.stopped_by);
        if words == summary.stopped_by { format!("<code>{key}</code>") } else { format!("{words} <code>{key}</code>") }
    };
    let mut lines = vec![
        ("stopped by", stopped),
        ("epochs", escape(&epoch(summary.epochs))),
        ("weights kept from epoch", summary.best_epoch.map_or_else(|| "–".into(), epoch)),
        ("steps", count(summary.steps)),
        ("time", duration(summary.seconds)),
        ("parameters", count(summary.parameters)),
        ("seed", summary.seed.to_string()),
        ("Gradus", escape(&summary.version)),
    ];
    if !summary.retrained.is_empty() {
        lines.insert(1, ("then retrained", escape(&summary.retrained)));
    }
    let rows: String = lines
        .into_iter()
        .map(|(name, value)| format!("<tr><th scope=\"row\">{name}</th><td class=\"n\">{value}</td></tr>\n"))
        .collect();
    format!("<div class=\"card\">\n<h3>Run</h3>\n<table><tbody>\n{rows}</tbody></table>\n</div>\n")
}

/// The network, from input to output.
pub fn layers(layers: &[LayerRow]) -> String {
    if layers.is_empty() {
        return String::new();
    }
    let outer = || layers.iter().filter(|layer| layer.depth == 0);
    let parameters: u64 = outer().map(|layer| layer.parameters).sum();
    let flops: u64 = outer().fold(0, |sum, layer| sum.saturating_add(layer.flops));
    let mut html = String::from(
        "<div class=\"card wide\">\n<div class=\"scroll\"><table class=\"layers\"><thead><tr><th>layer</th><th>kind</th><th>output</th>\
         <th class=\"n\">parameters</th><th class=\"n\">FLOPs per sample</th></tr></thead>\n<tbody>\n",
    );
    for layer in layers {
        let share = if parameters == 0 { 0.0 } else { layer.parameters as f64 / parameters as f64 };
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}<code>{}</code></th><td>{}</td><td><code>{}</code></td><td class=\"n bar\" style=\"--v:{:.1}%\">{}</td><td class=\"n\">{}</td></tr>",
            "&emsp;".repeat(layer.depth),
            escape(&layer.name),
            escape(&layer.kind),
            escape(&layer.output),
            share * 100.0,
            count(layer.parameters),
            count(layer.flops)
        );
    }
    let _ = writeln!(
        html,
        "</tbody>\n<tfoot><tr><th scope=\"row\">in all</th><td></td><td></td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr></tfoot></table></div>\n</div>",
        count(parameters),
        count(flops)
    );
    html
}

/// The resolved recipe, its keys and values told apart.
pub fn recipe(text: &str) -> String {
    if text.trim().is_empty() {
        return String::new();
    }
    let lines: String = text.trim_end().lines().map(recipe_line).collect();
    format!("<div class=\"card wide\">\n<h3>Recipe, every default filled in</h3>\n<pre>{lines}</pre>\n</div>\n")
}

fn recipe_line(line: &str) -> String {
    let start = line.trim_start();
    if start.starts_with('#') {
        return format!("<span class=\"rem\">{}</span>\n", escape(line));
    }
    if start.starts_with('[') && line.trim_end().ends_with(']') && !start.contains('=') {
        return format!("<b>{}</b>\n", escape(line));
    }
    let key = line.split_once('=').filter(|(key, _)| {
        key.trim().chars().all(|c| c.is_alphanumeric() || "_-.\"".contains(c)) && !key.trim().is_empty()
    });
    match key {
        Some((key, value)) => format!("<span class=\"var\">{}</span>={}\n", escape(key), escape(value)),
        None => format!("{}\n", escape(line)),
    }
}

/// Name and value pairs.
pub fn environment(pairs: &[(String, String)]) -> String {
    if pairs.is_empty() {
        return String::new();
    }
    let rows: String = pairs
        .iter()
        .map(|(name, value)| format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(name), escape(value)))
        .collect();
    format!(
        "<div class=\"card wide\">\n<h3>Environment</h3>\n<div class=\"scroll\"><table class=\"pairs\"><tbody>\n{rows}</tbody></table></div>\n</div>\n"
    )
}
