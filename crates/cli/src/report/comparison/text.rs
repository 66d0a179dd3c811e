//! A comparison in short plain text.

use super::{Comparison, Versus};
use crate::report::scale::{count, duration, figure};
use crate::report::tables::{metric_in_words, metric_value, reads_as_share};

/// Tables of results and of weights, the notes, the test.
pub fn summary(comparison: &Comparison, width: usize) -> String {
    let mut text = format!(
        "{} on the {} data, {} seeds\n\n",
        metric_in_words(&comparison.metric),
        if comparison.part == "valid" { "validation" } else { "test" },
        comparison.seeds.len()
    );
    text += &results(comparison);
    text += "\n";
    text += &weights(comparison);
    for note in &comparison.notes {
        text += "\n";
        text += &wrapped(&format!("Note: {note}"), width);
    }
    for (name, words) in &comparison.method {
        text += "\n";
        text += &wrapped(&format!("{name}: {words}"), width);
    }
    text
}

fn results(comparison: &Comparison) -> String {
    let several = comparison.recipes.len() > 2;
    let mut rows =
        vec![vec!["recipe".into(), "mean ± sd".into(), "difference".into(), interval_title(comparison), "p".into()]];
    if several {
        rows[0].push("p (Holm)".into());
    }
    rows[0].extend(["verdict".into(), "steps".into(), "time".into()]);
    for recipe in &comparison.recipes {
        let mut row = vec![recipe.name.clone(), mean(comparison, recipe.scores.get(comparison.place()).copied())];
        match &recipe.versus {
            None => {
                row.extend(std::iter::repeat_n(String::new(), if several { 4 } else { 3 }));
                row.push("reference".into());
            }
            Some(versus) => {
                row.extend([difference(&comparison.metric, versus.mean), interval(&comparison.metric, versus)]);
                row.push(p_value(versus.p));
                if several {
                    row.push(p_value(versus.adjusted));
                }
                row.push(versus.verdict(comparison.direction()).into());
            }
        }
        let done = recipe.done().count() as f64;
        row.push(count((recipe.done().map(|run| run.spent.1 as f64).sum::<f64>() / done) as u64));
        row.push(duration(recipe.done().map(|run| run.spent.2).sum::<f64>() / done));
        rows.push(row);
    }
    table(&rows, 1)
}

/// What the column of intervals is called.
pub fn interval_title(comparison: &Comparison) -> String {
    format!("{:.0}% interval", comparison.confidence * 100.0)
}

/// `97.25% ± 0.31`, `0.1234 ± 0.0021`.
pub fn mean(comparison: &Comparison, score: Option<(f64, f64)>) -> String {
    in_words(&comparison.metric, score)
}

/// As [`mean`], of any metric.
pub fn in_words(metric: &str, score: Option<(f64, f64)>) -> String {
    match score {
        None => "–".into(),
        Some((mean, _)) if mean.is_nan() => "–".into(),
        Some((mean, deviation)) if deviation.is_nan() => metric_value(metric, mean),
        Some((mean, deviation)) if reads_as_share(metric) => {
            format!("{} ± {:.2}", metric_value(metric, mean), deviation * 100.0)
        }
        Some((mean, deviation)) => {
            let decimals = decimals(mean);
            match decimals {
                Some(decimals) => format!("{} ± {deviation:.decimals$}", metric_value(metric, mean)),
                None => format!("{} ± {}", metric_value(metric, mean), figure(deviation)),
            }
        }
    }
}

/// Decimals of a value in words, so that its deviation has as many.
fn decimals(value: f64) -> Option<usize> {
    let text = figure(value);
    if text.contains('e') {
        return None;
    }
    Some(text.split_once('.').map_or(0, |(_, rest)| rest.len()))
}

/// A signed difference: `+0.42` points of a percentage, `−0.0123`.
pub fn difference(metric: &str, value: f64) -> String {
    if value.is_nan() {
        return "–".into();
    }
    let sign = if value > 0.0 { "+" } else { "" };
    let text = if reads_as_share(metric) { format!("{:.2}", value * 100.0).replace('-', "−") } else { figure(value) };
    format!("{sign}{text}")
}

/// `−0.1 to +0.3`.
pub fn interval(metric: &str, versus: &Versus) -> String {
    match versus.interval {
        [low, _] if low.is_nan() => "–".into(),
        [low, high] => format!("{} to {}", difference(metric, low), difference(metric, high)),
    }
}

/// `0.032`, `< 0.001`, `–`.
pub fn p_value(p: f64) -> String {
    match p {
        p if p.is_nan() => "–".into(),
        p if p < 0.001 => "< 0.001".into(),
        p if p > 0.995 => "1".into(),
        p if p < 0.1 => format!("{p:.3}"),
        p => format!("{p:.2}"),
    }
}

fn weights(comparison: &Comparison) -> String {
    let mut rows: Vec<Vec<String>> =
        vec![["weights, means", "Σ|w|", "of", "< 1e-2", "< 1e-4", "< 1e-5"].map(String::from).to_vec()];
    for recipe in &comparison.recipes {
        if let Some(weights) = &recipe.weights {
            let mut row = vec![recipe.name.clone(), figure(weights.absolute), count(weights.weights)];
            row.extend(weights.below.iter().map(|&below| of_runs(below)));
            rows.push(row);
        }
    }
    if rows.len() == 1 { String::new() } else { table(&rows, 1) }
}

/// A mean count: whole where it is whole.
pub fn of_runs(mean: f64) -> String {
    if mean.fract() == 0.0 || mean >= 1000.0 { count(mean.round() as u64) } else { format!("{mean:.1}") }
}

/// Columns side by side: the first `left` to the left, the rest to the right.
fn table(rows: &[Vec<String>], left: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |k: usize| rows.iter().filter_map(|row| row.get(k)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = String::from(" ");
        for (k, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            line += &if k < left { format!(" {cell:width$}") } else { format!("  {cell:>width$}") };
        }
        text += line.trim_end();
        text += "\n";
    }
    text
}

fn wrapped(words: &str, width: usize) -> String {
    let (mut text, mut line) = (String::new(), String::new());
    for word in words.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
            text += &format!("{}\n", line.trim_end());
            line = String::from("  ");
        } else if !line.is_empty() {
            line.push(' ');
        }
        line += word;
    }
    format!("{text}{}\n", line.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_in_words() {
        assert_eq!(in_words("accuracy", Some((0.97251, 0.00312))), "97.25% ± 0.31");
        assert_eq!(in_words("rmse", Some((0.12345, 0.00213))), "0.1235 ± 0.0021");
        assert_eq!(in_words("loss", Some((12.3456, f64::NAN))), "12.35");
        assert_eq!(difference("accuracy", -0.0042), "−0.42");
        assert_eq!(difference("loss", 0.0123), "+0.01230");
        assert_eq!([0.0004, 0.0321, 0.5, 0.9999, f64::NAN].map(p_value), ["< 0.001", "0.032", "0.50", "1", "–"]);
        assert_eq!([3.0, 2.25, 2815.4].map(of_runs), ["3", "2.2", "2,815"]);
    }

    #[test]
    fn long_lines_are_wrapped() {
        assert_eq!(wrapped("one two three four", 10), "one two\n  three\n  four\n");
    }
}
