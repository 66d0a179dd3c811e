//! The data: are the parts apart, is every class there, do the features have a scale?

use super::{Finding, Level, counted};
use crate::materials::Materials;
use crate::recipe::{Part, Recipe};
use crate::report::scale::figure;
use gradus_data::text::{PADDING, TextSchema, UNKNOWN};
use gradus_data::{Dataset, audit};
use serde_json::json;

/// A feature with a mean or spread beyond this has not been scaled.
const SCALE: f64 = 10.0;
/// Texts with more than this share of unknown words lose much of what they say.
const UNKNOWN_SHARE: f64 = 0.2;
/// Names in a sentence.
const NAMES: usize = 4;

/// Parts, samples in two of them, classes, features. `recipe` has absolute paths.
pub fn data(recipe: &Recipe, materials: &Materials) -> Vec<Finding> {
    let parts =
        [("train", Some(&*materials.train)), ("valid", materials.valid.as_ref()), ("test", materials.test.as_ref())];
    let parts: Vec<(&str, &Dataset)> = parts.into_iter().filter_map(|(name, part)| Some((name, part?))).collect();
    let mut findings = vec![sizes(&parts)];
    findings.extend(splits(recipe, &parts));
    findings.extend(classes(&parts));
    findings.extend(match materials.train.text() {
        Some(text) => vec![words(&parts, text)],
        None => features(&materials.train),
    });
    findings
}

fn sizes(parts: &[(&str, &Dataset)]) -> Finding {
    let words: Vec<String> = parts.iter().map(|(name, part)| format!("{} {name}", part.len())).collect();
    let repeated = audit::duplicates(parts[0].1);
    let figures: serde_json::Map<_, _> = parts.iter().map(|(name, part)| ((*name).into(), part.len().into())).collect();
    let mut text = format!("samples: {}", words.join(", "));
    let mut level = Level::Ok;
    if repeated > 0 {
        level = Level::Note;
        text += &format!("; in the training data, {} earlier ones", repeat(repeated));
    }
    Finding::new(level, "data", text, json!({ "samples": figures, "repeated": repeated }))
}

/// Whether a sample is in two parts.
fn splits(recipe: &Recipe, parts: &[(&str, &Dataset)]) -> Vec<Finding> {
    let mut findings = vec![];
    for (i, (first, a)) in parts.iter().enumerate() {
        for (second, b) in &parts[i + 1..] {
            let overlap = audit::overlap(a, b);
            let figures =
                json!({ "parts": [first, second], "same_samples": overlap.samples, "same_inputs": overlap.inputs });
            let whole = overlap.samples == b.len();
            let other = overlap.inputs - overlap.samples;
            if same_source(recipe, first, second) || whole {
                let what = if whole { "every sample is in both" } else { "both are read from the same source" };
                let mut text = format!("{first} and {second} are the same data: {what}");
                // Validation and test data may be one: no weight has learnt from them.
                let level = if *first == "train" { Level::Failed } else { Level::Note };
                text += &match level {
                    Level::Failed => format!("; hold a part out, as in {second} = {{ fraction = 0.2 }}"),
                    _ => "; the best weights are chosen by what they are tested with".to_string(),
                };
                findings.push(Finding::new(level, "splits", text, figures));
            } else if overlap.inputs > 0 {
                let all = b.len();
                let text = match (overlap.samples, other) {
                    (0, other) => {
                        format!("{other} of the {all} {second} samples: same inputs in {first}, with another target")
                    }
                    (same, 0) => format!("{same} of the {all} {second} samples: in {first}, too"),
                    (same, other) => format!(
                        "{same} of the {all} {second} samples: in {first}, too; {other} more: same inputs there, with another target"
                    ),
                };
                findings.push(Finding::new(Level::Warning, "splits", text, figures));
            }
        }
    }
    if findings.is_empty() && parts.len() > 1 {
        findings.push(Finding::new(Level::Ok, "splits", "no sample is in two parts", json!({})));
    }
    findings
}

fn same_source(recipe: &Recipe, first: &str, second: &str) -> bool {
    let source = |name: &str| {
        let part = match name {
            "train" => return Some(&recipe.data.train),
            "valid" => &recipe.data.valid,
            _ => &recipe.data.test,
        };
        match part {
            Some(Part::Source(source)) => Some(source),
            _ => None,
        }
    };
    source(first).is_some() && source(first) == source(second)
}

/// Whether each part has samples of each class.
fn classes(parts: &[(&str, &Dataset)]) -> Option<Finding> {
    let classes = parts[0].1.classes()?;
    let mut missing = vec![];
    for (name, part) in parts {
        let lacking = audit::missing_classes(part);
        if !lacking.is_empty() {
            missing.push(format!("{name} has no sample of {}", some(&lacking)));
        }
    }
    let counts = parts[0].1.class_counts().unwrap_or_default();
    let figures = json!({ "classes": classes, "train": counts });
    if !missing.is_empty() {
        let text = format!("{}; hold out by class, as in {{ fraction = 0.2, stratified = true }}", missing.join(", "));
        return Some(Finding::new(Level::Warning, "classes", text, figures));
    }
    let (least, most): (usize, usize) =
        (counts.iter().min().copied().unwrap_or(0), counts.iter().max().copied().unwrap_or(0));
    let each = if least == most { most.to_string() } else { format!("{least} to {most}") };
    let text = format!("{} in every part, {each} training samples each", counted(classes.len(), "class"));
    let uneven = least * 10 < most;
    let level = if uneven { Level::Note } else { Level::Ok };
    Some(Finding::new(level, "classes", text, figures))
}

/// How full texts are, and how many of their words are known.
fn words(parts: &[(&str, &Dataset)], text: &TextSchema) -> Finding {
    let share = |data: &Dataset, wanted: fn(f32) -> bool, among: fn(f32) -> bool| {
        let count = |f: fn(f32) -> bool| data.input_values().iter().filter(|&&id| f(id)).count();
        count(wanted) as f64 / count(among).max(1) as f64
    };
    let is_word = |id: f32| id != PADDING as f32;
    let unknown: Vec<f64> = parts.iter().map(|(_, part)| share(part, |id| id == UNKNOWN as f32, is_word)).collect();
    let full = share(parts[0].1, is_word, |_| true);
    let each: Vec<String> =
        parts.iter().zip(&unknown).map(|((name, _), share)| format!("{:.1}% of {name}", 100.0 * share)).collect();
    let shape: Vec<String> = text.shape().iter().map(ToString::to_string).collect();
    let mut line = format!(
        "{} in texts of {}, {:.0}% of which is no padding; unknown: {}",
        counted(text.words.len(), "word"),
        shape.join("×"),
        100.0 * full,
        each.join(", ")
    );
    let mut level = Level::Ok;
    if unknown.iter().any(|&share| share > UNKNOWN_SHARE) {
        level = Level::Warning;
        line += "; a larger `vocabulary`, a lower `min_count` or `split = \"characters\"` leaves fewer out";
    }
    Finding::new(level, "inputs", line, json!({ "words": text.words.len(), "full": full, "unknown": unknown }))
}

/// Features that never change, and features without a scale.
fn features(train: &Dataset) -> Vec<Finding> {
    let spreads = audit::spreads(train);
    let named = |found: &dyn Fn(&audit::Spread) -> bool| -> Vec<String> {
        let list = spreads.iter().enumerate().filter(|(_, spread)| found(spread));
        list.map(|(feature, _)| audit::feature_name(train, feature)).collect()
    };
    let constant = named(&|spread| spread.is_constant());
    let unscaled = named(&|spread| spread.mean.abs() > SCALE || spread.deviation > SCALE);
    let mut findings = vec![];
    if !unscaled.is_empty() {
        let largest = spreads.iter().map(|spread| spread.deviation.max(spread.mean.abs())).fold(0.0, f64::max);
        let text = format!(
            "{} of {} without scale ({}): mean or standard deviation up to {largest:.0}; add {{ z_score = {{}} }} or {{ min_max = {{}} }} \
             to `transforms`",
            unscaled.len(),
            counted(spreads.len(), "feature"),
            some(&unscaled)
        );
        let figures = json!({ "unscaled": unscaled.len(), "largest": largest });
        findings.push(Finding::new(Level::Warning, "inputs", text, figures));
    }
    if !constant.is_empty() {
        let text = format!(
            "{} of {} never changes in the training data ({}): nothing can be learnt from it",
            constant.len(),
            counted(spreads.len(), "feature"),
            some(&constant)
        );
        let text = if constant.len() > 1 {
            text.replace("changes in", "change in").replace("from it", "from them")
        } else {
            text
        };
        // The border of pictures is black.
        let level = if train.feature_shape().len() > 1 { Level::Note } else { Level::Warning };
        findings.push(Finding::new(level, "inputs", text, json!({ "constant": constant.len() })));
    }
    if findings.is_empty() {
        let low = spreads.iter().map(|spread| spread.least).fold(f32::INFINITY, f32::min);
        let high = spreads.iter().map(|spread| spread.greatest).fold(f32::NEG_INFINITY, f32::max);
        let (from, to) = (figure(f64::from(low)), figure(f64::from(high)));
        let text = format!("{} from {from} to {to}, none constant", counted(spreads.len(), "feature"));
        findings.push(Finding::new(Level::Ok, "inputs", text, json!({ "least": low, "greatest": high })));
    }
    findings
}

/// `1 sample repeats`, `2 samples repeat`
fn repeat(count: usize) -> String {
    format!("{} {}", counted(count, "sample"), if count == 1 { "repeats" } else { "repeat" })
}

/// A few names, and how many more there are.
fn some(names: &[String]) -> String {
    let mut list: Vec<String> = names.iter().take(NAMES).map(|name| format!("`{name}`")).collect();
    if names.len() > NAMES {
        list.push(format!("and {} more", names.len() - NAMES));
    }
    list.join(", ")
}
