//! The course's table of initialisation × activation × depth, by its recipes; runs looked into; pages that browsers can read.

mod common;

use common::Folder;
use std::path::Path;

fn json(folder: &Folder, words: &[&str]) -> Vec<serde_json::Value> {
    folder.succeed(words).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn page(folder: &Folder, name: &str) -> String {
    let text = std::fs::read_to_string(folder.path(name)).unwrap();
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    roxmltree::Document::parse_with_options(&text, options).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(!text.contains("NaN") && !text.contains("inf\""), "{name}");
    text
}

fn recipes() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../recipes/course/initialisation");
    let mut list: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().display().to_string()).collect();
    list.sort();
    list
}

fn findings(snapshot: &serde_json::Value) -> Vec<&str> {
    snapshot["findings"].as_array().unwrap().iter().map(|finding| finding["finding"].as_str().unwrap()).collect()
}

#[test]
fn each_row_of_the_table_shows_what_it_should() {
    let folder = Folder::new("table");
    let recipes = recipes();
    let mut words = vec!["inspect", "--json", "--out", "table.html", "--at", "0,1"];
    words.extend(recipes.iter().map(String::as_str));
    let seen = json(&folder, &words);
    assert_eq!(seen.len(), 7);
    let [one, zero, random, sigmoid, tanh, xavier, msra] = &seen[..] else { panic!() };
    let start = |row: &serde_json::Value| findings(&row["snapshots"][0]).join(" ");
    let after = |row: &serde_json::Value| row["snapshots"][1]["accuracy"].as_f64().unwrap();
    assert!(
        after(one) > 0.9 && after(random) > 0.85 && after(zero) < 0.3,
        "{} {} {}",
        after(one),
        after(random),
        after(zero)
    );
    assert!(start(zero).contains("symmetric") && findings(&zero["snapshots"][1]).contains(&"symmetric"));
    assert!(!start(one).contains("symmetric") && !start(random).contains("symmetric"));
    assert!(start(sigmoid).contains("both_ends"), "{}", start(sigmoid));
    assert!(start(tanh).contains("spread_kept"), "{}", start(tanh));
    assert!(start(xavier).contains("collapsing"), "{}", start(xavier));
    assert!(start(msra).contains("spread_kept"), "{}", start(msra));
    let page = page(&folder, "table.html");
    for name in ["1-one-layer-zero", "7-deep-relu-msra"] {
        assert!(page.contains(name));
    }
}

#[test]
fn recipes_and_runs_are_looked_into() {
    let folder = Folder::new("look");
    let recipe = "[data]\ntrain = { embedded = \"digits\" }\nvalid = { fraction = 0.2 }\ntransforms = [{ min_max = {} }]\n\
        [model]\nlayers = [\"flatten\", { dropout = { rate = 0.1 } }, { dense = { units = 24, activation = \"relu\" } }, \
        { dense = { units = 12 } }, { activation = \"tanh\" }, { dense = { units = 10 } }]\n\
        [train]\nepochs = 2\nloss = { cross_entropy = {} }\noptimizer = { adam = {} }\n";
    std::fs::write(folder.path("net.toml"), recipe).unwrap();
    let seen =
        &json(&folder, &["inspect", "net.toml", "--json", "--epochs", "0.5", "--at", "0,1", "--samples", "100"])[0];
    assert!(!folder.path("inspect.html").exists(), "no page was asked for");
    let [start, end] = &seen["snapshots"].as_array().unwrap()[..] else { panic!("{seen}") };
    assert_eq!(
        (seen["samples"].as_u64(), start["step"].as_u64(), end["step"].as_u64()),
        (Some(100), Some(0), Some(23))
    );
    // An activation belongs to the layer before it; dropout and flatten compute nothing of their own.
    let layers: Vec<(&str, &str)> = start["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|layer| (layer["name"].as_str().unwrap(), layer["activation"].as_str().unwrap()))
        .collect();
    assert_eq!(layers, [("dense", "relu"), ("dense_1", "tanh"), ("dense_2", "identity")]);
    assert!(start["layers"][0]["before"]["low"].as_f64().unwrap() < 0.0, "before the rectifier");
    assert!(start["layers"][1]["before"]["sd"].as_f64() > start["layers"][1]["output"]["sd"].as_f64());
    assert!(end["loss"].as_f64() < start["loss"].as_f64());
    assert_eq!(end["updates"].as_array().unwrap().len(), 6);

    folder.succeed(&["train", "net.toml", "--quiet", "--run-dir", "run"]);
    let text = folder.succeed(&["inspect", "run"]);
    assert!(text.contains("\nfirst weights: loss ") && text.contains("\nbest weights: loss "), "{text}");
    assert!(page(&folder, "run/inspect.html").contains("What comes back to each layer"));
    let seen = &json(&folder, &["inspect", "run", "--json", "--samples", "100"])[0]["snapshots"];
    assert!(seen[1]["loss"].as_f64() < seen[0]["loss"].as_f64(), "the best weights are better than the first");
    for (own, of_recipe) in seen[0]["layers"].as_array().unwrap().iter().zip(start["layers"].as_array().unwrap()) {
        for (values, figure) in [("output", "sd"), ("before", "mean"), ("gradient", "norm")] {
            assert_eq!(own[values][figure], of_recipe[values][figure], "the first weights are those of the recipe");
        }
    }
}
