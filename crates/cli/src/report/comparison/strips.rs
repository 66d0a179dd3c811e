//! The figures of all runs as dots, one row for each recipe, and the differences to the first with their intervals.

use super::overlay::colour;
use super::{Comparison, text};
use crate::report::scale::{Scale, bounds, percent};
use crate::report::svg::{Anchor, Frame, Svg, escape};
use crate::report::tables::{metric_title, metric_value, reads_as_share};

const WIDTH: f64 = 560.0;
const ROW: f64 = 38.0;
const TOP: f64 = 14.0;
const BELOW: f64 = 44.0;

/// Both charts.
pub fn section(comparison: &Comparison) -> String {
    values(comparison) + &differences(comparison)
}

fn left(comparison: &Comparison) -> f64 {
    let longest = comparison.recipes.iter().map(|recipe| short(&recipe.name).chars().count()).max().unwrap_or(0);
    (longest as f64 * 7.2 + 16.0).clamp(58.0, 190.0)
}

fn short(name: &str) -> String {
    match name.char_indices().nth(24) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_string(),
    }
}

/// Every run's figure, and each recipe's mean.
fn values(comparison: &Comparison) -> String {
    let all = comparison.recipes.iter().flat_map(|recipe| comparison.values(recipe)).map(|(_, value)| value);
    let range = bounds(all);
    if range[0].is_nan() {
        return String::new();
    }
    let share = reads_as_share(&comparison.metric);
    let rows = comparison.recipes.len() as f64;
    let (left, bottom) = (left(comparison), TOP + rows * ROW);
    let mut x = Scale::linear(range, left + 8.0, WIDTH - 22.0).padded(0.06);
    if share && range[1] <= 1.0 {
        x.high = x.high.min(1.0 + 0.02 * (range[1] - range[0]));
    }
    let title = metric_title(&comparison.metric);
    let mut svg = Svg::new(WIDTH, bottom + BELOW, &format!("{title} of every run"));
    axis(&mut svg, x, bottom, &title, share);
    let y = |i: usize| TOP + (i as f64 + 0.5) * ROW;
    // Runs with the same seed belong together.
    for &seed in &comparison.seeds {
        let points = comparison.recipes.iter().enumerate().map(|(i, recipe)| {
            let value =
                comparison.values(recipe).find(|(known, _)| *known == seed).map_or(f64::NAN, |(_, value)| value);
            [value, y(i)]
        });
        let plain = Frame { x, y: Scale::linear([0.0, 1.0], 0.0, 1.0) };
        let places: Vec<[f64; 2]> = points.collect();
        for pair in places.windows(2).filter(|pair| pair.iter().all(|point| point[0].is_finite())) {
            svg.line("pair", [plain.x.at(pair[0][0]), pair[0][1]], [plain.x.at(pair[1][0]), pair[1][1]]);
        }
    }
    for (i, recipe) in comparison.recipes.iter().enumerate() {
        svg.text("name", [left - 4.0, y(i) + 4.0], Anchor::End, &short(&recipe.name));
        for (seed, value) in comparison.values(recipe) {
            svg.group("dot", &format!("{}, seed {seed}: {}", recipe.name, metric_value(&comparison.metric, value)));
            svg.circle(&format!("run {}", colour(i)), [x.at(value), y(i)], 4.0);
            svg.end_group();
        }
        if let Some(&(mean, _)) = recipe.scores.get(comparison.place()).filter(|score| score.0.is_finite()) {
            svg.line(&format!("middle {}", colour(i)), [x.at(mean), y(i) - 11.0], [x.at(mean), y(i) + 11.0]);
        }
    }
    format!(
        "<figure class=\"card chart\">\n<h3>{} of every run</h3>\n<p class=\"sub\">dots: runs, joined by seed; bars: means</p>\n\
         <div class=\"plot\">{}</div>\n</figure>\n",
        escape(&title),
        svg.finish()
    )
}

/// The mean differences to the first recipe and where they may lie.
fn differences(comparison: &Comparison) -> String {
    let found: Vec<_> = comparison
        .recipes
        .iter()
        .enumerate()
        .filter_map(|(i, recipe)| Some((i, recipe, recipe.versus.as_ref().filter(|versus| versus.mean.is_finite())?)))
        .collect();
    if found.is_empty() {
        return String::new();
    }
    let ends = found.iter().flat_map(|(_, _, versus)| [versus.interval[0], versus.interval[1], versus.mean, 0.0]);
    let share = reads_as_share(&comparison.metric);
    let (left, bottom) = (left(comparison), TOP + found.len() as f64 * ROW);
    let x = Scale::linear(bounds(ends), left + 8.0, WIDTH - 22.0).padded(0.06);
    let title = metric_title(&comparison.metric);
    let first = comparison.recipes.first().map(|recipe| recipe.name.as_str()).unwrap_or_default();
    let words = format!("{title} less that of {first}");
    let mut svg = Svg::new(WIDTH, bottom + BELOW, &words);
    for (value, _) in x.ticks(5) {
        svg.line("grid", [x.at(value), TOP], [x.at(value), bottom]);
    }
    for (value, label) in x.ticks(5) {
        let label = if share { points(value) } else { label };
        svg.text("tick", [x.at(value), bottom + 16.5], Anchor::Middle, &label);
    }
    svg.line("axis", [x.start, bottom], [x.end, bottom]);
    svg.line("zero", [x.at(0.0), TOP], [x.at(0.0), bottom]);
    let unit = if share { "percentage points" } else { "difference" };
    svg.text("name", [(x.start + x.end) / 2.0, bottom + 33.0], Anchor::Middle, unit);
    for (row, (i, recipe, versus)) in found.iter().enumerate() {
        let y = TOP + (row as f64 + 0.5) * ROW;
        svg.text("name", [left - 4.0, y + 4.0], Anchor::End, &short(&recipe.name));
        let words = format!(
            "{}: {} ({})",
            recipe.name,
            text::difference(&comparison.metric, versus.mean),
            text::interval(&comparison.metric, versus)
        );
        svg.group("dot", &words);
        if versus.interval[0].is_finite() {
            let [low, high] = versus.interval.map(|end| x.at(end));
            svg.line(&format!("span {}", colour(*i)), [low, y], [high, y]);
            for end in [low, high] {
                svg.line(&format!("span {}", colour(*i)), [end, y - 5.0], [end, y + 5.0]);
            }
        }
        svg.circle(&format!("run {}", colour(*i)), [x.at(versus.mean), y], 5.0);
        svg.end_group();
    }
    format!(
        "<figure class=\"card chart\">\n<h3>Difference to {}</h3>\n<p class=\"sub\">mean over seeds, with its {}</p>\n\
         <div class=\"plot\">{}</div>\n</figure>\n",
        escape(first),
        text::interval_title(comparison),
        svg.finish()
    )
}

fn axis(svg: &mut Svg, x: Scale, bottom: f64, title: &str, share: bool) {
    let ticks = x.ticks(5);
    let fine = share && ticks.windows(2).any(|pair| pair[1].0 - pair[0].0 < 0.0095);
    for (value, label) in ticks {
        let at = x.at(value);
        svg.line("grid", [at, TOP], [at, bottom]);
        let label = match (share, fine) {
            (false, _) => label,
            (true, true) => percent(value),
            (true, false) => format!("{:.0}%", value * 100.0),
        };
        svg.text("tick", [at, bottom + 16.5], Anchor::Middle, &label);
    }
    svg.line("axis", [x.start, bottom], [x.end, bottom]);
    svg.text("name", [(x.start + x.end) / 2.0, bottom + 33.0], Anchor::Middle, title);
}

/// A share's difference in percentage points, short.
fn points(value: f64) -> String {
    let text = format!("{:.2}", value * 100.0);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    match text {
        "" | "-0" | "0" => "0".into(),
        text if text.starts_with('-') => text.replace('-', "−"),
        text => format!("+{text}"),
    }
}
