//! A line chart as a file of its own: lines, and marked places on the horizontal axis.

use super::page::STYLE;
use super::scale::{Scale, Spread, bounds};
use super::svg::{Anchor, Frame, Svg, decimate};

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 420.0;
/// Points of a line, at most.
const MOST_POINTS: usize = 1500;

/// A chart.
pub struct Chart<'a> {
    /// What it shows.
    pub title: &'a str,
    /// A second line, in smaller letters.
    pub subtitle: &'a str,
    /// Name and spread of the horizontal axis.
    pub x: (&'a str, Spread),
    /// Spread of the vertical axis; the title says what it is.
    pub y: Spread,
    /// Values that the vertical axis need not go beyond, where lines do.
    pub y_limits: Option<[f64; 2]>,
    /// The lines.
    pub lines: Vec<Line<'a>>,
    /// Places to mark.
    pub marks: Vec<Mark>,
}

/// A line.
pub struct Line<'a> {
    /// Its name in the legend.
    pub name: &'a str,
    /// The class that gives its colour: `train`, `valid`, …
    pub class: &'a str,
    /// Whether it is thin and pale, to stand behind others.
    pub pale: bool,
    /// Its points, from left to right.
    pub points: Vec<[f64; 2]>,
}

/// A place on the horizontal axis.
pub struct Mark {
    /// Where.
    pub x: f64,
    /// Words over it.
    pub words: String,
    /// Whether it is the one that matters.
    pub main: bool,
}

impl Chart<'_> {
    /// The SVG file.
    pub fn file(&self) -> String {
        let (left, right, top, bottom) =
            (72.0, WIDTH - 24.0, 70.0 + 30.0 * f64::from(!self.marks.is_empty()), HEIGHT - 76.0);
        let all = || self.lines.iter().flat_map(|line| &line.points);
        let scale = |spread, range: [f64; 2], start, end| match spread {
            Spread::Linear => Scale::linear(range, start, end),
            Spread::Log => Scale::log(range, start, end),
        };
        let x = scale(self.x.1, bounds(all().map(|point| point[0])), left, right);
        let [mut low, mut high] = bounds(all().map(|point| point[1]));
        if let Some([from, to]) = self.y_limits {
            (low, high) = (low.max(from), high.min(to));
        }
        if self.y == Spread::Linear && low > 0.0 && low < 0.4 * high {
            low = 0.0;
        }
        let mut y = scale(self.y, [low, high], bottom, top).padded(0.05);
        if low == 0.0 {
            y.low = 0.0;
        }
        let frame = Frame { x, y };
        let mut svg = Svg::new(WIDTH, HEIGHT, self.title);
        svg.text("title", [left, 26.0], Anchor::Start, self.title);
        svg.text("tick", [left, 45.0], Anchor::Start, self.subtitle);
        frame.axes(&mut svg, self.x.0, "", |_, label| label);
        // Neighbours' words stand one below the other.
        let mut ends = [f64::NEG_INFINITY; 3];
        for mark in &self.marks {
            let at = x.at(mark.x);
            let half = mark.words.chars().count() as f64 * 3.2 + 6.0;
            let centre = at.clamp(left + half, right - half);
            let row = (0..ends.len()).find(|&row| ends[row] < centre - half).unwrap_or(0);
            ends[row] = centre + half;
            let class = if mark.main { "note main" } else { "note" };
            let height = top - 24.0 + 15.0 * row.min(1) as f64;
            svg.line(if mark.main { "guide main" } else { "best" }, [at, bottom], [at, height + 5.0]);
            svg.text(class, [centre, height], Anchor::Middle, &mark.words);
        }
        for line in &self.lines {
            // What lies far outside leaves a gap rather than a line along the edge.
            let within = |[x, value]: [f64; 2]| [x, if (y.low..=y.high).contains(&value) { value } else { f64::NAN }];
            let points: Vec<[f64; 2]> = decimate(&line.points, MOST_POINTS).into_iter().map(within).collect();
            let dense = if line.pale { " pale" } else { "" };
            svg.path(&format!("line {}{dense}", line.class), &frame.polyline(points.into_iter()));
        }
        let mut at = left;
        for line in self.lines.iter().filter(|_| self.lines.len() > 1) {
            let dense = if line.pale { " pale" } else { "" };
            svg.path(&format!("line {}{dense}", line.class), &format!("M{at} {}h22", HEIGHT - 18.0));
            svg.text("tick", [at + 29.0, HEIGHT - 14.0], Anchor::Start, line.name);
            at += 29.0 + 6.6 * line.name.chars().count() as f64 + 26.0;
        }
        svg.finish_file(&format!("{STYLE}{FILE_STYLE}"))
    }
}

/// What only files of their own need.
const FILE_STYLE: &str = "svg .title { font-size: 17px; font-weight: 650; fill: var(--ink); }\n\
    path.pale { stroke-width: 1; stroke-opacity: 0.45; }\n\
    path.guide.main { stroke: var(--c2); stroke-width: 2; fill: none; }\n\
    svg .note.main { fill: var(--c2); font-weight: 650; }\n";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_points_make_a_well_formed_file() {
        for points in
            [vec![], vec![[1.0, 2.0]], vec![[1e-7, 2.3], [1e-3, f64::NAN], [10.0, 1e300]], vec![[0.0, 0.0], [1.0, 0.0]]]
        {
            for spread in [Spread::Linear, Spread::Log] {
                let chart = Chart {
                    title: "a < b & c",
                    subtitle: "",
                    x: ("x", spread),
                    y: spread,
                    y_limits: Some([0.0, 3.0]),
                    lines: vec![
                        Line { name: "one", class: "train", pale: true, points: points.clone() },
                        Line { name: "two", class: "valid", pale: false, points: points.clone() },
                    ],
                    marks: vec![Mark { x: 0.5, words: "here".into(), main: true }],
                };
                let text = chart.file();
                roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
                assert!(!text.contains("NaN\"") && !text.contains("inf"), "{text}");
            }
        }
    }
}
