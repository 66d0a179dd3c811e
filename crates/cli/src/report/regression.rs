//! Predicted against true values, the distribution of the residuals, and the fitted curve over the data.

use super::data::Target;
use super::scale::{Scale, bounds, count, figure, round_step};
use super::svg::{Anchor, Frame, Svg, decimate, escape, legend, thin};

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 330.0;
/// Dots of a cloud, at most.
const MOST_DOTS: usize = 2400;
/// Dots drawn as one shape: those of different shapes darken each other, so that dense places show.
const PER_SHAPE: usize = 60;
/// Targets shown, at most.
const MOST_TARGETS: usize = 6;
const BINS: usize = 32;

/// Two charts per target.
pub fn section(split: &str, targets: &[Target]) -> String {
    let mut html = String::new();
    for target in targets.iter().take(MOST_TARGETS) {
        let pairs: Vec<[f64; 2]> = target
            .truth
            .iter()
            .zip(&target.predicted)
            .map(|(&truth, &predicted)| [truth, predicted])
            .filter(|pair| pair[0].is_finite() && pair[1].is_finite())
            .collect();
        if !pairs.is_empty() {
            html.push_str(&cloud(split, &target.name, &pairs));
            html.push_str(&residuals(split, &target.name, &pairs));
        }
    }
    if targets.len() > MOST_TARGETS {
        html.push_str(&format!("<p class=\"sub\">{} more outputs not shown</p>\n", targets.len() - MOST_TARGETS));
    }
    html
}

fn cloud(split: &str, name: &str, pairs: &[[f64; 2]]) -> String {
    let range = bounds(pairs.iter().flatten().copied());
    let frame = Frame {
        x: Scale::linear(range, 62.0, WIDTH - 24.0).padded(0.04),
        y: Scale::linear(range, HEIGHT - 44.0, 14.0).padded(0.04),
    };
    let mut svg = Svg::new(WIDTH, HEIGHT, &format!("{name}: predicted against true values"));
    frame.axes(&mut svg, "true", "predicted", |_, label| label);
    svg.line(
        "even",
        [frame.x.at(frame.x.low), frame.y.at(frame.y.low)],
        [frame.x.at(frame.x.high), frame.y.at(frame.y.high)],
    );
    let shown = thin(pairs, MOST_DOTS);
    dots(&mut svg, &frame, &shown, "train");
    let mut words = format!("{} {split} rows", count(pairs.len() as u64));
    if shown.len() < pairs.len() {
        words.push_str(&format!(", {} of them drawn", count(shown.len() as u64)));
    }
    format!(
        "<figure class=\"card chart\">\n<h3>{}: predicted against true</h3>\n<p class=\"sub\">{}</p>\n<div class=\"plot\">{}</div>\n{}</figure>\n",
        escape(name),
        escape(&words),
        svg.finish(),
        legend(&[("train", "dot", "one row"), ("even", "stroke dashed", "exactly right")])
    )
}

fn residuals(split: &str, name: &str, pairs: &[[f64; 2]]) -> String {
    let mut errors: Vec<f64> = pairs.iter().map(|[truth, predicted]| predicted - truth).collect();
    errors.sort_unstable_by(f64::total_cmp);
    let quantile = |q: f64| errors[((errors.len() - 1) as f64 * q).round() as usize];
    let half = quantile(0.995).abs().max(quantile(0.005).abs());
    let step = round_step(2.0 * half / BINS as f64);
    let bins = (half / step).ceil().clamp(1.0, BINS as f64) as usize;
    let edge = bins as f64 * step;
    let mut heights = vec![0_u64; 2 * bins];
    for error in &errors {
        let bin = ((error + edge) / step).floor().clamp(0.0, (2 * bins - 1) as f64);
        heights[bin as usize] += 1;
    }
    let most = heights.iter().max().copied().unwrap_or(1);
    let mut frame = Frame {
        x: Scale::linear([-edge, edge], 62.0, WIDTH - 24.0),
        y: Scale::linear([0.0, most as f64], HEIGHT - 44.0, 14.0),
    };
    frame.y.high *= 1.06;
    let mut svg = Svg::new(WIDTH, HEIGHT, &format!("{name}: distribution of the residuals"));
    frame.axes(&mut svg, "predicted − true", "rows", |_, label| label);
    for (bin, &rows) in heights.iter().enumerate().filter(|(_, rows)| **rows > 0) {
        let low = -edge + bin as f64 * step;
        let (left, right, top) = (frame.x.at(low), frame.x.at(low + step), frame.y.at(rows as f64));
        let outer = |at_end: bool, words: &str, value: f64| if at_end { words.to_owned() } else { figure(value) };
        let words = format!(
            "{} to {}: {} rows",
            outer(bin == 0 && errors[0] < low, "below", low),
            outer(bin + 1 == heights.len() && errors[errors.len() - 1] > low + step, "above", low + step),
            count(rows)
        );
        svg.rect("column", [left + 0.5, top, (right - left - 1.0).max(0.5), frame.y.start - top], &words);
    }
    let zero = frame.x.at(0.0);
    svg.line("even", [zero, frame.y.start], [zero, frame.y.end]);
    let rows = errors.len() as f64;
    let mean = errors.iter().sum::<f64>() / rows;
    let spread = (errors.iter().map(|error| (error - mean).powi(2)).sum::<f64>() / rows).sqrt();
    let mut sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
    sizes.sort_unstable_by(f64::total_cmp);
    let within = |q: f64| figure(sizes[((sizes.len() - 1) as f64 * q).round() as usize]);
    let words = format!(
        "{split}: mean {}, standard deviation {}; half of the rows within ±{}, nine tenths within ±{}",
        figure(mean),
        figure(spread),
        within(0.5),
        within(0.9)
    );
    format!(
        "<figure class=\"card chart\">\n<h3>{}: residuals</h3>\n<p class=\"sub\">{}</p>\n<div class=\"plot\">{}</div>\n</figure>\n",
        escape(name),
        escape(&words),
        svg.finish()
    )
}

/// The learnt curve of a one-feature regression over its data.
pub fn fit(x_name: &str, y_name: &str, data: &[[f64; 2]], curve: &[[f64; 2]]) -> String {
    let all = || data.iter().chain(curve);
    if all().all(|[x, y]| !(x.is_finite() && y.is_finite())) {
        return String::new();
    }
    let (width, height) = (1130.0, 420.0);
    let frame = Frame {
        x: Scale::linear(bounds(all().map(|point| point[0])), 62.0, width - 24.0).padded(0.01),
        y: Scale::linear(bounds(all().map(|point| point[1])), height - 44.0, 14.0).padded(0.05),
    };
    let mut svg = Svg::new(width, height, &format!("Learnt curve of {y_name} over {x_name}"));
    frame.axes(&mut svg, x_name, y_name, |_, label| label);
    let shown = thin(data, MOST_DOTS);
    dots(&mut svg, &frame, &shown, "train");
    svg.path("line fit", &frame.polyline(decimate(curve, 800).into_iter()));
    if let [first, ..] = curve {
        // A curve of one point is seen as well.
        if curve.len() == 1 && first.iter().all(|value| value.is_finite()) {
            svg.text("note", [frame.x.at(first[0]) + 8.0, frame.y.at(first[1])], Anchor::Start, &figure(first[1]));
        }
    }
    format!(
        "<figure class=\"card chart wide\">\n<h3>What was learnt</h3>\n<div class=\"plot\">{}</div>\n{}</figure>\n",
        svg.finish(),
        legend(&[("train", "dot", "data"), ("fit", "stroke", "learnt curve")])
    )
}

fn dots(svg: &mut Svg, frame: &Frame, points: &[[f64; 2]], class: &str) {
    let size = if points.len() > 600 { " small" } else { "" };
    // Neighbours in the data land in different shapes.
    let shapes = points.len().div_ceil(PER_SHAPE).max(1);
    for shape in 0..shapes {
        let every = points.iter().skip(shape).step_by(shapes).copied();
        svg.path(&format!("dots {class}{size}"), &frame.dots(every));
    }
}
