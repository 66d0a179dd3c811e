//! What takes part in a comparison, and what must agree for its results to be comparable.

use super::differences::differences;
use crate::failure::{Failure, Result};
use crate::materials::{self, Materials};
use crate::network;
use crate::recipe::{DataSection, Document, Part, Recipe};
use crate::session;
use gradus_data::{Locator, Target};
use gradus_graph::{Model, State};
use gradus_train::Epochs;
use std::path::Path;

/// A recipe, or a variant of one.
pub struct Entry {
    /// What the report calls it.
    pub name: String,
    /// Its settings.
    pub recipe: Recipe,
    /// Its settings with absolute paths, as run folders keep them.
    pub resolved: Recipe,
    /// Where its settings stand.
    pub document: Document,
    /// Where its files are looked for.
    pub locator: Locator,
}

/// Everything that the files list: of one with variants, its own settings (unless `base = false`) and each variant.
///
/// # Errors
/// A recipe that is wrong; fewer than two entries; two with the same name.
pub fn load(files: &[impl AsRef<Path>], sets: &[String]) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = vec![];
    let mut places = vec![];
    for file in files.iter().map(AsRef::as_ref) {
        let (base, variants) = Document::load(file, sets)?.variants()?;
        let base = if variants.is_empty() { Some(None) } else { base.map(Some) };
        let named = base.map(|name| (name, None));
        let variants = variants.into_iter().map(|variant| (Some(variant.name.clone()), Some(variant.name)));
        for (name, variant) in named.into_iter().chain(variants) {
            let (recipe, document) = Recipe::load_variant(file, variant.as_deref(), sets)?;
            let locator = materials::locator(file);
            let resolved = materials::with_absolute_paths(&recipe, &locator);
            let name = match (name, files.len()) {
                (None, _) => recipe.name.clone(),
                (Some(name), 1) => name,
                (Some(name), _) => format!("{}/{name}", stem(file)),
            };
            entries.push(Entry { name, recipe, resolved, document, locator });
            places.push(file.display().to_string());
        }
    }
    if entries.len() < 2 {
        let problem = match entries.first() {
            Some(entry) => format!("there is only one recipe to compare, {}", entry.name),
            None => "there is nothing to compare".to_string(),
        };
        return Err(Failure::usage(problem, "give two recipes or more, or one with [[variants]]"));
    }
    // Recipes of the same name in different folders are told apart by their paths.
    let names: Vec<String> = entries.iter().map(|entry| entry.name.clone()).collect();
    for (i, entry) in entries.iter_mut().enumerate() {
        if names.iter().filter(|name| **name == names[i]).count() > 1 {
            entry.name = places[i].clone();
        }
    }
    for (i, entry) in entries.iter().enumerate() {
        if entries[..i].iter().any(|other| other.name == entry.name) {
            return Err(Failure::usage(
                format!("{} is given twice", entry.name),
                "give each recipe once; settings that differ go into [[variants]]",
            ));
        }
    }
    Ok(entries)
}

fn stem(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Fails if two entries do not learn from, watch and are judged by the same data. Transforms may differ.
///
/// # Errors
/// The first two that differ, with the keys.
pub fn check_same_data(entries: &[Entry]) -> Result<()> {
    let section = |entry: &Entry| {
        let mut value = toml::Value::try_from(&entry.resolved.data).unwrap_or(toml::Value::Boolean(false));
        if let Some(table) = value.as_table_mut() {
            table.remove("transforms");
        }
        value
    };
    let Some((first, others)) = entries.split_first() else { return Ok(()) };
    for other in others {
        let found = differences(&section(first), &section(other));
        if !found.is_empty() {
            let none = || "none".to_string();
            let lines: Vec<String> = found
                .into_iter()
                .map(|d| {
                    format!("data.{}: {} and {}", d.key, d.first.unwrap_or_else(none), d.other.unwrap_or_else(none))
                })
                .collect();
            let problem = format!("{} and {} have different data\n{}", first.name, other.name, lines.join("\n"));
            return Err(Failure::usage(
                problem,
                "compare recipes on the same data, split alike; transforms may differ",
            ));
        }
    }
    Ok(())
}

/// Which part of the data the recipes are judged by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Judge {
    /// Test data that every seed draws anew.
    DrawnTest,
    /// The same test data for every seed.
    FixedTest,
    /// Validation data that every seed draws anew, since there are no test data.
    DrawnValid,
    /// The same validation data for every seed, since there are no test data.
    FixedValid,
}

impl Judge {
    /// By the sections of the recipes, which agree.
    ///
    /// # Errors
    /// Neither test nor validation data.
    pub fn of(data: &DataSection) -> Result<Judge> {
        let drawn = |part: &Part| matches!(part, Part::Held(held) if held.shuffle);
        match (&data.test, &data.valid) {
            (Some(test), _) if drawn(test) => Ok(Judge::DrawnTest),
            (Some(_), _) => Ok(Judge::FixedTest),
            (None, Some(valid)) if drawn(valid) => Ok(Judge::DrawnValid),
            (None, Some(_)) => Ok(Judge::FixedValid),
            (None, None) => Err(Failure::usage(
                "the recipes have neither test nor validation data to be compared by",
                "add test to [data], for example test = { fraction = 0.2 }",
            )),
        }
    }

    /// The part's name.
    pub fn part(self) -> &'static str {
        if self.is_test() { "test" } else { "valid" }
    }

    /// Whether it is test data.
    pub fn is_test(self) -> bool {
        matches!(self, Judge::DrawnTest | Judge::FixedTest)
    }

    /// Whether every seed draws it anew.
    pub fn is_drawn(self) -> bool {
        matches!(self, Judge::DrawnTest | Judge::DrawnValid)
    }
}

/// Whether any part depends on the seed.
pub fn is_seeded(data: &DataSection) -> bool {
    [&data.valid, &data.test].into_iter().flatten().any(|part| matches!(part, Part::Held(held) if held.shuffle))
}

/// What an entry can be judged by: its metrics, and its loss.
pub fn scores(entry: &Entry, model: &Model, materials: &Materials) -> Vec<String> {
    let mut names: Vec<String> =
        session::metrics(&entry.recipe, model, &materials.train).iter().map(ToString::to_string).collect();
    if matches!(materials.train.target(), Target::Values { .. }) && names.iter().any(|name| name == "mse") {
        names.insert(0, "rmse".into());
    }
    names.push("loss".into());
    names
}

/// Whether the losses of two entries are the same function of predictions and targets of the same scale.
pub fn same_loss(a: &Entry, b: &Entry) -> bool {
    let scaled = |entry: &Entry| {
        let text = toml::Value::try_from(&entry.recipe.data.transforms).map(|value| value.to_string());
        text.unwrap_or_default().contains("\"target\"")
    };
    let transforms = a.recipe.data.transforms == b.recipe.data.transforms || !(scaled(a) || scaled(b));
    a.recipe.train.loss == b.recipe.train.loss && transforms
}

/// The metric to compare by: the one asked for, or the first of `accuracy`, `rmse` and `loss` that the entries have.
///
/// # Errors
/// One that is unknown, or that not all have, or a loss that is not the same in all.
pub fn metric(asked: Option<&str>, entries: &[Entry], known: &[Vec<String>]) -> Result<String> {
    let has = |i: usize, name: &str| known[i].iter().any(|known| known == name);
    let other_loss = || entries.iter().find(|entry| !same_loss(&entries[0], entry));
    let all_have = |name: &str| (0..entries.len()).all(|i| has(i, name)) && (name != "loss" || other_loss().is_none());
    let common = || {
        let names: Vec<&str> = known[0].iter().map(String::as_str).filter(|name| all_have(name)).collect();
        names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
    };
    let help = |names: String| match names.is_empty() {
        true => "they have nothing in common to be compared by: compare recipes that do the same task".to_string(),
        false => format!("all of the recipes have: {names}; choose with --metric"),
    };
    if let Some(name) = asked {
        if let Some(i) = (0..entries.len()).find(|&i| !has(i, name)) {
            let problem = format!("{} is not judged by `{name}`", entries[i].name);
            return Err(Failure::usage(problem, help(common())));
        }
        if let (Some(other), "loss") = (other_loss(), name) {
            let problem =
                format!("{} and {} have different losses, whose values do not compare", entries[0].name, other.name);
            return Err(Failure::usage(problem, help(common())));
        }
        return Ok(name.to_string());
    }
    let best = |i: usize| ["accuracy", "rmse", "loss"].into_iter().find(|name| has(i, name)).unwrap_or("loss");
    if let Some(i) = (1..entries.len()).find(|&i| best(i) != best(0)) {
        let (first, other) = (&entries[0].name, &entries[i].name);
        let problem =
            format!("{first} is judged by `{}` and {other} by `{}`: they do different tasks", best(0), best(i));
        return Err(Failure::usage(problem, help(common())));
    }
    if best(0) == "loss" {
        return metric(Some("loss"), entries, known);
    }
    Ok(best(0).to_string())
}

impl Entry {
    /// Its network for the data of a seed.
    ///
    /// # Errors
    /// What does not fit.
    pub fn network(&self, materials: &Materials, seed: u64) -> Result<Model> {
        Ok(network::build(&seeded(&self.recipe, seed), &self.document, materials)?.model)
    }
}

/// The entry's recipe with this seed.
pub fn seeded(recipe: &Recipe, seed: u64) -> Recipe {
    Recipe { seed, ..recipe.clone() }
}

/// The entry's network, after checking everything that training would check.
///
/// # Errors
/// Whatever does not fit.
pub fn check(entry: &Entry, materials: &Materials, seed: u64) -> Result<Model> {
    let recipe = seeded(&entry.recipe, seed);
    let model = entry.network(materials, seed)?;
    session::initial(&recipe, &model, &entry.locator)?;
    let epochs = Epochs(recipe.train.epochs);
    let mut trainer = session::trainer(&recipe, &model, &materials.train).threads(1);
    trainer.check(&materials.train, materials.valid.as_ref(), epochs)?;
    Ok(model)
}

/// How many of an entry's parameters start with the same values as those of the first entry, and how many it has.
///
/// # Errors
/// First weights from a file that cannot be had.
pub fn shared_start(first: (&Entry, &Model), other: (&Entry, &Model), seed: u64) -> Result<(usize, usize)> {
    let state = |(entry, model): (&Entry, &Model)| -> Result<State<f32>> {
        let initial = session::initial(&seeded(&entry.recipe, seed), model, &entry.locator)?;
        Ok(initial.unwrap_or_else(|| State::new(model, seed)))
    };
    let (first, other) = (state(first)?, state(other)?);
    let parameters = || other.variables().filter(|(variable, _)| variable.role.trainable());
    let same = parameters().filter(|(variable, values)| first.variable(&variable.path) == Some(values)).count();
    Ok((same, parameters().count()))
}
