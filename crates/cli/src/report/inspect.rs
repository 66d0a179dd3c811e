//! A look into networks as a page of small pictures: a row for each layer, a column for each moment or network.
//!
//! Layers of one activation function share a horizontal axis, and so do all gradients, of which the power of ten is shown. Each
//! picture is as high as its highest bar.

use std::fmt::Write;

use gradus_train::inspect::verdict::{self, in_short};
use gradus_train::inspect::{Finding, Inspection, LayerSnapshot, Level, Snapshot, Values};

use super::confusion::shorten;
use super::page::{document, section};
use super::scale::{Scale, bounds, figure, percent};
use super::svg::{Anchor, Frame, Svg, escape, legend};

const WIDTH: f64 = 1130.0;
/// Room for the layers' names.
const GUTTER: f64 = 112.0;
const GAP: f64 = 16.0;
const TILE: f64 = 44.0;

/// A network and what was seen in it.
pub struct Inspected {
    /// Its name.
    pub name: String,
    /// One sentence on it.
    pub description: String,
    /// What was seen.
    pub inspection: Inspection,
}

/// A column of pictures.
struct Column<'a> {
    title: String,
    snapshot: &'a Snapshot,
}

/// The whole page.
pub fn page(looked: &[Inspected], seed: u64) -> String {
    let [one] = looked else { return several(looked) };
    let columns: Vec<Column> =
        one.inspection.snapshots.iter().map(|snapshot| Column { title: moment(snapshot), snapshot }).collect();
    let chips = [format!("{} training samples", one.inspection.samples), format!("seed {seed}")];
    let mut body = section("Verdict", &columns.iter().map(verdict_card).collect::<String>());
    body += &pictures(&columns);
    body += &section("Figures", &columns.iter().map(figures).collect::<String>());
    document(&format!("{}: a look inside", one.name), &one.description, &chips, &body)
}

fn several(looked: &[Inspected]) -> String {
    let at = |pick: fn(&[Snapshot]) -> Option<&Snapshot>| -> Vec<Column> {
        looked
            .iter()
            .filter_map(|one| Some(Column { title: one.name.clone(), snapshot: pick(&one.inspection.snapshots)? }))
            .collect()
    };
    let (start, end) = (at(|all| all.first()), at(|all| all.last()));
    let mut body = section("What each shows", &overview(looked));
    body += &section("At the start", &(layers(&start, false) + &layers(&start, true) + &updates(&start)));
    if looked.iter().any(|one| one.inspection.snapshots.len() > 1) {
        body += &section("At the end", &(layers(&end, false) + &layers(&end, true) + &updates(&end)));
    }
    let samples = looked.first().map_or(0, |one| one.inspection.samples);
    document("Networks side by side: a look inside", "", &[format!("{samples} training samples")], &body)
}

fn pictures(columns: &[Column]) -> String {
    let mut html = section("Activations", &layers(columns, false));
    html += &section("Gradients", &layers(columns, true));
    html + &section("Updates", &updates(columns))
}

/// `at the start`, `step 400 (50 %)`, or the name of the weights.
pub fn moment(snapshot: &Snapshot) -> String {
    match snapshot.step {
        None => snapshot.label.clone(),
        Some(0) => "at the start".into(),
        Some(_) if snapshot.label.starts_with("diverged") => snapshot.label.clone(),
        Some(step) => format!("step {step} ({})", snapshot.label),
    }
}

/// Histograms of activations, or of gradients.
fn layers(columns: &[Column], gradients: bool) -> String {
    let rows = columns.iter().map(|column| column.snapshot.layers.len()).max().unwrap_or(0);
    if rows == 0 {
        return String::new();
    }
    let count = columns.len() as f64;
    let width = (WIDTH - GUTTER - GAP * (count - 1.0)) / count;
    let layer = |column: &'_ Column, row: usize| column.snapshot.layers.get(row).cloned();
    let left = |column: usize| GUTTER + column as f64 * (width + GAP);
    // Where the axis changes from one row to the next, it is labelled between them.
    let axis = |column: &Column, row: usize| layer(column, row).map(|l| axis_of(&l, gradients));
    let labelled = |row: usize| {
        columns.iter().any(|c| axis(c, row).is_some_and(|own| axis(c, row + 1).is_none_or(|next| next != own)))
    };
    let mut tops = vec![];
    let mut y = 34.0;
    for row in 0..rows {
        tops.push(y);
        y += TILE + if labelled(row) { 34.0 } else { 17.0 };
    }
    let words = if gradients { "Gradients of each layer's output" } else { "Activations of each layer" };
    let mut svg = Svg::new(WIDTH, y, words);
    for (i, column) in columns.iter().enumerate() {
        let room = (width / 6.6) as usize;
        svg.text("name", [left(i) + width / 2.0, 14.0], Anchor::Middle, &shorten(&column.title, room.max(6)));
    }
    for (row, &top) in tops.iter().enumerate() {
        if let Some((name, kind)) = row_name(columns, row) {
            svg.text("name", [0.0, top + 18.0], Anchor::Start, &shorten(&name, 16));
            svg.text("tick", [0.0, top + 34.0], Anchor::Start, &shorten(&kind, 16));
        }
        for (i, column) in columns.iter().enumerate() {
            let Some(layer) = column.snapshot.layers.get(row) else { continue };
            tile(&mut svg, layer, gradients, [left(i), top], width);
            if axis(column, row + 1).is_none_or(|next| axis(column, row).is_some_and(|own| own != next)) {
                ends(&mut svg, layer, gradients, [left(i), top + TILE], width);
            }
        }
    }
    let (title, sub, keys): (&str, &str, &[(&str, &str, &str)]) = match gradients {
        false => (
            "What each layer gives",
            "Layers of one activation function share an axis; each picture is as high as its highest bar.",
            &[
                ("train", "square", "values other than 0"),
                ("best", "square", "exact zeros: full height is all of them"),
            ],
        ),
        true => (
            "What comes back to each layer",
            "The size of the gradient of a sample's loss with respect to each output, as a power of ten; one axis for all.",
            &[("valid", "square", "log10 |g| of values other than 0")],
        ),
    };
    format!(
        "<figure class=\"card wide chart\">\n<h3>{title}</h3>\n<p class=\"sub\">{sub}</p>\n<div class=\"plot\">{}</div>\n{}</figure>\n",
        svg.finish(),
        legend(keys)
    )
}

/// The name and activation of a row, as far as all columns agree.
fn row_name(columns: &[Column], row: usize) -> Option<(String, String)> {
    let mut found = columns.iter().filter_map(|column| column.snapshot.layers.get(row));
    let first = found.next()?;
    let (mut name, mut kind) = (first.name.clone(), format!("{} {}", first.units, first.activation));
    for layer in found {
        if layer.name != name {
            name = format!("layer {}", row + 1);
        }
        if kind != format!("{} {}", layer.units, layer.activation) {
            kind = String::new();
        }
    }
    Some((name, kind))
}

fn values(layer: &LayerSnapshot, gradients: bool) -> &Values {
    if gradients { &layer.gradient } else { &layer.output }
}

fn axis_of(layer: &LayerSnapshot, gradients: bool) -> [f64; 2] {
    let histogram = &values(layer, gradients).histogram;
    [histogram.low, histogram.high]
}

fn tile(svg: &mut Svg, layer: &LayerSnapshot, gradients: bool, [left, top]: [f64; 2], width: f64) {
    let histogram = &values(layer, gradients).histogram;
    let bottom = top + TILE;
    let x = Scale::linear([histogram.low, histogram.high], left, left + width);
    let highest = histogram.shares.iter().fold(0.0, |most: f64, &share| most.max(share));
    svg.rect("tile-back", [left, top, width, TILE], "");
    let place = |i: usize| left + width * i as f64 / histogram.shares.len().max(1) as f64;
    if highest > 0.0 {
        let mut commands = format!("M{} {}", super::svg::pixel(left), super::svg::pixel(bottom));
        for (i, &share) in histogram.shares.iter().enumerate() {
            let height = if share > 0.0 { (share / highest * (TILE - 13.0)).max(1.0) } else { 0.0 };
            let _ = write!(commands, "V{}H{}", super::svg::pixel(bottom - height), super::svg::pixel(place(i + 1)));
        }
        let _ = write!(commands, "V{}Z", super::svg::pixel(bottom));
        svg.path(if gradients { "bars back" } else { "bars" }, &commands);
    }
    let zeros = layer.output.zeros;
    if !gradients && zeros > 0.0 && (histogram.low..=histogram.high).contains(&0.0) {
        let height = (zeros * (TILE - 13.0)).max(1.0);
        svg.rect("zeros", [(x.at(0.0) - 2.0).max(left), bottom - height, 4.0, height], "");
    }
    svg.line("axis", [left, bottom], [left + width, bottom]);
    let (class, note) = note(layer, gradients, width);
    svg.text(class, [left + width - 3.0, top + 9.5], Anchor::End, &note);
    svg.rect("hit", [left, top, width, TILE], &hover(layer, gradients));
}

/// The most telling figures, as many as there is room for.
fn note(layer: &LayerSnapshot, gradients: bool, width: f64) -> (&'static str, String) {
    if gradients {
        return match layer.gradient.norm {
            0.0 => ("note warn", "all 0".into()),
            norm => ("note", format!("norm {}", in_short(norm))),
        };
    }
    let saturated = layer.saturated_low + layer.saturated_high;
    let mut class = "note";
    let mut parts = vec![format!("sd {}", in_short(layer.output.sd))];
    if layer.symmetric {
        class = "note warn";
        parts.push("all alike".into());
    } else if layer.dead > 0 && layer.activation != "identity" {
        if layer.dead as f64 >= verdict::DEAD * layer.units as f64 {
            class = "note warn";
        }
        parts.push(format!("{} dead", layer.dead));
    } else if saturated >= 0.005 {
        if saturated >= verdict::SATURATED {
            class = "note warn";
        }
        parts.push(format!("{:.0}% sat.", 100.0 * saturated));
    }
    while parts.len() > 1 && parts.iter().map(|part| part.len() + 3).sum::<usize>() as f64 * 6.0 > width {
        parts.remove(if class == "note" { 1 } else { 0 });
    }
    (class, parts.join(" · "))
}

fn hover(layer: &LayerSnapshot, gradients: bool) -> String {
    let values = values(layer, gradients);
    let mut words = format!(
        "{} ({} {})\nmean {}\nsd {}\nfrom {} to {}\nzeros {}",
        layer.name,
        layer.units,
        layer.activation,
        in_short(values.mean),
        in_short(values.sd),
        in_short(values.low),
        in_short(values.high),
        percent(values.zeros)
    );
    if gradients {
        let _ = write!(words, "\nnorm {}", in_short(values.norm));
    } else {
        let (low, high) = (percent(layer.saturated_low), percent(layer.saturated_high));
        let _ = write!(words, "\ndead units {}\nsaturated below {low}, above {high}", layer.dead);
        if let Some(before) = &layer.before {
            let _ = write!(words, "\nbefore: mean {}, sd {}", in_short(before.mean), in_short(before.sd));
        }
    }
    words
}

/// The ends of a picture's axis.
fn ends(svg: &mut Svg, layer: &LayerSnapshot, gradients: bool, [left, bottom]: [f64; 2], width: f64) {
    let [low, high] = axis_of(layer, gradients);
    let label =
        |x: f64| if gradients { format!("10{}", raised(x.round() as i32)) } else { in_short(x).replace('-', "−") };
    svg.text("tick", [left, bottom + 14.0], Anchor::Start, &label(low));
    svg.text("tick", [left + width, bottom + 14.0], Anchor::End, &label(high));
    if !gradients && low < 0.0 && high > 0.0 {
        let zero = left + width * -low / (high - low);
        svg.line("axis", [zero, bottom], [zero, bottom + 3.0]);
        if zero - left > 40.0 && left + width - zero > 40.0 {
            svg.text("tick", [zero, bottom + 14.0], Anchor::Middle, "0");
        }
    }
}

fn raised(power: i32) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        c => char::from_u32('⁰' as u32 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
    };
    power.to_string().chars().map(digit).collect()
}

/// How much a step changes each weight, on a logarithmic axis.
fn updates(columns: &[Column]) -> String {
    let ratios = |column: &Column| -> Vec<(String, f64)> {
        let weights = column.snapshot.updates.iter().filter(|update| update.weight);
        weights.map(|update| (update.path.clone(), update.ratio.unwrap_or(f64::NAN))).collect()
    };
    let all: Vec<Vec<(String, f64)>> = columns.iter().map(ratios).collect();
    let rows = all.iter().map(Vec::len).max().unwrap_or(0);
    let [low, high] = bounds(all.iter().flatten().map(|(_, ratio)| *ratio).filter(|ratio| *ratio > 0.0));
    if rows == 0 || !low.is_finite() {
        return String::new();
    }
    let (left, right, bottom, top) = (58.0, WIDTH - 22.0, 250.0, 16.0);
    let y = Scale::log([low.min(1e-4), high.max(1e-1)], bottom, top).padded(0.03);
    let frame = Frame { x: Scale::linear([0.5, rows as f64 + 0.5], left, right), y };
    let mut svg = Svg::new(WIDTH, 296.0, "Size of a step relative to each weight");
    for (value, label) in y.ticks(5) {
        svg.line("grid", [left, y.at(value)], [right, y.at(value)]);
        svg.text("tick", [left - 7.0, y.at(value) + 3.8], Anchor::End, &label);
    }
    svg.line("axis", [left, bottom], [right, bottom]);
    svg.line("best", [left, y.at(1e-3)], [right, y.at(1e-3)]);
    let room = ((right - left) / rows as f64 / 6.8) as usize;
    let longest = all.iter().max_by_key(|list| list.len());
    for (i, (path, _)) in longest.into_iter().flatten().enumerate() {
        let name = path.strip_suffix("/weight").unwrap_or(path);
        svg.text("tick", [frame.x.at(i as f64 + 1.0), bottom + 17.0], Anchor::Middle, &shorten(name, room.max(3)));
    }
    for (c, list) in all.iter().enumerate() {
        let points: Vec<[f64; 2]> = list.iter().enumerate().map(|(i, (_, ratio))| [i as f64 + 1.0, *ratio]).collect();
        let points: Vec<[f64; 2]> = points.into_iter().map(|[x, y]| [x, if y > 0.0 { y } else { f64::NAN }]).collect();
        let class = format!("c{}", c % 10);
        svg.path(&format!("trace thin {class}"), &frame.polyline(points.iter().copied()));
        for [x, ratio] in points.into_iter().filter(|point| point[1].is_finite()) {
            svg.circle(&format!("mark {class}"), [frame.x.at(x), frame.y.at(ratio)], 4.5);
        }
    }
    let classes: Vec<String> = (0..columns.len()).map(|c| format!("c{}", c % 10)).collect();
    let mut keys: Vec<(&str, &str, &str)> =
        columns.iter().zip(&classes).map(|(column, class)| (class.as_str(), "disc", column.title.as_str())).collect();
    keys.push(("best", "stroke dashed", "10⁻³, a common rule of thumb"));
    format!(
        "<figure class=\"card wide chart\">\n<h3>How much a step changes each weight</h3>\n<p class=\"sub\">‖Δw‖ / ‖w‖ of the next step.</p>\n\
         <div class=\"plot\">{}</div>\n{}</figure>\n",
        svg.finish(),
        legend(&keys)
    )
}

fn verdict_card(column: &Column) -> String {
    let mut html = format!(
        "<div class=\"card\">\n<h3>{}</h3>\n<p class=\"sub\">{}</p>\n",
        escape(&column.title),
        escape(&scores(column.snapshot))
    );
    html += &findings(&column.snapshot.findings());
    html + "</div>\n"
}

fn findings(findings: &[Finding]) -> String {
    if findings.is_empty() {
        return "<ul class=\"verdict\"><li class=\"good\">nothing odd</li></ul>\n".into();
    }
    let line = |finding: &Finding| {
        let class = match finding.level() {
            Level::Good => "good",
            Level::Warning => "warning",
            Level::Bad => "bad",
        };
        let text = finding.to_string();
        let (title, rest) = text.split_once(": ").unwrap_or((&text, ""));
        let remedy = match finding.remedy() {
            "" => String::new(),
            words => format!("<span class=\"rem\">try: {}</span>", escape(words)),
        };
        format!("<li class=\"{class}\"><b>{}</b>: {}{remedy}</li>", escape(title), escape(rest))
    };
    format!("<ul class=\"verdict\">{}</ul>\n", findings.iter().map(line).collect::<String>())
}

/// `loss 0.12 · accuracy 96.1%`
pub fn scores(snapshot: &Snapshot) -> String {
    let accuracy = snapshot.accuracy.map_or_else(String::new, |share| format!(" · accuracy {:.1}%", 100.0 * share));
    format!("loss {}{accuracy}", figure(snapshot.loss))
}

/// One line for each network.
fn overview(looked: &[Inspected]) -> String {
    let mut html = String::from(
        "<div class=\"card wide\"><div class=\"scroll\"><table><thead><tr><th>network</th><th class=\"n\">spread, last / first hidden</th>\
         <th class=\"n\">gradient, first / last</th><th>at the start</th><th>after training</th></tr></thead>\n<tbody>\n",
    );
    for one in looked {
        let (Some(start), Some(end)) = (one.inspection.snapshots.first(), one.inspection.snapshots.last()) else {
            continue;
        };
        let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "–".into(), in_short);
        let end_words = match one.inspection.snapshots.len() {
            1 => "–".into(),
            _ => format!(
                "<p class=\"sub\">{}</p>{}",
                escape(&format!("{}: {}", moment(end), scores(end))),
                findings(&end.findings())
            ),
        };
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\" class=\"who\"><b>{}</b><p class=\"sub\">{}</p></th><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td><p class=\"sub\">{}</p>{}</td><td>{end_words}</td></tr>",
            escape(&one.name),
            escape(&one.description),
            ratio(start.spread_ratio()),
            ratio(start.gradient_ratio()),
            escape(&scores(start)),
            findings(&start.findings()),
        );
    }
    html + "</tbody></table></div></div>\n"
}

/// Everything in numbers.
fn figures(column: &Column) -> String {
    let heads = [
        "layer",
        "units",
        "mean",
        "sd",
        "before: sd",
        "zeros",
        "dead",
        "saturated",
        "gradient: mean",
        "sd",
        "norm",
        "Δw/w",
    ];
    let mut html = format!(
        "<details class=\"card wide\"><summary>{}</summary>\n<div class=\"scroll\"><table><thead><tr>",
        escape(&column.title)
    );
    for (i, head) in heads.iter().enumerate() {
        let _ = write!(html, "<th{}>{head}</th>", if i == 0 { "" } else { " class=\"n\"" });
    }
    html += "</tr></thead>\n<tbody>\n";
    for layer in &column.snapshot.layers {
        let update =
            column.snapshot.updates.iter().find(|u| u.path == format!("{}/weight", layer.name)).and_then(|u| u.ratio);
        let optional = |value: Option<f64>| value.map_or_else(|| "–".into(), in_short);
        let cells = [
            layer.units.to_string(),
            in_short(layer.output.mean),
            in_short(layer.output.sd),
            optional(layer.before.as_ref().map(|before| before.sd)),
            percent(layer.output.zeros),
            layer.dead.to_string(),
            percent(layer.saturated_low + layer.saturated_high),
            in_short(layer.gradient.mean),
            in_short(layer.gradient.sd),
            in_short(layer.gradient.norm),
            optional(update),
        ];
        let _ = write!(
            html,
            "<tr><th scope=\"row\">{} <code>{}</code></th>",
            escape(&layer.name),
            escape(&layer.activation)
        );
        for cell in cells {
            let _ = write!(html, "<td class=\"n\">{}</td>", escape(&cell));
        }
        html += "</tr>\n";
    }
    html + "</tbody></table></div></details>\n"
}
