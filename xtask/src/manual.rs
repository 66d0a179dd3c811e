//! The tables of settings in the manual, made from the structs that recipes use.
//!
//! A page of `docs/` asks for the table of a family between `<!-- options: FAMILY -->` and `<!-- /options -->`, or for some of its members
//! with `<!-- options: FAMILY KEY KEY -->`.

use gradus_nn::explain::{Explanation, FAMILIES, Family, explain};
use gradus_train::AnyStop;
use std::path::Path;

const END: &str = "<!-- /options -->";

/// Writes the tables into all pages, or with `check` only tells which are not up to date.
pub fn run(check: bool) -> Result<(), String> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs");
    let mut stale = vec![];
    for entry in std::fs::read_dir(&docs).map_err(|e| e.to_string())? {
        let path = entry.map_err(|e| e.to_string())?.path();
        if path.extension().is_none_or(|extension| extension != "md") {
            continue;
        }
        let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let fresh = filled(&text).map_err(|problem| format!("docs/{name}: {problem}"))?;
        if fresh == text {
            continue;
        }
        stale.push(format!("docs/{name}"));
        if !check {
            std::fs::write(&path, fresh).map_err(|e| e.to_string())?;
        }
    }
    match (check, stale.is_empty()) {
        (_, true) => println!("all pages are up to date"),
        (false, false) => println!("written: {}", stale.join(", ")),
        (true, false) => return Err(format!("not up to date: {}; run `cargo xtask docs`", stale.join(", "))),
    }
    Ok(())
}

/// A page with all its tables made anew.
fn filled(text: &str) -> Result<String, String> {
    let mut fresh = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("<!-- options: ") {
        let open = &rest[start..];
        let head_end = open.find("-->").ok_or("a marker is not closed")? + 3;
        let name = open["<!-- options: ".len()..head_end - 3].trim();
        let end = open.find(END).ok_or_else(|| format!("`{name}` has no `{END}`"))?;
        let mut words = name.split_whitespace();
        let name = words.next().unwrap_or_default();
        let keys: Vec<&str> = words.collect();
        let family =
            families().find(|family| family.0 == name).ok_or_else(|| format!("there is no family `{name}`"))?;
        if let Some(unknown) = keys.iter().find(|key| !family.1.iter().any(|page| page.key == **key)) {
            return Err(format!("`{name}` has no member `{unknown}`"));
        }
        fresh.push_str(&rest[..start + head_end]);
        fresh.push_str(&format!("\n\n{}\n", table(family, &keys)));
        rest = &open[end..];
        fresh.push_str(END);
        rest = &rest[END.len()..];
    }
    fresh.push_str(rest);
    Ok(fresh)
}

fn families() -> impl Iterator<Item = Family> {
    FAMILIES.iter().copied().chain([("stops", AnyStop::PAGES)])
}

/// A family, or what is named of it, as a table: one line for each member, one for each of its settings.
fn table((_, pages): Family, keys: &[&str]) -> String {
    let mut text = String::from("| key | setting | default | meaning |\n|---|---|---|---|\n");
    for Explanation { key, text: meaning, settings } in
        pages.iter().filter(|page| keys.is_empty() || keys.contains(&page.key)).map(explain)
    {
        let first = meaning.lines().next().unwrap_or_default();
        text.push_str(&format!("| `{key}` | | | {} |\n", cell(first)));
        for setting in settings {
            let default = setting.default.map_or(String::new(), |default| format!("`{}`", cell(&default)));
            text.push_str(&format!("| | `{}` | {default} | {} |\n", setting.name, cell(&setting.text)));
        }
    }
    text
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_is_up_to_date() {
        run(true).unwrap();
    }

    #[test]
    fn tables_are_made_between_their_marks() {
        let page = "a\n<!-- options: clips -->\nold\n<!-- /options -->\nb\n";
        let fresh = filled(page).unwrap();
        assert!(
            fresh.starts_with("a\n<!-- options: clips -->\n\n| key |") && fresh.ends_with("\n<!-- /options -->\nb\n")
        );
        assert!(fresh.contains("| | `limit` | `1.0` |") && !fresh.contains("old"));
        assert_eq!(filled(&fresh).unwrap(), fresh);
        assert!(filled("<!-- options: nothing --><!-- /options -->").unwrap_err().contains("`nothing`"));
    }
}
