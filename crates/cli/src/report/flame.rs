//! A step as a flame chart: the whole, under it its layers, their gradients, and the kernels; widths are times.

use super::page::STYLE;
use super::scale::duration;
use super::svg::{Anchor, Svg};
use crate::costs::Cost;
use std::fmt::Write;

const WIDTH: f64 = 1200.0;
const LEFT: f64 = 20.0;
const TOP: f64 = 62.0;
/// The height of a row, the gap to the next one included.
const ROW: f64 = 26.0;
/// The width of a letter, on average.
const LETTER: f64 = 7.2;
/// Kernels that belong to no layer.
const OTHER: &str = "other";
/// What is no kernel.
const DISPATCH: &str = "between kernels";

/// A stretch of the step.
#[derive(Debug, Default)]
struct Stretch {
    name: String,
    seconds: f64,
    /// Told where the pointer rests, besides name and time.
    more: String,
    kernel: bool,
    inner: Vec<Stretch>,
}

impl Stretch {
    fn named(name: &str) -> Stretch {
        Stretch { name: name.into(), ..Stretch::default() }
    }

    fn depth(&self) -> usize {
        1 + self.inner.iter().map(Stretch::depth).max().unwrap_or(0)
    }

    /// Adds a kernel below the parts of its path.
    fn add(&mut self, path: &[&str], kernel: Stretch) {
        self.seconds += kernel.seconds;
        let Some((first, rest)) = path.split_first() else { return self.inner.push(kernel) };
        let known = self.inner.iter().position(|part| !part.kernel && part.name == *first);
        let place = known.unwrap_or_else(|| {
            self.inner.push(Stretch::named(first));
            self.inner.len() - 1
        });
        self.inner[place].add(rest, kernel);
    }
}

/// The chart as an SVG file. `seconds` is the time of the whole step; what kernels do not take of it is shown too.
pub fn draw(title: &str, subtitle: &str, seconds: f64, costs: &[Cost]) -> String {
    let mut step = Stretch::named("step");
    for cost in costs {
        let path: Vec<&str> = match &cost.path[..] {
            "" => vec![OTHER],
            path => path.split('/').collect(),
        };
        let name = if cost.calls == 1 { cost.label.clone() } else { format!("{} × {}", cost.calls, cost.label) };
        let more = format!(
            "\n{:.1} GFLOP/s, {:.1} GB/s, {:.0} % of the machine's peak",
            cost.flops() / 1e9,
            cost.rate() / 1e9,
            100.0 * cost.share_of_peak()
        );
        step.add(&path, Stretch { name, seconds: cost.seconds, more, kernel: true, inner: vec![] });
    }
    let rest = seconds - step.seconds;
    if rest > 0.0 {
        step.inner.push(Stretch { seconds: rest, ..Stretch::named(DISPATCH) });
        step.seconds = seconds;
    }
    let height = TOP + ROW * step.depth() as f64 + 16.0;
    let mut svg = Svg::new(WIDTH, height, title);
    svg.text("title", [LEFT, 26.0], Anchor::Start, title);
    svg.text("tick", [LEFT, 46.0], Anchor::Start, subtitle);
    let total = step.seconds.max(f64::MIN_POSITIVE);
    bar(&mut svg, &step, "whole", [LEFT, TOP, WIDTH - 2.0 * LEFT], total);
    let mut x = LEFT;
    for (i, part) in step.inner.iter().enumerate() {
        let width = (WIDTH - 2.0 * LEFT) * part.seconds / total;
        let class = if part.name == DISPATCH { "rest".into() } else { format!("f{}", i % 8) };
        tree(&mut svg, part, &class, [x, TOP + ROW, width], total);
        x += width;
    }
    let mut style = String::from(FILE_STYLE);
    for i in 0..8 {
        let _ = writeln!(style, "rect.f{i} {{ fill: var(--c{i}); }}");
    }
    svg.finish_file(&format!("{STYLE}{style}"))
}

/// A stretch and, below it, what it consists of.
fn tree(svg: &mut Svg, part: &Stretch, class: &str, [x, y, width]: [f64; 3], total: f64) {
    bar(svg, part, class, [x, y, width], total);
    let mut at = x;
    for inner in &part.inner {
        let own = if part.seconds > 0.0 { width * inner.seconds / part.seconds } else { 0.0 };
        tree(svg, inner, class, [at, y + ROW, own], total);
        at += own;
    }
}

fn bar(svg: &mut Svg, part: &Stretch, class: &str, [x, y, width]: [f64; 3], total: f64) {
    // Slivers that nobody can see or point at.
    if width < 0.2 {
        return;
    }
    let share = 100.0 * part.seconds / total;
    let hover = format!("{}\n{} of a step, {share:.1} %{}", part.name, duration_of(part.seconds), part.more);
    let opacity = if part.kernel { 0.28 } else { 0.6 };
    svg.shade(class, [x, y, (width - 1.0).max(0.2), ROW - 2.0], opacity, &hover);
    let room = ((width - 10.0) / LETTER).floor();
    let words = format!("{}, {}", part.name, duration_of(part.seconds));
    let words = if words.chars().count() as f64 <= room { words } else { part.name.clone() };
    let text: String = match words.chars().count() as f64 <= room {
        true => words,
        false if room >= 4.0 => words.chars().take(room as usize - 1).chain(['…']).collect(),
        false => return,
    };
    svg.text("flame", [x + 5.0, y + 16.5], Anchor::Start, &text);
}

/// Times below a millisecond with a decimal.
pub fn duration_of(seconds: f64) -> String {
    match seconds * 1e6 {
        us if us < 100.0 => format!("{us:.2} µs"),
        us if us < 1000.0 => format!("{us:.0} µs"),
        us if us < 1e5 => format!("{:.2} ms", us / 1e3),
        _ => duration(seconds),
    }
}

const FILE_STYLE: &str = "svg .title { font-size: 17px; font-weight: 650; fill: var(--ink); }\n\
    svg .flame { fill: var(--ink); font-size: 12px; pointer-events: none; }\n\
    rect.whole, rect.rest { fill: var(--best); }\n\
    rect:hover { stroke: var(--ink); }\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::costs::gather;
    use crate::costs::tests::{kernel, machine};

    #[test]
    fn widths_are_times() {
        let kernels = [
            kernel("matmul <1>", "block/dense", 60, 1000, 1000),
            kernel("matmul <2>", "block/dense/gradient", 20, 1000, 1000),
            kernel("guard", "", 0, 0, 4),
        ];
        let text = draw("a & b", "", 100e-6, &gather(&kernels, &machine()));
        let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let width = |name: &str| {
            let named = |node: &roxmltree::Node| {
                let title = node.children().find(|child| child.has_tag_name("title"));
                title.and_then(|title| title.text()).is_some_and(|text| text.lines().next() == Some(name))
            };
            let bar = document.descendants().filter(|node| node.has_tag_name("rect")).find(named);
            bar.unwrap_or_else(|| panic!("{name}: {text}")).attribute("width").unwrap().parse::<f64>().unwrap() + 1.0
        };
        let whole = WIDTH - 2.0 * LEFT;
        for (name, share) in
            [("step", 1.0), ("block", 0.8), ("dense", 0.8), ("matmul <1>", 0.6), ("gradient", 0.2), (DISPATCH, 0.2)]
        {
            assert!((width(name) - whole * share).abs() < 0.2, "{name}: {}", width(name));
        }
    }

    #[test]
    fn anything_makes_a_well_formed_file() {
        for (seconds, costs) in [(0.0, vec![]), (f64::NAN, gather(&[kernel("x", "", 0, 0, 0)], &machine()))] {
            let text = draw("", "", seconds, &costs);
            roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert!(!text.contains("NaN") && !text.contains("inf\""), "{text}");
        }
        assert_eq!([0.4e-6, 123e-6, 12.3e-3].map(duration_of), ["0.40 µs", "123 µs", "12.30 ms"]);
    }
}
