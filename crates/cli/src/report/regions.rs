//! Decision regions of a classifier of two features, with the data over them.
//!
//! Each class has its colour and its shape of point. Cells of one class that stand side by side in a row become one
//! rectangle, all rectangles of a class one path.

use std::fmt::Write;

use super::scale::{Scale, count};
use super::svg::{Frame, Svg, legend, pixel, thin};

const WIDTH: f64 = 620.0;
const MOST_POINTS: usize = 1500;
/// Colours of the palette; classes beyond them start again.
pub const COLOURS: usize = 10;
const SHAPES: [&str; 5] = ["disc", "square", "up", "diamond", "down"];

/// The picture; empty where the grid has no cell.
pub fn section(
    [x_name, y_name]: [&str; 2],
    names: &[String],
    [x_range, y_range]: [[f64; 2]; 2],
    columns: usize,
    grid: &[usize],
    points: &[(f64, f64, usize)],
) -> String {
    if columns == 0 || grid.len() < columns {
        return String::new();
    }
    let rows = grid.len() / columns;
    let (left, top) = (62.0, 14.0);
    let right = WIDTH - 20.0;
    let height = 480.0;
    let frame = Frame { x: Scale::linear(x_range, left, right), y: Scale::linear(y_range, height, top) };
    let mut svg = Svg::new(WIDTH, height + 44.0, &format!("Predicted class over {x_name} and {y_name}"));
    let classes = grid.iter().copied().chain(points.iter().map(|point| point.2)).max().unwrap_or(0).min(999) + 1;
    let mut paths = vec![String::new(); classes];
    let line = |row: usize| height + (top - height) * row as f64 / rows as f64;
    let column_at = |column: usize| left + (right - left) * column as f64 / columns as f64;
    for (row, cells) in grid.chunks_exact(columns).enumerate() {
        let mut column = 0;
        for run in cells.chunk_by(|a, b| a == b) {
            let (x, y) = (column_at(column), line(row + 1));
            let (width, tall) = (column_at(column + run.len()) - x, line(row) - y);
            let path = &mut paths[run[0].min(classes - 1)];
            let [x, y, width, tall] = [x, y, width, tall].map(pixel);
            let _ = write!(path, "M{x} {y}h{width}v{tall}h-{width}z");
            column += run.len();
        }
    }
    for (class, path) in paths.iter().enumerate() {
        svg.path(&format!("region c{}", class % COLOURS), path);
    }
    frame.ticks(&mut svg, x_name, y_name, |_, label| label);
    let points: Vec<_> = points.iter().copied().filter(|point| point.0.is_finite() && point.1.is_finite()).collect();
    let shown = thin(&points, MOST_POINTS);
    for class in 0..classes {
        let own = shown.iter().filter(|point| point.2.min(classes - 1) == class);
        let shape = SHAPES[class % SHAPES.len()];
        let path: String = own.map(|&(x, y, _)| marker(shape, frame.x.at(x), frame.y.at(y))).collect();
        svg.path(&format!("marker c{}", class % COLOURS), &path);
    }
    let name = |class: usize| names.get(class).cloned().unwrap_or_else(|| class.to_string());
    let keys: Vec<(String, String)> =
        (0..classes.min(30)).map(|class| (format!("c{}", class % COLOURS), name(class))).collect();
    let keys: Vec<(&str, &str, &str)> = keys
        .iter()
        .enumerate()
        .map(|(class, (colour, words))| (colour.as_str(), SHAPES[class % SHAPES.len()], words.as_str()))
        .collect();
    let mut words = String::from("Areas: the class predicted there. Points: the data, by their true class");
    if shown.len() < points.len() {
        words.push_str(&format!(" ({} of {} drawn)", count(shown.len() as u64), count(points.len() as u64)));
    }
    format!(
        "<figure class=\"card chart regions\">\n<h3>Decision regions</h3>\n<p class=\"sub\">{words}</p>\n<div class=\"plot\">{}</div>\n{}</figure>\n",
        svg.finish(),
        legend(&keys)
    )
}

fn marker(shape: &str, x: f64, y: f64) -> String {
    let place = |dx: f64, dy: f64| format!("M{} {}", pixel(x + dx), pixel(y + dy));
    match shape {
        "disc" => format!("{}a3 3 0 1 0 6 0a3 3 0 1 0-6 0z", place(-3.0, 0.0)),
        "square" => format!("{}h5.4v5.4h-5.4z", place(-2.7, -2.7)),
        "up" => format!("{}l3.6 6.2h-7.2z", place(0.0, -3.9)),
        "diamond" => format!("{}l3.7 3.7l-3.7 3.7l-3.7-3.7z", place(0.0, -3.7)),
        _ => format!("{}l3.6-6.2h-7.2z", place(0.0, 3.9)),
    }
}
