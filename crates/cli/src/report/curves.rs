//! Loss and metrics over the epochs: train and valid lines, the best epoch marked, values on hover.
//!
//! Where values span more than one order of magnitude, a switch (plain CSS, no script) offers a logarithmic axis.

use super::data::{Curve, Point, ReportData};
use super::scale::{Scale, Spread, bounds, epoch, percent};
use super::svg::{Anchor, Frame, Svg, decimate, escape, legend};
use super::tables::{metric_title, metric_value, reads_as_share};

const WIDTH: f64 = 560.0;
/// Width of a chart that stands alone.
const WIDE: f64 = 1130.0;
const HEIGHT: f64 = 300.0;
/// From this many points on a line is thin and pale.
const DENSE: usize = 300;
/// Points of a line, at most: more than there are pixels.
const MOST_POINTS: usize = 600;
/// Places that answer the mouse, at most.
const MOST_HOVERS: usize = 100;
/// From this ratio of largest to smallest value on, a logarithmic axis is offered, and from the second on it is shown first.
const LOG_OFFERED: f64 = 8.0;
const LOG_FIRST: f64 = 50.0;

/// One figure per curve that has any point; empty where none has.
pub fn section(data: &ReportData) -> String {
    let curves: Vec<&Curve> = data.curves.iter().filter(|curve| values(curve).next().is_some()).collect();
    let width = if curves.len() == 1 { WIDE } else { WIDTH };
    curves.iter().enumerate().map(|(index, curve)| figure(index, curve, data.summary.best_epoch, width)).collect()
}

fn figure(index: usize, curve: &Curve, best: Option<f64>, width: f64) -> String {
    let title = metric_title(&curve.metric);
    let [low, high] = bounds(values(curve));
    let all_positive = values(curve).filter(|value| value.is_finite()).all(|value| value > 0.0);
    let ratio = high / low;
    let wide = if width == WIDE { " wide" } else { "" };
    let mut html = format!("<figure class=\"card chart{wide}\">\n<h3>{}</h3>\n", escape(&title));
    if all_positive && ratio > LOG_OFFERED && !reads_as_share(&curve.metric) {
        let log_first = ratio > LOG_FIRST;
        for (spread, words, first) in [("lin", "linear", !log_first), ("log", "log", log_first)] {
            let checked = if first { " checked=\"checked\"" } else { "" };
            html.push_str(&format!(
                "<input type=\"radio\" class=\"pick {spread}\" name=\"axis{index}\" id=\"{spread}{index}\"{checked}/>\
                 <label for=\"{spread}{index}\">{words}</label>\n"
            ));
        }
        html.push_str(&format!("<div class=\"plot lin\">{}</div>\n", draw(curve, &title, Spread::Linear, best, width)));
        html.push_str(&format!("<div class=\"plot log\">{}</div>\n", draw(curve, &title, Spread::Log, best, width)));
    } else {
        html.push_str(&format!("<div class=\"plot\">{}</div>\n", draw(curve, &title, Spread::Linear, best, width)));
    }
    let mut keys = Vec::new();
    if !curve.train.is_empty() {
        keys.push(("train", "stroke", "train"));
    }
    if !curve.valid.is_empty() {
        keys.push(("valid", "stroke", "valid"));
    }
    if best.is_some() {
        keys.push(("best", "stroke dashed", "weights kept"));
    }
    html.push_str(&legend(&keys));
    html.push_str("</figure>\n");
    html
}

fn draw(curve: &Curve, title: &str, spread: Spread, best: Option<f64>, width: f64) -> String {
    let share = reads_as_share(&curve.metric);
    let mut range = bounds(values(curve));
    let (left, right, bottom, top) = (58.0, width - 22.0, HEIGHT - 44.0, 26.0);
    let y = match spread {
        Spread::Log => Scale::log(range, bottom, top).padded(0.04),
        Spread::Linear => {
            // A loss that is small at its end is read against 0.
            if !share && range[0] > 0.0 && range[0] < 0.3 * range[1] {
                range[0] = 0.0;
            }
            let from_zero = range[0] == 0.0;
            let mut y = Scale::linear(range, bottom, top).padded(0.05);
            if from_zero {
                y.low = 0.0;
            }
            if share && range[1] <= 1.0 && y.high > 1.0 {
                y.high = 1.0;
            }
            y
        }
    };
    let epochs = curve.train.iter().chain(&curve.valid).map(|point| point.epoch);
    let frame = Frame { x: Scale::linear(bounds(epochs), left, right), y };
    let mut svg = Svg::new(width, HEIGHT, &format!("{title} over the epochs"));
    frame.axes(&mut svg, "epoch", "", |value, label| if share { percent_tick(value, &y) } else { label });
    if let Some(best) = best.filter(|best| *best >= frame.x.low && *best <= frame.x.high) {
        let x = frame.x.at(best);
        svg.line("best", [x, bottom], [x, top - 5.0]);
        let words = format!("best: {}", epoch(best));
        // Centred over its line, but never beyond the plot.
        let half = words.chars().count() as f64 * 3.3;
        svg.text("note", [x.clamp(left + half, right - half), top - 9.0], Anchor::Middle, &words);
    }
    for (class, points) in [("train", &curve.train), ("valid", &curve.valid)] {
        let pairs: Vec<[f64; 2]> = points.iter().map(|point| [point.epoch, point.value]).collect();
        let dense = if pairs.len() > DENSE { " dense" } else { "" };
        svg.path(&format!("line {class}{dense}"), &frame.polyline(decimate(&pairs, MOST_POINTS).into_iter()));
    }
    let marked = if curve.valid.is_empty() { ("train", &curve.train) } else { ("valid", &curve.valid) };
    if let Some(point) = best.and_then(|best| nearest(marked.1, best)) {
        svg.circle(&format!("mark {}", marked.0), [frame.x.at(point.epoch), frame.y.at(point.value)], 4.0);
    }
    hovers(&mut svg, &frame, curve);
    svg.finish()
}

/// Invisible bands over the plot that show the values of their epoch.
fn hovers(svg: &mut Svg, frame: &Frame, curve: &Curve) {
    let mut epochs: Vec<f64> =
        curve.train.iter().chain(&curve.valid).map(|point| point.epoch).filter(|epoch| epoch.is_finite()).collect();
    epochs.sort_unstable_by(f64::total_cmp);
    epochs.dedup();
    let epochs = thin_keeping_last(&epochs);
    for (i, &at) in epochs.iter().enumerate() {
        let middle = |other: Option<&f64>, end: f64| other.map_or(end, |&other| frame.x.at((at + other) / 2.0));
        let left = middle(i.checked_sub(1).and_then(|i| epochs.get(i)), frame.x.start - 6.0);
        let right = middle(epochs.get(i + 1), frame.x.end + 6.0);
        let mut words = format!("epoch {}", epoch(at));
        let mut dots = Vec::new();
        for (name, points) in [("train", &curve.train), ("valid", &curve.valid)] {
            if let Some(point) = nearest(points, at) {
                words.push_str(&format!("\n{name} {}", metric_value(&curve.metric, point.value)));
                dots.push((name, [frame.x.at(point.epoch), frame.y.at(point.value)]));
            }
        }
        svg.group("hover", &words);
        svg.rect("hit", [left, frame.y.end, (right - left).max(0.1), frame.y.start - frame.y.end], "");
        svg.line("guide", [frame.x.at(at), frame.y.start], [frame.x.at(at), frame.y.end]);
        for (name, place) in dots {
            svg.circle(name, place, 3.0);
        }
        svg.end_group();
    }
}

/// The finite point nearest to an epoch; points are in ascending order of epoch.
fn nearest(points: &[Point], epoch: f64) -> Option<&Point> {
    let after = points.partition_point(|point| point.epoch < epoch);
    let around = points.get(after.saturating_sub(1)..(after + 1).min(points.len()))?;
    let distance = |point: &&Point| (point.epoch - epoch).abs();
    around.iter().filter(|point| point.value.is_finite()).min_by(|a, b| distance(a).total_cmp(&distance(b)))
}

fn thin_keeping_last(epochs: &[f64]) -> Vec<f64> {
    let every = epochs.len().div_ceil(MOST_HOVERS).max(1);
    epochs.iter().rev().step_by(every).rev().copied().collect()
}

fn percent_tick(value: f64, y: &Scale) -> String {
    let decimals = match y.high - y.low {
        range if range < 0.004 => 2,
        range if range < 0.04 => 1,
        _ => 0,
    };
    if decimals == 2 { percent(value) } else { format!("{:.decimals$}%", value * 100.0) }
}

fn values(curve: &Curve) -> impl Iterator<Item = f64> {
    curve.train.iter().chain(&curve.valid).map(|point| point.value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_looks_both_ways_and_past_nothing() {
        let points: Vec<Point> = [1.0, 2.0, 4.0].iter().map(|&epoch| Point { epoch, value: epoch }).collect();
        let at = |epoch| nearest(&points, epoch).map(|point| point.epoch);
        assert_eq!([at(0.0), at(1.4), at(3.9), at(9.0)], [Some(1.0), Some(1.0), Some(4.0), Some(4.0)]);
        assert!(nearest(&[], 1.0).is_none());
    }
}
