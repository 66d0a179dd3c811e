//! Paths of optimisers over a surface of two parameters, with contour lines.
//!
//! Lines are found by marching squares (Lorensen & Cline 1987, in the plane); at a saddle inside a square the mean of its corners
//! decides. Levels are chosen so that about equal areas lie between them, closer near the bottom.

use std::fmt::Write;

use gradus_train::Surface;

use super::page::STYLE;
use super::scale::{Scale, figure};
use super::svg::{Anchor, Frame, Svg, pixel};

/// Squares along each axis.
const CELLS: usize = 240;
/// Contour lines.
const LEVELS: usize = 16;
/// Longest side of the plot.
const LONG: f64 = 860.0;
const TALLEST: f64 = 620.0;
const SHORTEST: f64 = 330.0;

/// One optimiser's way.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// What it is called in the legend.
    pub name: String,
    /// Its points, the start first.
    pub points: Vec<[f64; 2]>,
    /// Whether it ended before its steps were done, at values that are not finite.
    pub diverged: bool,
}

/// The picture as an SVG file.
pub fn draw(surface: Surface, [xs, ys]: [[f64; 2]; 2], paths: &[Path]) -> String {
    let (left, top) = (58.0, 46.0);
    let ratio = (ys[1] - ys[0]) / (xs[1] - xs[0]);
    // Equal units on both axes, unless that would make the picture too flat or too tall.
    let (width, height) = if LONG * ratio > TALLEST {
        ((TALLEST / ratio).max(420.0), TALLEST)
    } else {
        (LONG, (LONG * ratio).max(SHORTEST))
    };
    let legend = 22.0 * paths.len() as f64;
    let frame = Frame { x: Scale::linear(xs, left, left + width), y: Scale::linear(ys, top + height, top) };
    let words = format!("Paths of {} optimisers over {}", paths.len(), surface.formula());
    let mut svg = Svg::new(left + width + 24.0, top + height + 62.0 + legend, &words);
    svg.text("title", [left, 26.0], Anchor::Start, surface.formula());
    svg.rect("tile-back", [left, top, width, height], "");
    levels(&mut svg, surface, &frame, [xs, ys]);
    frame.ticks(&mut svg, "x", "y", |_, label| label);
    svg.line("axis", [left, top], [left, top + height]);
    if let Some([x, y]) = surface.minimum().filter(|&point| inside(point, [xs, ys])) {
        let [x, y] = [frame.x.at(x), frame.y.at(y)];
        let arm = 5.0;
        svg.path(
            "target",
            &format!(
                "M{} {}L{} {}M{} {}L{} {}",
                pixel(x - arm),
                pixel(y - arm),
                pixel(x + arm),
                pixel(y + arm),
                pixel(x - arm),
                pixel(y + arm),
                pixel(x + arm),
                pixel(y - arm)
            ),
        );
    }
    for (i, path) in paths.iter().enumerate() {
        trace(&mut svg, &format!("c{}", i % 10), path, &frame, [xs, ys]);
    }
    for (i, path) in paths.iter().enumerate() {
        let y = top + height + 58.0 + 22.0 * i as f64;
        let class = format!("c{}", i % 10);
        svg.path(&format!("trace {class}"), &format!("M{} {}h24", pixel(left), pixel(y - 4.0)));
        svg.circle(&class, [left + 12.0, y - 4.0], 3.2);
        svg.text("name", [left + 34.0, y], Anchor::Start, &format!("{}: {}", path.name, end(surface, path)));
    }
    svg.finish_file(&format!(
        "{STYLE}svg .title {{ font-size: 17px; font-weight: 650; fill: var(--ink); }}\npath.target {{ fill: none; stroke: var(--ink); stroke-width: 2; }}\n"
    ))
}

/// Where a path ended, in words.
pub fn end(surface: Surface, path: &Path) -> String {
    let steps = path.points.len().saturating_sub(1);
    if path.diverged {
        return format!("diverged in step {}", steps + 1);
    }
    let Some(&[x, y]) = path.points.last() else { return String::new() };
    format!("z = {} at ({}, {}) after {steps} steps", figure(surface.at([x, y])), figure(x), figure(y))
}

fn inside([x, y]: [f64; 2], [xs, ys]: [[f64; 2]; 2]) -> bool {
    (xs[0]..=xs[1]).contains(&x) && (ys[0]..=ys[1]).contains(&y)
}

fn levels(svg: &mut Svg, surface: Surface, frame: &Frame, [xs, ys]: [[f64; 2]; 2]) {
    let at = |range: [f64; 2], i: usize| range[0] + (range[1] - range[0]) * i as f64 / CELLS as f64;
    let grid: Vec<Vec<f64>> =
        (0..=CELLS).map(|j| (0..=CELLS).map(|i| surface.at([at(xs, i), at(ys, j)])).collect()).collect();
    let mut sorted: Vec<f64> = grid.iter().flatten().copied().filter(|z| z.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    if sorted.is_empty() {
        return;
    }
    for level in 0..LEVELS {
        let share = ((level as f64 + 0.5) / LEVELS as f64).powf(1.5);
        let z = sorted[((sorted.len() - 1) as f64 * share) as usize];
        let mut commands = String::new();
        for line in isolines(&grid, z) {
            for (k, [i, j]) in line.iter().enumerate() {
                let x = frame.x.at(xs[0] + (xs[1] - xs[0]) * i / CELLS as f64);
                let y = frame.y.at(ys[0] + (ys[1] - ys[0]) * j / CELLS as f64);
                let _ = write!(commands, "{}{} {}", if k == 0 { 'M' } else { 'L' }, pixel(x), pixel(y));
            }
        }
        svg.group("", &format!("z = {}", figure(z)));
        svg.path(&format!("level l{}", level * 4 / LEVELS), &commands);
        svg.end_group();
    }
}

/// A path as far as it is in the window, a dot at each point, a ring at its end; an arrow where it leaves.
fn trace(svg: &mut Svg, class: &str, path: &Path, frame: &Frame, window: [[f64; 2]; 2]) {
    let pixel_of = |[x, y]: [f64; 2]| [frame.x.at(x), frame.y.at(y)];
    let mut commands = String::new();
    let mut leaving = None;
    for pair in path.points.windows(2) {
        let Some([from, to]) = clip(pair[0], pair[1], window) else { continue };
        let [[x0, y0], [x1, y1]] = [pixel_of(from), pixel_of(to)];
        let _ = write!(commands, "M{} {}L{} {}", pixel(x0), pixel(y0), pixel(x1), pixel(y1));
        leaving = (!inside(pair[1], window)).then_some(([x0, y0], [x1, y1]));
    }
    svg.path(&format!("trace {class}"), &commands);
    let last = path.points.len().saturating_sub(1);
    for (i, &point) in path.points.iter().enumerate().filter(|(_, point)| inside(**point, window)) {
        let size = if i == 0 || i == last { 5.0 } else { 2.6 };
        svg.circle(&format!("{}{class}", if i == 0 || i == last { "mark " } else { "" }), pixel_of(point), size);
    }
    if let Some(([x0, y0], [x1, y1])) = leaving {
        let length = ((x1 - x0).powi(2) + (y1 - y0).powi(2)).sqrt().max(1e-9);
        let (dx, dy) = ((x1 - x0) / length * 11.0, (y1 - y0) / length * 11.0);
        let point = |x: f64, y: f64| format!("{} {}", pixel(x), pixel(y));
        let head = format!(
            "M{}L{}L{}Z",
            point(x1, y1),
            point(x1 - dx - dy * 0.5, y1 - dy + dx * 0.5),
            point(x1 - dx + dy * 0.5, y1 - dy - dx * 0.5)
        );
        svg.path(class, &head);
    }
}

/// The part of a line from `a` to `b` inside a window. Liang & Barsky 1984.
fn clip(a: [f64; 2], b: [f64; 2], window: [[f64; 2]; 2]) -> Option<[[f64; 2]; 2]> {
    let (mut from, mut to) = (0.0f64, 1.0f64);
    for axis in 0..2 {
        let (d, [low, high]) = (b[axis] - a[axis], window[axis]);
        for (p, q) in [(-d, a[axis] - low), (d, high - a[axis])] {
            if p == 0.0 {
                if q < 0.0 {
                    return None;
                }
            } else if p < 0.0 {
                from = from.max(q / p);
            } else {
                to = to.min(q / p);
            }
        }
    }
    let at = |t: f64| [a[0] + t * (b[0] - a[0]), a[1] + t * (b[1] - a[1])];
    (from <= to).then(|| [at(from), at(to)])
}

/// Lines of one level over a grid of values, in units of its squares, joined end to end.
pub fn isolines(grid: &[Vec<f64>], level: f64) -> Vec<Vec<[f64; 2]>> {
    let mut pieces: Vec<[[f64; 2]; 2]> = vec![];
    for j in 0..grid.len().saturating_sub(1) {
        for i in 0..grid[j].len().saturating_sub(1) {
            // Corners against the clock from the origin; edge k goes from corner k to the next.
            let corners = [(i, j), (i + 1, j), (i + 1, j + 1), (i, j + 1)];
            let z = corners.map(|(i, j)| grid[j][i] - level);
            if z.iter().any(|z| !z.is_finite()) {
                continue;
            }
            let crossing = |k: usize| {
                let next = (k + 1) % 4;
                let (a, b) = (corners[k], corners[next]);
                let t = z[k] / (z[k] - z[next]);
                [a.0 as f64 + t * (b.0 as f64 - a.0 as f64), a.1 as f64 + t * (b.1 as f64 - a.1 as f64)]
            };
            let cut: Vec<usize> = (0..4).filter(|&k| (z[k] >= 0.0) != (z[(k + 1) % 4] >= 0.0)).collect();
            match cut[..] {
                [a, b] => pieces.push([crossing(a), crossing(b)]),
                [_, _, _, _] => {
                    let middle = z.iter().sum::<f64>() >= 0.0;
                    // Corners on the middle's side are joined through it.
                    let pairs = if middle == (z[0] >= 0.0) { [[0, 1], [2, 3]] } else { [[3, 0], [1, 2]] };
                    pieces.extend(pairs.map(|[a, b]| [crossing(a), crossing(b)]));
                }
                _ => {}
            }
        }
    }
    join(pieces)
}

/// Joins pieces whose ends meet.
fn join(pieces: Vec<[[f64; 2]; 2]>) -> Vec<Vec<[f64; 2]>> {
    use std::collections::HashMap;
    let key = |[x, y]: [f64; 2]| ((x * 1e7).round() as i64, (y * 1e7).round() as i64);
    let mut ends: HashMap<(i64, i64), Vec<usize>> = HashMap::new();
    for (index, piece) in pieces.iter().enumerate() {
        for &end in piece {
            ends.entry(key(end)).or_default().push(index);
        }
    }
    let mut used = vec![false; pieces.len()];
    let mut lines = vec![];
    for first in 0..pieces.len() {
        if std::mem::replace(&mut used[first], true) {
            continue;
        }
        let mut line = pieces[first].to_vec();
        for _ in 0..2 {
            while let Some(&last) = line.last() {
                let next = ends.get(&key(last)).and_then(|list| list.iter().copied().find(|&piece| !used[piece]));
                let Some(next) = next else { break };
                used[next] = true;
                let [a, b] = pieces[next];
                line.push(if key(a) == key(last) { b } else { a });
            }
            line.reverse();
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_of_a_bowl_is_one_closed_ellipse() {
        let at = |i: usize| (i as f64 - 40.0) / 10.0;
        let grid: Vec<Vec<f64>> =
            (0..=80).map(|j| (0..=80).map(|i| Surface::Bowl.at([at(i) * 2.0, at(j)])).collect()).collect();
        let lines = isolines(&grid, 1.0);
        assert_eq!(lines.len(), 1);
        let line = &lines[0];
        assert_eq!(line.first(), line.last());
        for [i, j] in line {
            let z = Surface::Bowl.at([(i - 40.0) / 5.0, (j - 40.0) / 10.0]);
            assert!((z - 1.0).abs() < 0.01, "{z}");
        }
        assert!(isolines(&grid, -1.0).is_empty());
    }

    #[test]
    fn the_pass_of_a_saddle_has_two_lines() {
        let grid: Vec<Vec<f64>> = (0..=10)
            .map(|j| (0..=10).map(|i| Surface::Saddle.at([i as f64 - 5.0, j as f64 - 5.0])).collect())
            .collect();
        assert_eq!(isolines(&grid, 2.5).len(), 2);
        // One square with opposite corners alike.
        assert_eq!(isolines(&[vec![1.0, -1.0], vec![-1.0, 1.0]], 0.1).len(), 2);
    }

    #[test]
    fn lines_are_cut_at_the_window() {
        let window = [[0.0, 10.0], [0.0, 10.0]];
        assert_eq!(clip([5.0, 5.0], [5.0, 1e12], window), Some([[5.0, 5.0], [5.0, 10.0]]));
        assert_eq!(clip([-5.0, 5.0], [15.0, 5.0], window), Some([[0.0, 5.0], [10.0, 5.0]]));
        assert_eq!(clip([-5.0, 5.0], [-1.0, 50.0], window), None);
    }

    #[test]
    fn the_picture_is_well_formed() {
        let path = |name: &str, points: Vec<[f64; 2]>, diverged| Path { name: name.into(), points, diverged };
        let paths = [
            path("sgd <0.95> & more", vec![[-7.0, 2.0], [-5.0, -1.0], [1.0, 0.5]], false),
            path("wild", vec![[-7.0, 2.0], [1e200, -1e200]], true),
            path("nothing", vec![], false),
        ];
        for surface in Surface::ALL {
            let text = draw(surface, surface.window(), &paths);
            let document = roxmltree::Document::parse(&text).unwrap_or_else(|e| panic!("{e}: {text}"));
            assert_eq!(document.root_element().tag_name().namespace(), Some("http://www.w3.org/2000/svg"));
            assert!(!text.contains("NaN") && !text.contains("inf"));
        }
    }
}
