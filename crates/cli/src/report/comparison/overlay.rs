//! Losses of all recipes over the epochs: each run a thin line, the mean of a recipe's runs a thick one while all of them go on.

use super::Comparison;
use crate::report::data::Point;
use crate::report::scale::{Scale, Spread, bounds, epoch};
use crate::report::svg::{Frame, Svg, escape};
use crate::report::tables::metric_value;

const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 310.0;
/// From these ratios of largest to smallest value on, a logarithmic axis is offered, and shown first.
const LOG_OFFERED: f64 = 8.0;
const LOG_FIRST: f64 = 50.0;
/// Places that answer the mouse.
const HOVERS: usize = 60;
/// Colours of the style sheet.
pub const COLOURS: usize = 10;

/// The class of a recipe's lines.
pub fn colour(index: usize) -> String {
    let dashed = if index / COLOURS % 2 == 1 { " again" } else { "" };
    format!("s{}{dashed}", index % COLOURS)
}

/// Validation and training loss; empty where there is none.
pub fn section(comparison: &Comparison) -> String {
    let titles = [(1, "Validation loss"), (0, "Training loss")];
    titles.iter().enumerate().map(|(figure, &(part, title))| chart(comparison, part, title, figure)).collect()
}

/// The curves of one recipe and their mean.
struct Lines {
    index: usize,
    runs: Vec<Vec<[f64; 2]>>,
    mean: Vec<[f64; 2]>,
}

fn chart(comparison: &Comparison, part: usize, title: &str, figure: usize) -> String {
    let pair = |points: &[Point]| points.iter().map(|point| [point.epoch, point.value]).collect::<Vec<_>>();
    let lines: Vec<Lines> = comparison
        .recipes
        .iter()
        .enumerate()
        .map(|(index, recipe)| {
            let runs: Vec<_> = recipe.done().map(|run| pair(&run.curves[part])).filter(|run| !run.is_empty()).collect();
            Lines { index, mean: mean(&runs), runs }
        })
        .filter(|lines| !lines.runs.is_empty())
        .collect();
    if lines.is_empty() {
        return String::new();
    }
    let values = || lines.iter().flat_map(|lines| lines.runs.iter().flatten()).map(|point| point[1]);
    let [low, high] = bounds(values());
    let positive = values().filter(|value| value.is_finite()).all(|value| value > 0.0);
    let mut html = format!("<figure class=\"card chart\">\n<h3>{title}</h3>\n");
    let draw = |spread| draw(comparison, &lines, title, spread);
    if positive && high / low > LOG_OFFERED {
        let log_first = high / low > LOG_FIRST;
        for (spread, words, first) in [("lin", "linear", !log_first), ("log", "log", log_first)] {
            let checked = if first { " checked=\"checked\"" } else { "" };
            html.push_str(&format!(
                "<input type=\"radio\" class=\"pick {spread}\" name=\"over{figure}\" id=\"over{spread}{figure}\"{checked}/>\
                 <label for=\"over{spread}{figure}\">{words}</label>\n"
            ));
        }
        html.push_str(&format!("<div class=\"plot lin\">{}</div>\n", draw(Spread::Linear)));
        html.push_str(&format!("<div class=\"plot log\">{}</div>\n", draw(Spread::Log)));
    } else {
        html.push_str(&format!("<div class=\"plot\">{}</div>\n", draw(Spread::Linear)));
    }
    html.push_str(&legend(comparison));
    html.push_str("</figure>\n");
    html
}

/// The recipes with their colours.
pub fn legend(comparison: &Comparison) -> String {
    let keys: String = comparison
        .recipes
        .iter()
        .enumerate()
        .map(|(i, recipe)| {
            let shape = if i / COLOURS % 2 == 1 { "stroke dashed" } else { "stroke" };
            format!("<span class=\"key\"><i class=\"{shape} l{}\"></i>{}</span>", i % COLOURS, escape(&recipe.name))
        })
        .collect();
    format!("<div class=\"legend\">{keys}</div>\n")
}

fn draw(comparison: &Comparison, lines: &[Lines], title: &str, spread: Spread) -> String {
    let (left, right, bottom, top) = (58.0, WIDTH - 22.0, HEIGHT - 44.0, 26.0);
    let points = || lines.iter().flat_map(|lines| lines.runs.iter().flatten());
    let mut range = bounds(points().map(|point| point[1]));
    let y = match spread {
        Spread::Log => Scale::log(range, bottom, top).padded(0.04),
        Spread::Linear => {
            if range[0] > 0.0 && range[0] < 0.3 * range[1] {
                range[0] = 0.0;
            }
            let from_zero = range[0] == 0.0;
            let y = Scale::linear(range, bottom, top).padded(0.05);
            if from_zero { Scale { low: 0.0, ..y } } else { y }
        }
    };
    let frame = Frame { x: Scale::linear(bounds(points().map(|point| point[0])), left, right), y };
    let mut svg = Svg::new(WIDTH, HEIGHT, &format!("{title} over the epochs"));
    frame.axes(&mut svg, "epoch", "", |_, label| label);
    for own in lines {
        let class = colour(own.index);
        for run in &own.runs {
            svg.path(&format!("line thin {class}"), &frame.polyline(run.iter().copied()));
        }
    }
    for own in lines {
        svg.path(&format!("line mean {}", colour(own.index)), &frame.polyline(own.mean.iter().copied()));
    }
    hovers(&mut svg, &frame, comparison, lines);
    svg.finish()
}

fn hovers(svg: &mut Svg, frame: &Frame, comparison: &Comparison, lines: &[Lines]) {
    let width = (frame.x.end - frame.x.start) / HOVERS as f64;
    for i in 0..HOVERS {
        let x = frame.x.start + (i as f64 + 0.5) * width;
        let at = frame.x.low + (x - frame.x.start) / (frame.x.end - frame.x.start) * (frame.x.high - frame.x.low);
        let mut words = format!("epoch {}", epoch(at.round()));
        let mut any = false;
        for own in lines {
            if let Some(value) = value_at(&own.mean, at) {
                words.push_str(&format!("\n{} {}", comparison.recipes[own.index].name, metric_value("loss", value)));
                any = true;
            }
        }
        if any {
            svg.group("hover", &words);
            svg.rect("hit", [x - width / 2.0, frame.y.end, width, frame.y.start - frame.y.end], "");
            svg.line("guide", [x, frame.y.start], [x, frame.y.end]);
            svg.end_group();
        }
    }
}

/// The mean of several lines at the points of the one that ends first, up to its end.
fn mean(runs: &[Vec<[f64; 2]>]) -> Vec<[f64; 2]> {
    let end = |run: &&Vec<[f64; 2]>| run.last().map_or(f64::NAN, |point| point[0]);
    let Some(shortest) = runs.iter().min_by(|a, b| end(a).total_cmp(&end(b))) else { return vec![] };
    let begin = runs.iter().filter_map(|run| run.first()).map(|point| point[0]).fold(f64::NEG_INFINITY, f64::max);
    let at = |x: f64| {
        let values: Option<Vec<f64>> = runs.iter().map(|run| value_at(run, x)).collect();
        values.map(|values| [x, values.iter().sum::<f64>() / values.len() as f64])
    };
    shortest.iter().filter(|point| point[0] >= begin).filter_map(|point| at(point[0])).collect()
}

/// A line's height, straight between its points; `None` beyond its ends.
fn value_at(line: &[[f64; 2]], x: f64) -> Option<f64> {
    let after = line.partition_point(|point| point[0] < x);
    let right = line.get(after)?;
    if right[0] == x {
        return Some(right[1]);
    }
    let left = line.get(after.checked_sub(1)?)?;
    Some(left[1] + (right[1] - left[1]) * (x - left[0]) / (right[0] - left[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_goes_as_far_as_all_runs_go() {
        let runs = [vec![[1.0, 4.0], [2.0, 2.0], [3.0, 1.0]], vec![[1.0, 2.0], [2.0, 0.0]]];
        assert_eq!(mean(&runs), [[1.0, 3.0], [2.0, 1.0]]);
        let uneven = [vec![[1.0, 4.0], [3.0, 0.0]], vec![[1.0, 2.0], [2.0, 0.0], [4.0, 0.0]]];
        assert_eq!(mean(&uneven), [[1.0, 3.0], [3.0, 0.0]]);
        assert!(mean(&[]).is_empty());
    }
}
