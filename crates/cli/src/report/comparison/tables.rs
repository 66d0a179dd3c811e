//! Results, weights, norms, differing settings and single runs as HTML tables.

use super::overlay::COLOURS;
use super::{Comparison, text};
use crate::report::scale::{count, duration, epoch, figure};
use crate::report::svg::escape;
use crate::report::tables::{metric_title, metric_value};
use gradus_metrics::Metric;
use std::fmt::Write;

/// The most differing settings of a recipe that are listed.
const MOST_DIFFERENCES: usize = 12;

/// A recipe's name with its colour.
fn name(comparison: &Comparison, index: usize) -> String {
    let name = escape(&comparison.recipes[index].name);
    format!("<th scope=\"row\"><i class=\"swatch l{}\"></i>{name}</th>", index % COLOURS)
}

/// A table: the cells of the head and of each row are HTML; the first cell of a row brings its own tag.
fn table(head: &[&str], rows: &[Vec<String>], left: usize) -> String {
    let class = |k: usize| if k < left { "" } else { " class=\"n\"" };
    let mut html = String::from("<div class=\"scroll\"><table><thead><tr>");
    for (k, cell) in head.iter().enumerate() {
        let _ = write!(html, "<th{}>{cell}</th>", class(k));
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (k, cell) in row.iter().enumerate() {
            match k {
                0 => html.push_str(cell),
                _ => drop(write!(html, "<td{}>{cell}</td>", class(k))),
            }
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    html
}

/// Means, differences, tests, and what the runs took.
pub fn results(comparison: &Comparison) -> String {
    let several = comparison.recipes.len() > 2;
    let metric = metric_title(&comparison.metric);
    let interval = text::interval_title(comparison);
    let mut head = vec!["recipe", metric.as_str(), "difference", interval.as_str(), "p"];
    if several {
        head.push("p (Holm)");
    }
    head.extend(["verdict", "runs", "steps", "time"]);
    let best = comparison.best().map(|recipe| recipe.name.clone());
    let rows: Vec<Vec<String>> = comparison
        .recipes
        .iter()
        .enumerate()
        .map(|(i, recipe)| {
            let mean = text::mean(comparison, recipe.scores.get(comparison.place()).copied());
            let mean = if best.as_ref() == Some(&recipe.name) { format!("<b>{mean}</b>") } else { mean };
            let mut row = vec![name(comparison, i), mean];
            match &recipe.versus {
                None => row.extend(std::iter::repeat_n(String::new(), if several { 5 } else { 4 })),
                Some(versus) => {
                    row.push(text::difference(&comparison.metric, versus.mean));
                    row.push(text::interval(&comparison.metric, versus));
                    row.push(escape(&text::p_value(versus.p)));
                    if several {
                        row.push(escape(&text::p_value(versus.adjusted)));
                    }
                    let verdict = versus.verdict(comparison.direction());
                    let class = if verdict == "better" || verdict == "worse" { verdict } else { "even" };
                    row.push(format!("<span class=\"verdict {class}\">{verdict}</span>"));
                }
            }
            let done = recipe.done().count();
            let mean = |of: &dyn Fn(&super::RunRow) -> f64| recipe.done().map(of).sum::<f64>() / done as f64;
            row.push(if done == recipe.runs.len() {
                done.to_string()
            } else {
                format!("{done} of {}", recipe.runs.len())
            });
            row.push(if done == 0 { "–".into() } else { count(mean(&|run| run.spent.1 as f64).round() as u64) });
            row.push(duration(mean(&|run| run.spent.2)));
            row
        })
        .collect();
    format!("<div class=\"card wide\">\n<h3>Results</h3>\n{}</div>\n", table(&head, &rows, 1))
}

/// All metrics, mean ± standard deviation.
pub fn metrics(comparison: &Comparison) -> String {
    if comparison.metrics.len() < 2 {
        return String::new();
    }
    let titles: Vec<String> = comparison.metrics.iter().map(|metric| metric_title(metric)).collect();
    let mut head = vec!["recipe"];
    head.extend(titles.iter().map(String::as_str));
    let rows: Vec<Vec<String>> = comparison
        .recipes
        .iter()
        .enumerate()
        .map(|(i, recipe)| {
            let cells = comparison.metrics.iter().zip(&recipe.scores);
            let cells = cells.map(|(metric, &score)| text::in_words(metric, Some(score)));
            std::iter::once(name(comparison, i)).chain(cells).collect()
        })
        .collect();
    let part = if comparison.part == "valid" { "validation" } else { "test" };
    format!(
        "<div class=\"card wide\">\n<h3>All figures on the {part} data</h3>\n<p class=\"sub\">mean ± standard deviation over seeds</p>\n{}</div>\n",
        table(&head, &rows, 1)
    )
}

/// Sums and counts of weights, then the norms of each layer.
pub fn weights(comparison: &Comparison) -> String {
    let with = || comparison.recipes.iter().enumerate().filter_map(|(i, recipe)| Some((i, recipe.weights.as_ref()?)));
    if with().next().is_none() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = with()
        .map(|(i, weights)| {
            let mut row = vec![name(comparison, i), figure(weights.absolute), count(weights.weights)];
            for below in weights.below {
                let share = below / weights.weights.max(1) as f64;
                row.push(format!("{} <small>{:.0}%</small>", text::of_runs(below), share * 100.0));
            }
            row
        })
        .collect();
    let head = ["recipe", "Σ|w|", "weights", "|w| &lt; 10⁻²", "|w| &lt; 10⁻⁴", "|w| &lt; 10⁻⁵"];
    let mut html = format!(
        "<div class=\"card wide\">\n<h3>Sizes of the weights</h3>\n<p class=\"sub\">of the weights kept, without biases; means over seeds</p>\n{}</div>\n",
        table(&head, &rows, 1)
    );
    let mut paths: Vec<&str> = vec![];
    for (path, ..) in with().flat_map(|(_, weights)| &weights.layers) {
        if !paths.contains(&path.as_str()) {
            paths.push(path);
        }
    }
    for (title, norm) in [("L1 norm of each layer, Σ|w|", 0), ("L2 norm of each layer, √Σw²", 1)] {
        let titles: Vec<String> = paths.iter().map(|path| format!("<code>{}</code>", escape(path))).collect();
        let mut head = vec!["recipe"];
        head.extend(titles.iter().map(String::as_str));
        let rows: Vec<Vec<String>> = with()
            .map(|(i, weights)| {
                let cell = |path: &&str| {
                    let layer = weights.layers.iter().find(|layer| layer.0 == **path);
                    layer.map_or_else(|| "–".into(), |layer| figure(if norm == 0 { layer.2 } else { layer.3 }))
                };
                std::iter::once(name(comparison, i)).chain(paths.iter().map(cell)).collect()
            })
            .collect();
        let _ = write!(html, "<div class=\"card\">\n<h3>{title}</h3>\n{}</div>\n", table(&head, &rows, 1));
    }
    html
}

/// What each recipe sets otherwise than the first.
pub fn differing(comparison: &Comparison) -> String {
    let Some(first) = comparison.recipes.first() else { return String::new() };
    let mut rows: Vec<Vec<String>> = vec![];
    for (i, recipe) in comparison.recipes.iter().enumerate().skip(1) {
        for (k, [key, from, to]) in recipe.differs.iter().take(MOST_DIFFERENCES).enumerate() {
            let own = if k == 0 { name(comparison, i) } else { "<th></th>".into() };
            let code = |text: &str| format!("<code>{}</code>", escape(text));
            rows.push(vec![own, code(key), code(from), code(to)]);
        }
        if recipe.differs.is_empty() {
            rows.push(vec![name(comparison, i), "nothing".into(), String::new(), String::new()]);
        }
        if let Some(more) = recipe.differs.len().checked_sub(MOST_DIFFERENCES).filter(|&more| more > 0) {
            rows.push(vec!["<th></th>".into(), format!("and {more} more"), String::new(), String::new()]);
        }
    }
    let first = escape(&first.name);
    let head = ["recipe", "setting", first.as_str(), "its own"];
    format!("<div class=\"card wide settings\">\n<h3>What differs</h3>\n{}</div>\n", table(&head, &rows, 4))
}

/// Every run.
pub fn runs(comparison: &Comparison) -> String {
    let titles: Vec<String> = comparison.metrics.iter().map(|metric| metric_title(metric)).collect();
    let mut head = vec!["recipe", "seed"];
    head.extend(titles.iter().map(String::as_str));
    head.extend(["epochs", "kept from", "steps", "time", "ended by", "folder"]);
    let mut rows = vec![];
    for (i, recipe) in comparison.recipes.iter().enumerate() {
        for (k, run) in recipe.runs.iter().enumerate() {
            let own = if k == 0 { name(comparison, i) } else { "<th></th>".into() };
            let mut row = vec![own, run.seed.to_string()];
            if run.scores.is_empty() {
                row.extend(std::iter::repeat_n("–".to_string(), comparison.metrics.len() + 4));
                let words = if run.diverged { format!("diverged: {}", run.ended) } else { run.ended.clone() };
                row.push(format!("<span class=\"words\">{}</span>", escape(&words)));
            } else {
                row.extend(comparison.metrics.iter().zip(&run.scores).map(|(name, &value)| metric_value(name, value)));
                let (epochs, steps, seconds) = run.spent;
                row.push(epoch(epochs));
                row.push(run.best_epoch.map_or_else(|| "the end".into(), epoch));
                row.extend([count(steps), duration(seconds), escape(&run.ended)]);
            }
            row.push(format!("<code>{}</code>", escape(&run.folder)));
            rows.push(row);
        }
    }
    format!("<div class=\"card wide\">\n<h3>Every run</h3>\n{}</div>\n", table(&head, &rows, 1))
}

/// The large figures at the top.
pub fn tiles(comparison: &Comparison) -> String {
    let mut tiles = vec![];
    if let Some(best) = comparison.best() {
        let (mean, _) = best.scores[comparison.place()];
        let words = format!("best mean {}", crate::report::tables::metric_in_words(&comparison.metric));
        tiles.push(("tile main", metric_value(&comparison.metric, mean), format!("{words}: {}", best.name)));
    }
    tiles.push(("tile", comparison.recipes.len().to_string(), "recipes".into()));
    tiles.push(("tile", comparison.seeds.len().to_string(), "seeds".into()));
    let clear = comparison.recipes.iter().filter_map(|recipe| recipe.versus.as_ref());
    let clear = clear.filter(|versus| versus.p.is_finite() && versus.adjusted < 0.05).count();
    let first = comparison.recipes.first().map(|recipe| recipe.name.as_str()).unwrap_or_default();
    let others = comparison.recipes.len().saturating_sub(1);
    tiles.push(("tile", format!("{clear} of {others}"), format!("clearly differ from {first}")));
    let tiles: String = tiles
        .into_iter()
        .map(|(class, value, words)| {
            format!("<div class=\"{class}\"><b>{}</b><span>{}</span></div>\n", escape(&value), escape(&words))
        })
        .collect();
    format!("<div class=\"tiles\">\n{tiles}</div>\n")
}

/// Which way the metric improves, in words.
pub fn better(comparison: &Comparison) -> &'static str {
    match comparison.metric.parse::<Metric>().map(Metric::direction) {
        Ok(gradus_metrics::Direction::Higher) => "higher is better",
        _ => "lower is better",
    }
}
