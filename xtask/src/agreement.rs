//! The page on how exact everything is, made of the errors that the tests measure.

use gradus_graph::Op;
use gradus_nn::AnyLayer;
use gradus_nn::models::AnyModel;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The tests that measure, by package.
const TESTS: &[(&str, &[&str])] = &[
    ("gradus-graph", &["ops", "reference"]),
    (
        "gradus-nn",
        &["layer_values", "sequences", "derivatives", "pooling", "regions", "containers", "models", "text_models"],
    ),
];
const PAGE: &str = "../docs/correctness.md";
/// Operations of the Rust interface that are no layers of a recipe.
const REGIONS: &[&str] = &["roi_pool", "roi_align", "deform_roi_pool"];

/// For one subject: by what it was compared with, the cases and the largest error.
type Measured = BTreeMap<String, (BTreeSet<String>, f64)>;

/// Runs the tests and writes the tables.
pub fn run() -> Result<(), String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let record = std::env::temp_dir().join(format!("gradus-agreement-{}.tsv", std::process::id()));
    for (package, tests) in TESTS {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--quiet", "-p", package]).env("GRADUS_RECORD", &record).current_dir(root);
        tests.iter().for_each(|test| {
            cargo.args(["--test", test]);
        });
        if !cargo.status().map_err(|e| e.to_string())?.success() {
            return Err(format!("tests of {package} fail: nothing is written"));
        }
    }
    let lines = std::fs::read_to_string(&record).map_err(|e| format!("{}: {e}", record.display()))?;
    std::fs::remove_file(&record).map_err(|e| e.to_string())?;
    let mut subjects: BTreeMap<&str, Measured> = BTreeMap::new();
    for line in lines.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let [against, subject, case, error] = fields[..] else {
            return Err(format!("a line of {} fields", fields.len()));
        };
        let error: f64 = error.parse().map_err(|e| format!("`{error}`: {e}"))?;
        let entry = subjects.entry(subject).or_default().entry(against.into()).or_default();
        entry.0.insert(case.into());
        entry.1 = entry.1.max(error);
    }
    let page = root.join(PAGE);
    let mut text = std::fs::read_to_string(&page).map_err(|e| format!("docs/correctness.md: {e}"))?;
    let named =
        |known: &dyn Fn(&str) -> bool| subjects.iter().filter(|s| known(s.0)).map(|s| (*s.0, s.1)).collect::<Vec<_>>();
    let layers = named(&|name| [AnyLayer::KEYS, AnyModel::KEYS, REGIONS].iter().any(|known| known.contains(&name)));
    let ops = named(&|name| Op::names().contains(&name) && !AnyLayer::KEYS.contains(&name));
    for (mark, rows) in [("layers", layers), ("ops", ops)] {
        text = filled(&text, mark, &table(&rows))?;
    }
    std::fs::write(&page, text).map_err(|e| format!("docs/correctness.md: {e}"))?;
    println!("written: docs/correctness.md");
    Ok(())
}

/// One line for each subject.
fn table(rows: &[(&str, &Measured)]) -> String {
    let columns = ["first gradient", "second gradient", "pytorch f64", "pytorch f32"];
    let mut text = String::from(
        "| | gradient: cases | largest error | second gradient: cases | largest error | PyTorch: cases | f64 | f32 |\n|---|---|---|---|---|---|---|---|\n",
    );
    for (name, measured) in rows {
        let cases = |k: usize| measured.get(columns[k]).map_or("–".into(), |m| m.0.len().to_string());
        let error = |k: usize| measured.get(columns[k]).map_or("–".into(), |m| scientific(m.1));
        let cells = [cases(0), error(0), cases(1), error(1), cases(2), error(2), error(3)];
        text.push_str(&format!("| `{name}` | {} |\n", cells.join(" | ")));
    }
    text
}

/// `3e-9`, rounded up; 0 where nothing differs.
fn scientific(error: f64) -> String {
    if error == 0.0 {
        return "0".into();
    }
    let exponent = error.log10().floor();
    format!("{:.0e}", (error / 10f64.powf(exponent)).ceil() * 10f64.powf(exponent))
}

/// The page with the table of a mark, `<!-- agreement: layers -->` to `<!-- /agreement -->`, made anew.
fn filled(page: &str, mark: &str, table: &str) -> Result<String, String> {
    let (start, end) = (format!("<!-- agreement: {mark} -->"), "<!-- /agreement -->");
    let missing = || format!("docs/correctness.md has no `{start}` with an `{end}` behind it");
    let (before, rest) = page.split_once(&start).ok_or_else(missing)?;
    let (_, after) = rest.split_once(end).ok_or_else(missing)?;
    Ok(format!("{before}{start}\n\n{table}\n{end}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_rounded_up() {
        assert_eq!([0.0, 3.2e-9, 1e-7, 9.99e-8].map(scientific), ["0", "4e-9", "1e-7", "1e-7"]);
    }

    #[test]
    fn a_table_replaces_the_old_one() {
        let page = "a\n<!-- agreement: ops -->\nold\n<!-- /agreement -->\nb\n";
        let fresh = filled(page, "ops", "| new |\n").unwrap();
        assert_eq!(fresh, "a\n<!-- agreement: ops -->\n\n| new |\n\n<!-- /agreement -->\nb\n");
        assert!(filled(page, "layers", "").unwrap_err().contains("<!-- agreement: layers -->"));
    }
}
