//! Which settings differ between two recipes, every default counted.

use toml::Value;

/// A setting that two recipes have not alike; `None` where one does not have it.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Its key path, such as `train.optimizer.adam.lr`.
    pub key: String,
    /// What the first recipe has.
    pub first: Option<String>,
    /// What the other has.
    pub other: Option<String>,
}

/// The settings of any two sections that differ. A table that only one has is told as a whole.
///
/// ```
/// use gradus_cli::compare::differences::differences;
/// let table = |text: &str| text.parse::<toml::Table>().unwrap().into();
/// let found = differences(&table("lr = 0.1\nsteps = 3"), &table("lr = 0.2\nsteps = 3"));
/// assert_eq!(found.len(), 1);
/// assert_eq!((found[0].key.as_str(), found[0].other.as_deref()), ("lr", Some("0.2")));
/// ```
pub fn differences(first: &Value, other: &Value) -> Vec<Difference> {
    let mut found = vec![];
    compare("", Some(first), Some(other), &mut found);
    found
}

fn compare(key: &str, first: Option<&Value>, other: Option<&Value>, found: &mut Vec<Difference>) {
    if first == other {
        return;
    }
    let inner = |name: &str| if key.is_empty() { name.to_string() } else { format!("{key}.{name}") };
    match (first, other) {
        (Some(Value::Table(a)), Some(Value::Table(b))) if one_member(a, b) => {
            let mut names: Vec<&String> = a.keys().collect();
            names.extend(b.keys().filter(|name| !a.contains_key(*name)));
            names.iter().for_each(|name| compare(&inner(name), a.get(*name), b.get(*name), found));
        }
        (Some(Value::Array(a)), Some(Value::Array(b))) if a.len() == b.len() => {
            (0..a.len()).for_each(|i| compare(&inner(&i.to_string()), a.get(i), b.get(i), found));
        }
        _ => {
            let text = |value: Option<&Value>| value.map(ToString::to_string);
            found.push(Difference { key: key.to_string(), first: text(first), other: text(other) });
        }
    }
}

/// Whether two tables hold settings of the same thing, rather than two members of a family.
fn one_member(a: &toml::Table, b: &toml::Table) -> bool {
    !(a.len() == 1 && b.len() == 1 && a.keys().ne(b.keys()))
}
