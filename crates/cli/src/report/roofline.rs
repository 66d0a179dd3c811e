//! The roofline of a machine with the kernels of a step below it: operations a second over operations a byte. Williams, Waterman &
//! Patterson 2009, doi:10.1145/1498765.1498785.

use super::flame::duration_of;
use super::page::STYLE;
use super::scale::{Scale, bounds};
use super::svg::{Anchor, Frame, Svg};
use crate::costs::Cost;
use gradus_kernels::{Bound, Machine};

const WIDTH: f64 = 1000.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = WIDTH - 30.0;
const TOP: f64 = 72.0;
const BOTTOM: f64 = 540.0;
/// Kernels that are named below the chart.
const NAMED: usize = 12;
/// The side of a number beside a dot.
const MARK: [f64; 2] = [17.0, 14.0];

/// The chart as an SVG file.
pub fn draw(title: &str, machine: &Machine, costs: &[Cost]) -> String {
    let total: f64 = costs.iter().map(|cost| cost.seconds).sum();
    let mut shown: Vec<&Cost> = costs.iter().filter(|cost| cost.flops() > 0.0 && cost.intensity() > 0.0).collect();
    shown.sort_by(|a, b| b.seconds.total_cmp(&a.seconds));
    let named = &shown[..shown.len().min(NAMED)];
    let frame = frame(machine, &shown);
    let height = BOTTOM + 66.0 + 19.0 * (named.len() + 1) as f64;
    let mut svg = Svg::new(WIDTH, height, title);
    svg.text("title", [LEFT, 26.0], Anchor::Start, title);
    let hidden: f64 = costs.iter().map(|cost| cost.seconds).sum::<f64>() - shown.iter().map(|c| c.seconds).sum::<f64>();
    let mut words = "dots are kernels, their areas times".to_string();
    if hidden > 5e-4 * total {
        words += &format!("; {:.1} % of the time is in kernels without arithmetic, not shown", 100.0 * hidden / total);
    }
    if shown.iter().any(|cost| cost.least > 1.05 * cost.seconds) {
        words += "; above its roof: needs fewer operations than the direct sums counted here";
    }
    svg.text("tick", [LEFT, 46.0], Anchor::Start, &words);
    frame.axes(&mut svg, "operations per byte", "GFLOP/s", |_, label| label);
    svg.line("axis", [LEFT, TOP], [LEFT, BOTTOM]);
    let words = roofs(&mut svg, &frame, machine);
    let radius = |cost: &Cost| 3.0 + 13.0 * (cost.seconds / total.max(f64::MIN_POSITIVE)).clamp(0.0, 1.0).sqrt();
    let place = |cost: &Cost| [frame.x.at(cost.intensity()), frame.y.at(cost.flops() / 1e9)];
    let mut taken: Vec<[f64; 4]> = vec![];
    for cost in &shown {
        let [x, y] = place(cost);
        let class = if cost.bound == Bound::Arithmetic { "dot arithmetic" } else { "dot traffic" };
        svg.group("", &words_of(cost, total));
        svg.circle(class, [x, y], radius(cost));
        svg.end_group();
    }
    for (start, degrees, text) in words {
        svg.turned("note", start, degrees, &text);
    }
    for cost in named {
        let ([x, y], r) = (place(cost), radius(cost).min(7.0));
        taken.push([x - r, y - r, x + r, y + r]);
    }
    for (i, cost) in named.iter().enumerate() {
        let centre = place(cost);
        let [x, y] = free_place(centre, radius(cost), &taken);
        taken.push(around([x, y]));
        if (x - centre[0]).hypot(y - centre[1]) > radius(cost) + 16.0 {
            svg.line("lead", centre, [x, y]);
        }
        svg.text("mark", [x, y + 4.2], Anchor::Middle, &(i + 1).to_string());
    }
    for (i, cost) in named.iter().enumerate() {
        let y = BOTTOM + 64.0 + 19.0 * i as f64;
        svg.text("name", [LEFT - 12.0, y], Anchor::End, &(i + 1).to_string());
        let class = if cost.bound == Bound::Arithmetic { "dot arithmetic" } else { "dot traffic" };
        svg.circle(class, [LEFT + 2.0, y - 4.0], 5.0);
        svg.text("name", [LEFT + 16.0, y], Anchor::Start, &shortened(&full_name(cost), 74));
        let words = format!(
            "{:.1} % of the time, {:.0} % of its roof ({})",
            100.0 * cost.seconds / total.max(f64::MIN_POSITIVE),
            100.0 * cost.share_of_peak(),
            machine.name(cost.bound)
        );
        svg.text("tick", [RIGHT, y], Anchor::End, &words);
    }
    svg.finish_file(&format!("{STYLE}{FILE_STYLE}"))
}

/// Scales that show all kernels, the ridge of every roof, and the peak.
fn frame(machine: &Machine, shown: &[&Cost]) -> Frame {
    let peak = machine.flops / 1e9;
    let ridges = machine.levels.iter().map(|level| machine.flops / level.rate);
    let [low, high] = bounds(shown.iter().map(|cost| cost.intensity()).chain(ridges.filter(|ridge| ridge.is_finite())));
    let [slowest, fastest] = bounds(shown.iter().map(|cost| cost.flops() / 1e9).chain([peak]));
    let x = Scale::log([low / 2.0, high * 4.0], LEFT, RIGHT);
    // What is a hundred thousand times slower than the peak lies on the edge.
    let y = Scale::log([(slowest / 2.0).max(peak / 1e5), fastest.min(peak * 100.0) * 2.0], BOTTOM, TOP);
    Frame { x, y }
}

/// The peak, and the slope of every level up to it. What is to be written along the slopes: place, angle, words.
fn roofs(svg: &mut Svg, frame: &Frame, machine: &Machine) -> Vec<([f64; 2], f64, String)> {
    let mut texts = vec![];
    let peak = machine.flops / 1e9;
    let (low, high) = (frame.x.low, frame.x.high);
    let at = |intensity: f64, gflops: f64| [frame.x.at(intensity), frame.y.at(gflops)];
    let nearest = machine.levels.iter().map(|level| machine.flops / level.rate).fold(f64::INFINITY, f64::min);
    svg.line("roof", at(nearest.clamp(low, high), peak), at(high, peak));
    let words = format!("{peak:.0} GFLOP/s, {} thread{}", machine.threads, if machine.threads == 1 { "" } else { "s" });
    svg.text("note", [RIGHT - 4.0, frame.y.at(peak) - 7.0], Anchor::End, &words);
    for (i, level) in machine.levels.iter().enumerate() {
        let rate = level.rate / 1e9;
        // From where it enters the picture, at its left or lower edge, to the peak.
        let enters = low.max(frame.y.low / rate);
        let ridge = (peak / rate).min(high);
        if !(rate.is_finite() && enters < ridge) {
            continue;
        }
        let (from, to) = (at(enters, enters * rate), at(ridge, ridge * rate));
        svg.line("roof", from, to);
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let length = dx.hypot(dy);
        // Neighbouring roofs have their words at different heights.
        let along = (length * (0.08 + 0.16 * (i % 4) as f64)).min((length - 110.0).max(0.0));
        let degrees = dy.atan2(dx).to_degrees();
        let (ux, uy) = (dx / length.max(1e-9), dy / length.max(1e-9));
        let start = [from[0] + ux * along + uy * 6.0, from[1] + uy * along - ux * 6.0];
        texts.push((start, degrees, format!("{} {rate:.0} GB/s", level.name)));
    }
    texts
}

/// The place for a mark near a dot that covers no other one, if there is one.
fn free_place([x, y]: [f64; 2], radius: f64, taken: &[[f64; 4]]) -> [f64; 2] {
    let mut first = None;
    for ring in 0..6 {
        let distance = radius + 11.0 + 15.0 * f64::from(ring);
        for turn in 0..16 {
            // To the upper right first.
            let angle = (f64::from(turn) * 22.5 - 45.0).to_radians();
            let at = [x + distance * angle.cos(), y + distance * angle.sin()];
            let [left, top, right, bottom] = around(at);
            let inside = left > LEFT && right < RIGHT && top > TOP - 10.0 && bottom < BOTTOM;
            let free = |other: &[f64; 4]| right < other[0] || left > other[2] || bottom < other[1] || top > other[3];
            first = first.or(inside.then_some(at));
            if inside && taken.iter().all(free) {
                return at;
            }
        }
    }
    first.unwrap_or([x, y])
}

fn around([x, y]: [f64; 2]) -> [f64; 4] {
    [x - MARK[0] / 2.0, y - MARK[1] / 2.0, x + MARK[0] / 2.0, y + MARK[1] / 2.0]
}

fn full_name(cost: &Cost) -> String {
    let calls = if cost.calls == 1 { String::new() } else { format!("{} × ", cost.calls) };
    let path = if cost.path.is_empty() { String::new() } else { format!("{}: ", cost.path) };
    format!("{path}{calls}{}", cost.label)
}

fn words_of(cost: &Cost, total: f64) -> String {
    format!(
        "{}\n{}, {:.1} % of the time\n{:.1} GFLOP/s, {:.1} GB/s, {:.0} % of its roof",
        full_name(cost),
        duration_of(cost.seconds),
        100.0 * cost.seconds / total.max(f64::MIN_POSITIVE),
        cost.flops() / 1e9,
        cost.rate() / 1e9,
        100.0 * cost.share_of_peak()
    )
}

/// At most so many letters.
pub fn shortened(text: &str, most: usize) -> String {
    match text.chars().count() > most {
        true => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        false => text.into(),
    }
}

const FILE_STYLE: &str = "svg .title { font-size: 17px; font-weight: 650; fill: var(--ink); }\n\
    path.roof { stroke: var(--ink); stroke-width: 1.6; fill: none; }\n\
    circle.dot { fill-opacity: 0.55; stroke: var(--card); stroke-width: 1; }\n\
    circle.arithmetic { fill: var(--c0); } circle.traffic { fill: var(--c1); }\n\
    svg .mark { font-size: 12px; font-weight: 650; fill: var(--ink); paint-order: stroke; stroke: var(--card); stroke-width: 3px; }\n\
    path.lead { stroke: var(--best); fill: none; }\n";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::costs::gather;
    use crate::costs::tests::{kernel, machine};

    #[test]
    fn kernels_stand_below_their_roofs_and_marks_apart() {
        // Many kernels in nearly one place.
        let kernels: Vec<_> =
            (0..20).map(|i| kernel(&format!("matmul {i}"), "dense", 50 + i, 1_000_000, 50_000)).collect();
        let text = draw("a < b", &machine(), &gather(&kernels, &machine()));
        let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        let number = |node: &roxmltree::Node, name: &str| node.attribute(name).unwrap().parse::<f64>().unwrap();
        let marks: Vec<[f64; 2]> = document
            .descendants()
            .filter(|node| node.attribute("class") == Some("mark"))
            .map(|node| [number(&node, "x"), number(&node, "y")])
            .collect();
        assert_eq!(marks.len(), NAMED);
        for (i, a) in marks.iter().enumerate() {
            for b in &marks[..i] {
                assert!((a[0] - b[0]).abs() >= MARK[0] - 0.2 || (a[1] - b[1]).abs() >= MARK[1] - 0.2, "{a:?} {b:?}");
            }
        }
        let peak = frame(&machine(), &[]).y.at(100.0);
        let dots = document.descendants().filter(|node| node.attribute("class").is_some_and(|c| c.starts_with("dot")));
        assert!(dots.filter(|dot| number(dot, "cy") < BOTTOM).all(|dot| number(&dot, "cy") > peak));
    }

    #[test]
    fn anything_makes_a_well_formed_file() {
        let fast = kernel("too fast", "", 1, 1 << 40, 1);
        let slow = kernel("too slow", "", 1 << 30, 1, 1 << 40);
        for kernels in [vec![], vec![kernel("copy", "", 3, 0, 100)], vec![fast, slow]] {
            let text = draw("", &machine(), &gather(&kernels, &machine()));
            roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert!(!text.contains("NaN") && !text.contains("inf\""), "{text}");
        }
        assert_eq!(shortened("matmul", 4), "mat…");
    }
}
