//! A recipe as TOML text: sections, one key a line, lists of tables one entry a line.

use super::Recipe;
use toml::{Table, Value};

/// The recipe with every default filled in. Reads back to the same recipe.
pub fn render(recipe: &Recipe) -> String {
    let table = match Value::try_from(recipe) {
        Ok(Value::Table(table)) => table,
        _ => Table::new(),
    };
    let mut text = String::new();
    for (key, value) in table.iter().filter(|(_, value)| !value.is_table()) {
        line(&mut text, key, value);
    }
    for (key, section) in &table {
        if let Value::Table(section) = section {
            text.push_str(&format!("\n[{key}]\n"));
            section.iter().for_each(|(key, value)| line(&mut text, key, value));
        }
    }
    text
}

fn line(text: &mut String, key: &str, value: &Value) {
    let one = format!("{key} = {}", inline(value));
    match value {
        Value::Array(list) if one.len() > 100 && !list.is_empty() => {
            text.push_str(&format!("{key} = [\n"));
            for entry in list {
                text.push_str(&format!("  {},\n", inline(entry)));
            }
            text.push_str("]\n");
        }
        _ => text.push_str(&(one + "\n")),
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::Array(list) if list.is_empty() => "[]".into(),
        Value::Array(list) => format!("[{}]", spaced(list.iter().map(inline), list.iter().any(Value::is_table))),
        Value::Table(table) if table.is_empty() => "{}".into(),
        Value::Table(table) => {
            let entries = table.iter().map(|(key, value)| format!("{} = {}", bare(key), inline(value)));
            format!("{{{}}}", spaced(entries, true))
        }
        Value::Float(x) if x.is_finite() && *x != 0.0 && (x.abs() < 1e-3 || x.abs() >= 1e16) => format!("{x:e}"),
        other => other.to_string(),
    }
}

fn spaced(entries: impl Iterator<Item = String>, wide: bool) -> String {
    let entries = entries.collect::<Vec<_>>().join(", ");
    if wide { format!(" {entries} ") } else { entries }
}

fn bare(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
    if plain { key.to_string() } else { Value::String(key.to_string()).to_string() }
}
