//! The ready recipes: each is read, rendered and read back; those whose files are found (those with embedded data read none) are trained
//! for an epoch.

use gradus_cli::recipe::{self, Document, Recipe};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A recipe, or one of the variants that a file holds.
struct Ready {
    /// As in `iris` and `course/curve:adam-0.01`.
    name: String,
    path: PathBuf,
    variant: Option<String>,
}

fn recipes() -> Vec<Ready> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes");
    let mut list = vec![];
    for (prefix, least) in [("", 9), ("course/", 20)] {
        let before = list.len();
        for entry in std::fs::read_dir(folder.join(prefix)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|ending| ending != "toml") {
                continue;
            }
            let name = format!("{prefix}{}", path.file_stem().unwrap().to_string_lossy());
            let (_, variants) = Document::load(&path, &[]).unwrap().variants().unwrap();
            for variant in variants {
                let name = format!("{name}:{}", variant.name);
                list.push(Ready { name, path: path.clone(), variant: Some(variant.name) });
            }
            list.push(Ready { name, path, variant: None });
        }
        assert!(list.len() - before >= least, "only {} recipes in {prefix:?}", list.len() - before);
    }
    list.sort_by(|a, b| a.name.cmp(&b.name));
    list
}

#[test]
fn every_recipe_is_valid_and_renders() {
    for Ready { name, path, variant } in recipes() {
        let (recipe, _) =
            Recipe::load_variant(&path, variant.as_deref(), &[]).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert!(!recipe.description.is_empty(), "{name} says nothing of its task");
        let text = recipe::render(&recipe);
        let again = Recipe::of(&Document::new("rendered", &text, &[]), "other").unwrap();
        assert_eq!(again, recipe, "{text}");
    }
}

#[test]
fn every_recipe_trains() {
    let folder = std::env::temp_dir().join(format!("gradus-recipes-{}", std::process::id()));
    for Ready { name, path, variant } in recipes() {
        let gradus = || Command::new(env!("CARGO_BIN_EXE_gradus"));
        let found = gradus().args(["data", "find"]).arg(&path).output().unwrap();
        if found.status.code() == Some(3) {
            eprintln!("skipped: {name}: {}", String::from_utf8_lossy(&found.stderr));
            continue;
        }
        let run = folder.join(name.replace(['/', ':'], "-"));
        let variant = variant.map(|variant| ["--variant".to_string(), variant]);
        let output = gradus()
            .args([
                "train",
                "--json",
                "--quiet",
                "--set",
                "train.epochs=1",
                "--set",
                "train.stop=[{ steps = 200 }]",
                "--run-dir",
            ])
            .arg(&run)
            .args(variant.iter().flatten())
            .arg(&path)
            .output()
            .unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {error}");
        let last = String::from_utf8(output.stdout).unwrap().lines().last().unwrap_or_default().to_string();
        let done: serde_json::Value = serde_json::from_str(&last).unwrap();
        assert_eq!(done["event"], "done", "{name}");
        for key in ["epochs", "steps", "stopped_by", "best", "test", "seconds", "run_dir"] {
            assert!(done.get(key).is_some(), "{name}: {key} is missing in {last}");
        }
        assert!(done["test"]["loss"].as_f64().is_some_and(f64::is_finite), "{name}: {last}");
        for file in ["recipe.toml", "history.jsonl", "best.safetensors", "last.safetensors", "report.html"] {
            assert!(run.join(file).metadata().unwrap().len() > 0, "{name}: {file}");
        }
    }
    std::fs::remove_dir_all(folder).ok();
}
