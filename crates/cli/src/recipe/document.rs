//! A recipe's text with one of its variants and the `--set` options merged in, such that every key and value still knows its
//! place: in the file, or in the option.

use super::error::RecipeError;
use super::variants::{self, Variant};
use serde::de::DeserializeOwned;
use std::ops::Range;
use std::path::Path;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue, Deserializer};

/// A recipe before it is understood.
#[derive(Clone, Debug)]
pub struct Document {
    /// The file's name, for messages.
    pub name: String,
    /// The file's text, then each option on a line of its own: places are positions in this.
    text: String,
    /// Where the file's text ends, and where each option begins and ends.
    file_end: usize,
    sets: Vec<Range<usize>>,
    /// Each option's value as `v=VALUE` after so many blanks that it stands where it stands in `text`.
    values: Vec<String>,
    /// The variant that is merged in, counted from 0.
    variant: Option<usize>,
}

type Table<'i> = DeTable<'i>;
pub(super) type Value<'i> = Spanned<DeValue<'i>>;
/// A key on the way to a value.
pub(super) type Key<'i> = Spanned<DeString<'i>>;

/// Tables that hold one named member of a family: setting another member replaces it.
const FAMILIES: [&str; 10] = [
    "loss",
    "optimizer",
    "regularizer",
    "clip",
    "schedule",
    "retrain",
    "activation",
    "weight_init",
    "bias_init",
    "from",
];
/// Tables that hold either one named source or settings of a part.
const PARTS: [&str; 3] = ["train", "valid", "test"];
/// Stops that can be written as one number, and the setting that this number is.
const SHORT: [(&str, &str); 7] = [
    ("loss_below", "value"),
    ("loss_change", "value"),
    ("patience", "checks"),
    ("generalization_loss", "alpha"),
    ("progress_quotient", "alpha"),
    ("up", "strips"),
    ("worsening", "checks"),
];
const HOLDOUT: [&str; 6] = ["fraction", "count", "fold", "of", "stratified", "shuffle"];

impl Document {
    /// A recipe's text, with `--set` options such as `train.epochs=3`.
    pub fn new(name: impl Into<String>, text: &str, sets: &[String]) -> Document {
        let mut all = text.to_string();
        let file_end = all.len();
        let mut places = vec![];
        let mut values = vec![];
        for set in sets {
            all.push('\n');
            places.push(all.len()..all.len() + set.len());
            values.push(match set.split_once('=') {
                Some((key, value)) => format!("{}v={value}", " ".repeat(all.len() + key.len().max(1) - 1)),
                None => String::new(),
            });
            all.push_str(set);
        }
        Document { name: name.into(), text: all, file_end, sets: places, values, variant: None }
    }

    /// Reads the recipe at `path`.
    ///
    /// # Errors
    /// A file that cannot be read or is no text.
    pub fn load(path: &Path, sets: &[String]) -> Result<Document, RecipeError> {
        let name = path.display().to_string();
        match std::fs::read(path) {
            Err(source) => Err(RecipeError::Read { name, source }),
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => Ok(Document::new(name, &text, sets)),
                Err(error) => {
                    let found = gradus_tensor::Format::of(error.as_bytes()).to_string();
                    Err(RecipeError::NotText { name, found })
                }
            },
        }
    }

    /// The recipe as plain data.
    ///
    /// # Errors
    /// Text that is not TOML, a `--set` that does not fit, a key or value that is not what was expected.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, RecipeError> {
        let root = self.merged()?;
        T::deserialize(Deserializer::from(root)).map_err(|error| self.explain(&error))
    }

    /// Where the value of a key path such as `model.layers.2.dense.units` stands; if it is not there, the nearest table around it.
    pub fn place(&self, path: &str) -> Option<Range<usize>> {
        let root = self.merged().ok()?;
        let mut keys = path.split('.');
        let mut at: &Value = root.get_ref().get(keys.next()?)?;
        for key in keys {
            let next = match at.get_ref() {
                DeValue::Table(table) => table.get(key),
                DeValue::Array(list) => key.parse::<usize>().ok().and_then(|i| list.get(i)),
                _ => None,
            };
            match next {
                Some(next) => at = next,
                None => break,
            }
        }
        Some(at.span())
    }

    /// The source that holds a place: its name and text, and the place within it.
    pub fn source(&self, place: &Range<usize>) -> (String, String, Range<usize>) {
        for set in &self.sets {
            if place.start >= set.start && place.start <= set.end {
                let end = place.end.min(set.end);
                return (
                    "--set".to_string(),
                    self.text[set.clone()].to_string(),
                    place.start - set.start..end - set.start,
                );
            }
        }
        let end = self.file_end;
        (self.name.clone(), self.text[..end].to_string(), place.start.min(end)..place.end.min(end))
    }

    /// What stands at a place.
    pub fn text_at(&self, place: &Range<usize>) -> &str {
        self.text.get(place.clone()).unwrap_or_default()
    }

    /// The variants that the file lists, in their order, and what it calls itself among them.
    ///
    /// # Errors
    /// Text that is not TOML, a variant without a name or with one that another has.
    pub fn variants(&self) -> Result<(Option<String>, Vec<Variant>), RecipeError> {
        let mut root = self.parsed()?;
        let found = variants::take(self, root.get_mut())?;
        Ok((found.base, found.variants.into_iter().map(|(variant, _)| variant).collect()))
    }

    /// The document with this variant merged in; `--set` options come after it.
    ///
    /// # Errors
    /// A name that no variant has.
    pub fn with_variant(&self, name: &str) -> Result<Document, RecipeError> {
        let (base, variants) = self.variants()?;
        if base.as_deref() == Some(name) {
            return Ok(Document { variant: None, ..self.clone() });
        }
        match variants.iter().position(|variant| variant.name == name) {
            Some(index) => Ok(Document { variant: Some(index), ..self.clone() }),
            None => Err(variants::unknown(self, name, base.as_deref(), &variants)),
        }
    }

    fn parsed(&self) -> Result<Spanned<Table<'_>>, RecipeError> {
        DeTable::parse(&self.text[..self.file_end]).map_err(|error| self.explain(&error))
    }

    /// The file's table with the variant and all options set.
    fn merged(&self) -> Result<Spanned<Table<'_>>, RecipeError> {
        let mut root = self.parsed()?;
        let found = variants::take(self, root.get_mut())?;
        if let Some((_, settings)) = self.variant.and_then(|index| found.variants.into_iter().nth(index)) {
            for (keys, value) in settings {
                self.put(root.get_mut(), &keys, value)?;
            }
        }
        for (place, value) in self.sets.iter().zip(&self.values) {
            self.set(root.get_mut(), place.clone(), value)?;
        }
        Ok(root)
    }

    fn set<'i>(&'i self, root: &mut Table<'i>, place: Range<usize>, padded: &'i str) -> Result<(), RecipeError> {
        let set = &self.text[place.clone()];
        let fault = |range: Range<usize>, problem: String, help: String| {
            self.fault(&(place.start + range.start..place.start + range.end), problem, help)
        };
        let Some(equals) = set.find('=') else {
            let help = "write --set KEY.PATH=VALUE, as in --set train.epochs=3".to_string();
            return Err(fault(0..set.len(), "an option to set needs a key and a value with `=` between".into(), help));
        };
        let mut keys: Vec<Key<'i>> = vec![];
        let mut start = 0;
        for piece in set[..equals].split('.') {
            let lead = piece.len() - piece.trim_start().len();
            let key = piece.trim().trim_matches('"');
            if key.is_empty() {
                let help = "write --set KEY.PATH=VALUE, as in --set model.layers.1.dense.units=64".to_string();
                return Err(fault(start..start + piece.len().max(1), "a key is empty".into(), help));
            }
            let from = place.start + start + lead;
            keys.push(Spanned::new(from..from + piece.trim().len(), key.into()));
            start += piece.len() + 1;
        }
        let value = self.set_value(place.start + equals + 1..place.end, padded)?;
        self.put(root, &keys, value)
    }

    /// Puts a value where keys lead to.
    fn put<'i>(&self, root: &mut Table<'i>, keys: &[Key<'i>], value: Value<'i>) -> Result<(), RecipeError> {
        let span = root_span(keys);
        let mut top = Spanned::new(span, DeValue::Table(std::mem::take(root)));
        let result = self.insert(&mut top, keys, 0, value);
        if let DeValue::Table(table) = top.into_inner() {
            *root = table;
        }
        result
    }

    /// The value of an option. A lone word that is no TOML value is taken as text.
    fn set_value<'i>(&'i self, place: Range<usize>, padded: &'i str) -> Result<Value<'i>, RecipeError> {
        let text = &self.text[place.clone()];
        let parsed = DeTable::parse(padded).map(|table| table.into_inner().into_iter().next());
        match parsed {
            Ok(Some((_, value))) => Ok(value),
            result => {
                let word = text.trim();
                let plain = |c: char| c.is_alphanumeric() || "_-./+ ".contains(c);
                if word.starts_with(|c: char| c.is_alphabetic() || c == '/' || c == '.') && word.chars().all(plain) {
                    return Ok(Spanned::new(place, DeValue::String(word.to_string().into())));
                }
                let problem = match result {
                    Err(error) => format!("the value is not TOML: {}", error.message()),
                    Ok(_) => "the value is missing".to_string(),
                };
                let help = "write numbers as 3 or 0.05, text as \"text\", lists as [1, 2], tables as { key = 1 }";
                Err(self.fault(&place, problem, help.to_string()))
            }
        }
    }

    /// Puts a value where the keys from `depth` on lead to.
    fn insert<'i>(
        &self,
        at: &mut Value<'i>,
        keys: &[Key<'i>],
        depth: usize,
        value: Value<'i>,
    ) -> Result<(), RecipeError> {
        let Some(key) = keys.get(depth) else {
            *at = value;
            return Ok(());
        };
        let path = || keys[..depth].iter().map(|key| key.get_ref().as_ref()).collect::<Vec<_>>().join(".");
        let name = key.get_ref().as_ref();
        make_room(at.get_mut(), keys, depth);
        match at.get_mut() {
            DeValue::Table(table) => {
                if !table.contains_key(name) {
                    let container = match keys.get(depth + 1).map(|next| next.get_ref().parse::<usize>()) {
                        Some(Ok(_)) => DeValue::Array(DeArray::new()),
                        _ => DeValue::Table(DeTable::new()),
                    };
                    table.insert(key.clone(), Spanned::new(key.span(), container));
                }
                match table.get_mut(name) {
                    Some(next) => self.insert(next, keys, depth + 1, value),
                    None => Ok(()),
                }
            }
            DeValue::Array(list) => {
                let length = list.len();
                let index = name.parse::<usize>().ok().filter(|&index| index <= length);
                let Some(index) = index else {
                    let problem = format!("`{}` has no entry `{name}`", path());
                    let help = match length {
                        0 => "it is an empty list: 0 adds the first entry".to_string(),
                        1 => "it is a list of one entry: 0 is that, 1 adds another".to_string(),
                        _ => format!("it is a list: its entries are 0 to {}, and {length} adds one", length - 1),
                    };
                    return Err(self.fault(&key.span(), problem, help));
                };
                if index == length {
                    list.push(Spanned::new(key.span(), DeValue::Table(DeTable::new())));
                }
                match list.get_mut(index) {
                    Some(next) => self.insert(next, keys, depth + 1, value),
                    None => Ok(()),
                }
            }
            other => {
                let problem = format!("`{}` is {}, it has no key `{name}`", path(), in_words(other));
                Err(self.fault(&key.span(), problem, format!("set `{}` itself, or correct the path", path())))
            }
        }
    }

    pub(super) fn fault(&self, place: &Range<usize>, problem: String, help: String) -> RecipeError {
        RecipeError::at(self, place, problem, "here", help)
    }

    fn explain(&self, error: &toml::de::Error) -> RecipeError {
        RecipeError::explain(self, error.message(), error.span())
    }
}

/// Prepares the way to a key: the short form of a family's member becomes a table, another member makes room.
fn make_room(at: &mut DeValue<'_>, keys: &[Key<'_>], depth: usize) {
    let name = keys[depth].get_ref().as_ref();
    let Some(parent) = depth.checked_sub(1).map(|i| keys[i].get_ref().as_ref()) else { return };
    let family = FAMILIES.contains(&parent) || parent.parse::<usize>().is_ok();
    let part = PARTS.contains(&parent) && depth > 1;
    let short = SHORT.iter().find(|(key, _)| *key == parent).map(|(_, setting)| *setting);
    match at {
        DeValue::String(_) if family => *at = DeValue::Table(DeTable::new()),
        DeValue::Integer(_) | DeValue::Float(_) => {
            if let Some(setting) = short {
                let number = std::mem::replace(at, DeValue::Table(DeTable::new()));
                if let (DeValue::Table(table), true) = (at, setting != name) {
                    let place = keys[depth].span();
                    table.insert(Spanned::new(place.clone(), setting.into()), Spanned::new(place, number));
                }
            }
        }
        DeValue::Table(table) if (family || part) && !table.contains_key(name) => {
            let holdout =
                part && HOLDOUT.contains(&name) && table.keys().all(|key| HOLDOUT.contains(&key.get_ref().as_ref()));
            let others: &[&str] = match name {
                "fraction" => &["count", "fold", "of"],
                "count" => &["fraction", "fold", "of"],
                "fold" | "of" => &["fraction", "count"],
                _ => &[],
            };
            match holdout {
                true => others.iter().for_each(|other| drop(table.remove(*other))),
                false => *table = DeTable::new(),
            }
        }
        _ => {}
    }
}

fn root_span(keys: &[Key<'_>]) -> Range<usize> {
    keys.first().map_or(0..0, Spanned::span)
}

pub(super) fn in_words(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
