//! Variants: several recipes in one file, each the file's recipe with some settings of its own.
//!
//! ```toml
//! base = "none"                            # what the file's own recipe is called; false leaves it out of comparisons
//!
//! [[variants]]
//! name = "l2"
//! train.regularizer.l2.lambda = 0.01         # as --set train.regularizer.l2.lambda=0.01
//!
//! [[variants]]
//! name = "dropout"
//! model.layers.2 = { dropout = { rate = 0.2 } }
//! ```
//!
//! Each line of a variant means what `--set` with the same key and value means: dotted keys and tables with a header of their
//! own lead to a setting, naming another member of a family replaces the one that is there, and a value (`{ … }` and `[ … ]`
//! among them) replaces what was set.

use super::document::{Document, Key, Value, in_words};
use super::error::RecipeError;
use super::nearest;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What the file's own recipe is called where it does not say.
const BASE: &str = "base";

/// One variant of a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Its name.
    pub name: String,
    /// Where the name stands.
    pub place: Range<usize>,
}

/// Values, each with the keys that lead to it.
type Settings<'i> = Vec<(Vec<Key<'i>>, Value<'i>)>;

/// What a file says about its variants.
pub(super) struct Found<'i> {
    /// The name of the file's own recipe, unless it is left out.
    pub base: Option<String>,
    /// Each variant with what it sets.
    pub variants: Vec<(Variant, Settings<'i>)>,
}

/// Takes `base` and `variants` out of a recipe's table.
pub(super) fn take<'i>(document: &Document, root: &mut DeTable<'i>) -> Result<Found<'i>, RecipeError> {
    let mut found = Found { base: Some(BASE.into()), variants: vec![] };
    let base = root.remove("base");
    if let Some(base) = &base {
        found.base = match base.get_ref() {
            DeValue::Boolean(false) => None,
            DeValue::Boolean(true) => found.base,
            DeValue::String(name) if !name.trim().is_empty() => Some(name.trim().to_string()),
            other => {
                let problem = format!("`base` is {}, but must be a name, or false", in_words(other));
                let help = "base = \"none\" names this recipe among its variants, base = false leaves it out";
                return Err(document.fault(&base.span(), problem, help.into()));
            }
        };
    }
    let Some(list) = root.remove("variants") else {
        let Some(base) = base else { return Ok(found) };
        let help = "add a variant, [[variants]] with a name and settings, or leave `base` out";
        return Err(document.fault(&base.span(), "`base` is given, but there are no variants".into(), help.into()));
    };
    let place = list.span();
    let DeValue::Array(list) = list.into_inner() else {
        let help = "write each variant as [[variants]], with its name and settings on the lines below";
        return Err(document.fault(&place, "`variants` is no list of tables".into(), help.into()));
    };
    for entry in list {
        let variant = one(document, entry)?;
        let other = found.variants.iter().map(|(other, _)| other.name.as_str()).chain(found.base.as_deref());
        if let Some(name) = other.into_iter().find(|name| *name == variant.0.name) {
            let problem = format!("there are two variants called `{name}`");
            let help = match found.base.as_deref() == Some(name) {
                true => {
                    "that is what the file's own recipe is called: name it with base = \"…\", or leave it out with base = false"
                }
                false => "give each its own name",
            };
            return Err(document.fault(&variant.0.place, problem, help.into()));
        }
        found.variants.push(variant);
    }
    Ok(found)
}

fn one<'i>(document: &Document, entry: Value<'i>) -> Result<(Variant, Settings<'i>), RecipeError> {
    let place = entry.span();
    let mut table = match entry.into_inner() {
        DeValue::Table(table) => table,
        other => {
            let problem = format!("a variant is {}, but must be a table", in_words(&other));
            return Err(document.fault(
                &place,
                problem,
                "{ name = \"l2\", train.regularizer.l2.lambda = 0.01 }".into(),
            ));
        }
    };
    let variant = match table.remove("name") {
        None => {
            let help = "add name = \"…\": comparisons and --variant call it by that";
            return Err(document.fault(&place, "a variant has no name".into(), help.into()));
        }
        Some(name) => match name.get_ref() {
            DeValue::String(text) if !text.trim().is_empty() => {
                Variant { name: text.trim().to_string(), place: name.span() }
            }
            other => {
                let problem = format!("the name of a variant is {}, but must be text", in_words(other));
                return Err(document.fault(&name.span(), problem, "write name = \"l2\"".into()));
            }
        },
    };
    if let Some((key, _)) = table.get_key_value("variants").or_else(|| table.get_key_value("base")) {
        let problem = format!("a variant cannot have `{}`", key.get_ref());
        return Err(document.fault(&key.span(), problem, "list all variants side by side".into()));
    }
    let mut settings = vec![];
    flatten(document, &mut vec![], table, &mut settings);
    Ok((variant, settings))
}

/// The settings of a table, each with the keys that lead to it.
fn flatten<'i>(document: &Document, keys: &mut Vec<Key<'i>>, table: DeTable<'i>, settings: &mut Settings<'i>) {
    for (key, value) in table {
        keys.push(key);
        let place = value.span();
        let written_out = document.text_at(&place).starts_with('{');
        match value.into_inner() {
            DeValue::Table(inner) if !written_out => flatten(document, keys, inner, settings),
            value => settings.push((keys.clone(), Spanned::new(place, value))),
        }
        keys.pop();
    }
}

/// The error for a name that no variant has.
pub(super) fn unknown(document: &Document, name: &str, base: Option<&str>, variants: &[Variant]) -> RecipeError {
    let known: Vec<&str> = base.into_iter().chain(variants.iter().map(|variant| variant.name.as_str())).collect();
    let Some(first) = variants.first() else {
        let help = "add [[variants]] with this name, or leave --variant out";
        return document.fault(&(0..0), format!("the recipe has no variants, and none called `{name}`"), help.into());
    };
    let label = match nearest::meant(name, &known) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "the first of them".into(),
    };
    let place = nearest::meant(name, &known)
        .and_then(|meant| variants.iter().find(|variant| variant.name == meant))
        .map_or(first.place.clone(), |variant| variant.place.clone());
    let names: Vec<String> = nearest::sorted(name, &known).iter().map(|name| format!("`{name}`")).collect();
    let help = format!("its variants are: {}", names.join(", "));
    RecipeError::at(document, &place, format!("the recipe has no variant `{name}`"), label, help)
}
