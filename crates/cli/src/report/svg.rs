//! A small chart toolkit: shapes as text, a frame with axes, lines and dots in it.
//!
//! Colours live in the page's style sheet; shapes carry class names only, so that one drawing serves light, dark and print.

use std::fmt::Write;

use super::scale::Scale;

/// Text safe inside HTML and inside double-quoted attributes. Control characters, which no document may hold, become `�`.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(character),
            c if c.is_control() || c == '\u{fffe}' || c == '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A pixel to a tenth, as short as it goes.
pub fn pixel(value: f64) -> String {
    let tenths = (value * 10.0).round() / 10.0;
    if tenths == 0.0 || !tenths.is_finite() { "0".into() } else { tenths.to_string() }
}

/// A drawing under construction. Every text is escaped here, every number finite.
#[derive(Debug, Clone)]
pub struct Svg {
    body: String,
}

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The text begins there.
    Start,
    /// The text is centred there.
    Middle,
    /// The text ends there.
    End,
}

impl Svg {
    /// An empty drawing of `width` by `height` pixels; `label` says in words what it shows.
    pub fn new(width: f64, height: f64, label: &str) -> Self {
        let (width, height) = (pixel(width), pixel(height));
        Self { body: format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{}\">\n", escape(label)) }
    }

    /// A filled rectangle, with words to show on hover unless empty.
    pub fn rect(&mut self, class: &str, [x, y, width, height]: [f64; 4], hover: &str) {
        let [x, y, width, height] = [x, y, width, height].map(pixel);
        let _ = write!(self.body, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"");
        self.close("rect", hover);
    }

    /// A filled rectangle of the given opacity.
    pub fn shade(&mut self, class: &str, [x, y, width, height]: [f64; 4], opacity: f64, hover: &str) {
        let [x, y, width, height] = [x, y, width, height].map(pixel);
        let opacity = (opacity.clamp(0.0, 1.0) * 100.0).round() / 100.0;
        let _ = write!(
            self.body,
            "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill-opacity=\"{opacity}\""
        );
        self.close("rect", hover);
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, [x1, y1]: [f64; 2], [x2, y2]: [f64; 2]) {
        let [x1, y1, x2, y2] = [x1, y1, x2, y2].map(pixel);
        let _ = writeln!(self.body, "<path class=\"{class}\" d=\"M{x1} {y1}L{x2} {y2}\"/>");
    }

    /// A path by its commands; nothing where they are empty.
    pub fn path(&mut self, class: &str, commands: &str) {
        if !commands.is_empty() {
            let _ = writeln!(self.body, "<path class=\"{class}\" d=\"{commands}\"/>");
        }
    }

    /// A small circle.
    pub fn circle(&mut self, class: &str, [x, y]: [f64; 2], radius: f64) {
        let [x, y, radius] = [x, y, radius].map(pixel);
        let _ = writeln!(self.body, "<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>");
    }

    /// Text with its baseline at `y`.
    pub fn text(&mut self, class: &str, [x, y]: [f64; 2], anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let [x, y] = [x, y].map(pixel);
        let _ = writeln!(self.body, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{}</text>", escape(text));
    }

    /// Text centred at a place and turned to read upwards.
    pub fn upright(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        let [x, y] = [x, y].map(pixel);
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" transform=\"translate({x} {y})rotate(-90)\" text-anchor=\"middle\">{}</text>",
            escape(text)
        );
    }

    /// Text that begins at a place and rises to the right.
    pub fn slanted(&mut self, class: &str, [x, y]: [f64; 2], text: &str) {
        let [x, y] = [x, y].map(pixel);
        let text = escape(text);
        let _ =
            writeln!(self.body, "<text class=\"{class}\" transform=\"translate({x} {y})rotate(-42)\">{text}</text>");
    }

    /// Text that begins at a place and is turned by so many degrees, clockwise.
    pub fn turned(&mut self, class: &str, [x, y]: [f64; 2], degrees: f64, text: &str) {
        let [x, y, degrees] = [x, y, degrees].map(pixel);
        let text = escape(text);
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" transform=\"translate({x} {y})rotate({degrees})\">{text}</text>"
        );
    }

    /// Opens a group that shows `hover` as a tooltip; [`Self::end_group`] closes it.
    pub fn group(&mut self, class: &str, hover: &str) {
        let _ = write!(self.body, "<g class=\"{class}\"><title>{}</title>", escape(hover));
    }

    /// Closes the group opened last.
    pub fn end_group(&mut self) {
        self.body.push_str("</g>\n");
    }

    /// The whole element.
    pub fn finish(mut self) -> String {
        self.body.push_str("</svg>\n");
        self.body
    }

    /// The drawing as a file of its own, with the page's colours and a background.
    pub fn finish_file(self, style: &str) -> String {
        let (open, rest) = self.body.split_once('>').unwrap_or((&self.body, ""));
        format!(
            "{open} xmlns=\"http://www.w3.org/2000/svg\" font-family=\"system-ui, 'Liberation Sans', 'DejaVu Sans', sans-serif\">\n\
             <style>\n{style}svg {{ background: var(--card); }}\n</style>{rest}</svg>\n"
        )
    }

    fn close(&mut self, tag: &str, hover: &str) {
        if hover.is_empty() {
            self.body.push_str("/>\n");
        } else {
            let _ = writeln!(self.body, "><title>{}</title></{tag}>", escape(hover));
        }
    }
}

/// The plot area of a chart and its two scales.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Left to right.
    pub x: Scale,
    /// Bottom to top.
    pub y: Scale,
}

impl Frame {
    /// Grid lines, tick labels and titles of both axes. `y_label` rewrites the label of a y tick.
    pub fn axes(&self, svg: &mut Svg, x_title: &str, y_title: &str, y_label: impl Fn(f64, String) -> String) {
        for (value, _) in self.y.ticks(ticks_on(self.y)) {
            svg.line("grid", [self.x.start, self.y.at(value)], [self.x.end, self.y.at(value)]);
        }
        self.ticks(svg, x_title, y_title, y_label);
    }

    /// As [`Self::axes`], without grid lines.
    pub fn ticks(&self, svg: &mut Svg, x_title: &str, y_title: &str, y_label: impl Fn(f64, String) -> String) {
        let (left, right, bottom, top) = (self.x.start, self.x.end, self.y.start, self.y.end);
        for (value, label) in self.y.ticks(ticks_on(self.y)) {
            let y = self.y.at(value);
            svg.text("tick", [left - 7.0, y + 3.8], Anchor::End, &y_label(value, label));
        }
        for (value, label) in self.x.ticks(ticks_on(self.x)) {
            let x = self.x.at(value);
            svg.line("axis", [x, bottom], [x, bottom + 4.0]);
            svg.text("tick", [x, bottom + 16.5], Anchor::Middle, &label);
        }
        svg.line("axis", [left, bottom], [right, bottom]);
        svg.text("name", [(left + right) / 2.0, bottom + 33.0], Anchor::Middle, x_title);
        if !y_title.is_empty() {
            svg.upright("name", [left - 44.0, (top + bottom) / 2.0], y_title);
        }
    }

    /// Path commands of a line through the points, with gaps where one is not finite; a lone point becomes a dot.
    pub fn polyline(&self, points: impl Iterator<Item = [f64; 2]>) -> String {
        let mut commands = String::new();
        let mut drawn = 0;
        for [x, y] in points {
            if !(x.is_finite() && y.is_finite()) {
                drawn = end_piece(&mut commands, drawn);
                continue;
            }
            let _ = write!(
                commands,
                "{}{} {}",
                if drawn == 0 { 'M' } else { 'L' },
                pixel(self.x.at(x)),
                pixel(self.y.at(y))
            );
            drawn += 1;
        }
        end_piece(&mut commands, drawn);
        commands
    }

    /// Path commands of a dot at each finite point (drawn by round line caps).
    pub fn dots(&self, points: impl Iterator<Item = [f64; 2]>) -> String {
        let mut commands = String::new();
        for [x, y] in points.filter(|[x, y]| x.is_finite() && y.is_finite()) {
            let _ = write!(commands, "M{} {}h0", pixel(self.x.at(x)), pixel(self.y.at(y)));
        }
        commands
    }
}

/// How many ticks an axis has room for.
fn ticks_on(scale: Scale) -> usize {
    let (pixels, each) =
        if scale.end < scale.start { (scale.start - scale.end, 46.0) } else { (scale.end - scale.start, 80.0) };
    ((pixels / each) as usize).clamp(2, 10)
}

fn end_piece(commands: &mut String, drawn: usize) -> usize {
    if drawn == 1 {
        commands.push_str("h0");
    }
    0
}

/// At most about `most` of the points, keeping the first, the last, and the lowest and highest of each stretch.
///
/// Points whose value is not finite stay as one gap per stretch.
pub fn decimate(points: &[[f64; 2]], most: usize) -> Vec<[f64; 2]> {
    if points.len() <= most.max(4) {
        return points.to_vec();
    }
    let stretch = (points.len() - 2).div_ceil((most.max(4) - 2) / 2).max(1);
    let mut kept = vec![points[0]];
    for part in points[1..points.len() - 1].chunks(stretch) {
        let finite = || part.iter().enumerate().filter(|(_, point)| point[1].is_finite());
        let low = finite().min_by(|a, b| a.1[1].total_cmp(&b.1[1])).map(|found| found.0);
        let high = finite().max_by(|a, b| a.1[1].total_cmp(&b.1[1])).map(|found| found.0);
        let gap = part.iter().position(|point| !point[1].is_finite());
        let mut chosen: Vec<usize> = [low, high, gap].into_iter().flatten().collect();
        chosen.sort_unstable();
        chosen.dedup();
        kept.extend(chosen.into_iter().map(|index| part[index]));
    }
    kept.push(points[points.len() - 1]);
    kept
}

/// At most `most` of the values, evenly spread over their order.
pub fn thin<T: Copy>(values: &[T], most: usize) -> Vec<T> {
    if values.len() <= most {
        return values.to_vec();
    }
    (0..most).map(|i| values[i * values.len() / most]).collect()
}

/// The legend under a chart: (class of the swatch, its shape, words).
pub fn legend(entries: &[(&str, &str, &str)]) -> String {
    let keys: String = entries
        .iter()
        .map(|(class, shape, words)| {
            format!("<span class=\"key\"><i class=\"{shape} {class}\"></i>{}</span>", escape(words))
        })
        .collect();
    format!("<div class=\"legend\">{keys}</div>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimation_keeps_ends_and_extremes() {
        let mut points: Vec<[f64; 2]> = (0..10_000).map(|i| [f64::from(i), (f64::from(i) * 0.01).sin()]).collect();
        points[4321][1] = 9.0;
        points[5678][1] = -9.0;
        points[7000][1] = f64::NAN;
        let kept = decimate(&points, 400);
        assert!(kept.len() <= 420, "{}", kept.len());
        assert_eq!((kept[0], kept[kept.len() - 1]), (points[0], points[9_999]));
        assert!(kept.contains(&points[4321]) && kept.contains(&points[5678]));
        assert!(kept.iter().any(|point| point[1].is_nan()));
        assert!(kept.windows(2).all(|pair| pair[0][0] < pair[1][0]), "order is kept");
    }

    #[test]
    fn lines_have_gaps_and_lone_points() {
        let frame = Frame { x: Scale::linear([0.0, 10.0], 0.0, 10.0), y: Scale::linear([0.0, 10.0], 0.0, 10.0) };
        let line = frame.polyline([[0.0, 1.0], [1.0, 2.0], [2.0, f64::NAN], [3.0, 4.0]].into_iter());
        assert_eq!(line, "M0 1L1 2M3 4h0");
        assert_eq!(frame.polyline(std::iter::empty()), "");
    }

    #[test]
    fn text_is_made_safe() {
        assert_eq!(escape("<a href=\"x\">&'\u{0}"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;\u{fffd}");
    }
}
