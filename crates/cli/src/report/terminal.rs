//! The end of a run in plain text: a summary, scores per class, sparklines.
//!
//! No colours: whoever prints decides about those.

use gradus_metrics::ConfusionMatrix;

use super::confusion::shorten;
use super::data::{Curve, ReportData};
use super::scale::{Scale, bounds, count, duration, epoch, figure};
use super::tables::{metric_in_words, metric_title, metric_value, stop_words};

/// Narrower terminals get this much.
const NARROWEST: usize = 32;
/// Lines of the per-class table, at most.
const MOST_CLASSES: usize = 40;

/// The summary of a run, no line longer than `width` (at least 32) characters; ends with a newline.
pub fn summary(data: &ReportData, width: usize) -> String {
    let width = width.max(NARROWEST);
    let summary = &data.summary;
    let mut lines = vec![shorten(&data.title, width)];
    let splits = &summary.splits;
    let mut metrics: Vec<&str> = Vec::new();
    for score in splits.iter().flat_map(|split| &split.scores) {
        if !metrics.contains(&score.metric.as_str()) {
            metrics.push(&score.metric);
        }
    }
    if !metrics.is_empty() {
        let mut rows =
            vec![std::iter::once(String::new()).chain(splits.iter().map(|split| split.split.clone())).collect()];
        for metric in metrics {
            let value = |value: Option<f64>| value.map_or_else(|| "–".into(), |value| metric_value(metric, value));
            let values = splits.iter().map(|split| value(split.value(metric)));
            rows.push(std::iter::once(metric_title(metric)).chain(values).collect());
        }
        lines.extend(table(&rows, width));
    }
    let title = |curve: &Curve| {
        format!("{} {}", if curve.valid.is_empty() { "train" } else { "valid" }, metric_in_words(&curve.metric))
    };
    let widest = data.curves.iter().map(|curve| title(curve).chars().count()).max().unwrap_or(0);
    for curve in &data.curves {
        let points = if curve.valid.is_empty() { &curve.train } else { &curve.valid };
        let values: Vec<f64> = points.iter().map(|point| point.value).collect();
        let room = width.saturating_sub(widest + 4).min(48);
        if values.len() > 1 && room >= 8 {
            lines.push(format!("  {:widest$}  {}", title(curve), sparkline(&values, room)));
        }
    }
    let mut facts = Vec::new();
    if !summary.stopped_by.is_empty() {
        facts.push(format!("stopped by {} ({})", summary.stopped_by, stop_words(&summary.stopped_by)));
    }
    let epochs = epoch(summary.epochs);
    let unit = if epochs == "1" { "epoch" } else { "epochs" };
    facts.push(match summary.best_epoch {
        Some(best) => format!("{epochs} {unit}, best after {}", epoch(best)),
        None => format!("{epochs} {unit}"),
    });
    facts.push(format!("{} steps in {}", count(summary.steps), duration(summary.seconds)));
    facts.push(format!("{} parameters", count(summary.parameters)));
    lines.extend(flow(&facts, width));
    if !summary.retrained.is_empty() {
        lines.extend(wrapped(&format!("then retrained {}", summary.retrained), "  ", "    ", width));
    }
    if let Some(verdict) = &data.verdict {
        lines.extend(wrapped(&format!("verdict: {}", verdict.headline), "  ", "    ", width));
        for reason in verdict.reasons.iter().chain(&verdict.advice) {
            lines.extend(wrapped(reason, "    ", "      ", width));
        }
    }
    lines.join("\n") + "\n"
}

/// Precision, recall and F1 of each class, no line longer than `width` (at least 32); ends with a newline.
///
/// Of more than 40 classes those with the lowest F1.
pub fn per_class(matrix: &ConfusionMatrix, names: &[String], width: usize) -> String {
    let width = width.max(NARROWEST);
    let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
    let mut scores: Vec<_> = matrix.per_class().into_iter().enumerate().collect();
    let hidden = scores.len().saturating_sub(MOST_CLASSES);
    if hidden > 0 {
        scores.sort_by(|a, b| a.1.f1.total_cmp(&b.1.f1));
        scores.truncate(MOST_CLASSES);
    }
    let cell = |share: f64| if share.is_finite() { format!("{:.1}%", share * 100.0) } else { "–".into() };
    let mut rows = vec![["class", "prec.", "recall", "F1", "rows"].map(String::from).to_vec()];
    for (class, scores) in scores {
        let numbers = [scores.precision, scores.recall, scores.f1].map(cell);
        rows.push([name(class)].into_iter().chain(numbers).chain([count(scores.support)]).collect());
    }
    let means = matrix.macro_average();
    let numbers = [means.precision, means.recall, means.f1].map(cell);
    rows.push(["mean".to_owned()].into_iter().chain(numbers).chain([count(matrix.total())]).collect());
    let mut lines = table(&rows, width);
    if hidden > 0 {
        lines.push(shorten(&format!("  {} more with higher F1", count(hidden as u64)), width));
    }
    lines.join("\n") + "\n"
}

/// The values as `width` or fewer little columns, `▁` the lowest, `█` the highest, a blank where none is finite.
///
/// ```
/// use gradus_cli::report::terminal::sparkline;
/// assert_eq!(sparkline(&[0.0, 1.0, 2.0, 7.0], 40), "▁▂▃█");
/// ```
pub fn sparkline(values: &[f64], width: usize) -> String {
    const COLUMNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let parts = values.len().min(width);
    let means: Vec<f64> = (0..parts)
        .map(|part| {
            let stretch = &values[part * values.len() / parts..(part + 1) * values.len() / parts];
            let finite: Vec<f64> = stretch.iter().copied().filter(|value| value.is_finite()).collect();
            finite.iter().sum::<f64>() / finite.len() as f64
        })
        .collect();
    let [low, high] = bounds(means.iter().copied());
    means
        .iter()
        .map(|&mean| match mean {
            mean if !mean.is_finite() => ' ',
            _ if high <= low => COLUMNS[0],
            mean => COLUMNS[(((mean - low) / (high - low)) * 7.0).round() as usize],
        })
        .collect()
}

/// Shares as little columns, `█` the largest, a blank for none.
///
/// ```
/// use gradus_cli::report::terminal::bars;
/// assert_eq!(bars(&[0.0, 0.01, 0.4, 0.8]), " ▁▄█");
/// ```
pub fn bars(shares: &[f64]) -> String {
    const COLUMNS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let largest = shares.iter().fold(0.0, |largest: f64, &share| largest.max(share));
    let column = |share: f64| match share > 0.0 && largest.is_finite() {
        true => COLUMNS[((share / largest * 8.0).ceil() as usize).clamp(1, 8) - 1],
        false => ' ',
    };
    shares.iter().map(|&share| column(share)).collect()
}

/// A line through points, drawn with dots of braille in `width` by `height` characters, with the ends of both axes.
///
/// Points outside the vertical scale are left out; `x` and `y` say which values go from edge to edge.
pub fn plot(points: &[[f64; 2]], x: Scale, y: Scale, width: usize, height: usize) -> String {
    let (columns, rows) = (width.max(8) * 2, height.max(2) * 4);
    let x = Scale { start: 0.0, end: (columns - 1) as f64, ..x };
    let y = Scale { start: (rows - 1) as f64, end: 0.0, ..y };
    let mut dots = vec![vec![false; columns]; rows];
    let shown = |[_, value]: &[f64; 2]| value.is_finite() && (y.low..=y.high).contains(value);
    let place = |[a, b]: [f64; 2]| [x.at(a), y.at(b)];
    for pair in points.windows(2).filter(|pair| pair.iter().all(shown)) {
        let ([x0, y0], [x1, y1]) = (place(pair[0]), place(pair[1]));
        let pieces = ((x1 - x0).abs().max((y1 - y0).abs()).ceil() as usize).max(1);
        for i in 0..=pieces {
            let t = i as f64 / pieces as f64;
            let (column, row) = (x0 + t * (x1 - x0), y0 + t * (y1 - y0));
            dots[row.round() as usize][column.round() as usize] = true;
        }
    }
    // Bits of the eight dots of a character, by row and column.
    const BITS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
    let (top, bottom) = (figure(y.high), figure(y.low));
    let margin = top.chars().count().max(bottom.chars().count());
    let mut text = String::new();
    for row in 0..height.max(2) {
        let label = if row == 0 {
            &top
        } else if row + 1 == height.max(2) {
            &bottom
        } else {
            ""
        };
        text += &format!("  {label:>margin$} │");
        let character = |column: usize| {
            let lit = (0..8).filter(|i| dots[row * 4 + i / 2][column * 2 + i % 2]);
            let bits = lit.fold(0x2800, |bits, i| bits | BITS[i / 2][i % 2]);
            char::from_u32(bits).filter(|_| bits != 0x2800).unwrap_or(' ')
        };
        text += &(0..columns / 2).map(character).collect::<String>();
        text = text.trim_end().to_string() + "\n";
    }
    let (first, last) = (figure(x.low), figure(x.high));
    text += &format!("  {:>margin$} └{}\n", "", "─".repeat(columns / 2));
    let gap = (columns / 2).saturating_sub(first.chars().count() + last.chars().count());
    text + &format!("  {:>margin$}  {first}{}{last}\n", "", " ".repeat(gap))
}

/// Aligned columns, the first to the left and shortened where the line would be too long.
fn table(rows: &[Vec<String>], width: usize) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| {
        rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(widest).collect();
    let others: usize = widths.iter().skip(1).map(|width| width + 2).sum();
    let first = widths.first().copied().unwrap_or(0).min(width.saturating_sub(others + 2).max(4));
    rows.iter()
        .map(|row| {
            let mut line = format!("  {:first$}", shorten(row.first().map_or("", String::as_str), first));
            for (cell, width) in row.iter().zip(&widths).skip(1) {
                line.push_str(&format!("  {cell:>width$}"));
            }
            shorten(line.trim_end(), width)
        })
        .collect()
}

/// Facts side by side, divided by `·`, on as few lines as fit.
fn flow(facts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for fact in facts {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 3 + fact.chars().count() <= width => {
                line.push_str(" · ");
                line.push_str(fact);
            }
            _ => lines.push(shorten(&format!("  {fact}"), width)),
        }
    }
    lines
}

/// Words on as few lines as fit, the first and the others indented; a word that is too long is shortened.
pub fn wrapped(text: &str, first: &str, others: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) => lines.push(shorten(&format!("{others}{word}"), width)),
            None => lines.push(shorten(&format!("{first}{word}"), width)),
        }
    }
    lines
}
