//! Comparisons end to end: figures, pairs, tests, what diverges, what is interrupted.

mod common;

use common::Folder;
use gradus_metrics::TTest;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

const STUDY: &str = r#"
base = "none"

[data]
train = { embedded = "iris" }
valid = { fraction = 0.2 }
test = { fraction = 0.2 }
transforms = [{ z_score = {} }]

[model]
layers = [{ dense = { units = 8, activation = "tanh" } }, { dense = { units = 3 } }]

[train]
epochs = 12
batch_size = 16
loss = { cross_entropy = {} }
optimizer = { adam = { lr = 0.02 } }

[[variants]]
name = "l1"
train.regularizer.l1.lambda = 0.02

[[variants]]
name = "narrow"
model.layers.0.dense.units = 2
train.optimizer.adam.lr = 0.002
"#;

fn folder_of(name: &str, text: &str) -> Folder {
    Folder::with(&format!("compare-{name}"), "study.toml", text)
}

fn results_of(folder: &Folder, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.path(name).join("results.json")).unwrap()).unwrap()
}

fn accuracies(recipe: &Value) -> Vec<f64> {
    recipe["runs"].as_array().unwrap().iter().filter_map(|run| run["scores"]["accuracy"].as_f64()).collect()
}

/// Without what the clock says.
fn timeless(mut value: Value) -> Value {
    value["environment"] = Value::Null;
    value["method"]["Budget"] = Value::Null;
    for recipe in value["recipes"].as_array_mut().unwrap() {
        for run in recipe["runs"].as_array_mut().unwrap() {
            (run["seconds"], run["folder"]) = (Value::Null, Value::Null);
        }
    }
    value
}

#[test]
fn figures_are_those_of_single_runs_for_any_number_of_threads() {
    let folder = folder_of("figures", STUDY);
    folder.succeed(&["compare", "study.toml", "--seeds", "3", "--out", "two", "--threads", "2", "--quiet"]);
    folder.succeed(&["compare", "study.toml", "--seeds", "3", "--out", "one", "--threads", "1", "--quiet"]);
    let results = results_of(&folder, "two");
    assert_eq!(timeless(results.clone()), timeless(results_of(&folder, "one")));

    let recipes = results["recipes"].as_array().unwrap();
    let names: Vec<&str> = recipes.iter().map(|recipe| recipe["name"].as_str().unwrap()).collect();
    assert_eq!((names, results["metric"].as_str()), (vec!["none", "l1", "narrow"], Some("accuracy")));
    for recipe in recipes {
        let name = recipe["name"].as_str().unwrap();
        for (seed, accuracy) in (1..).zip(accuracies(recipe)) {
            let run = format!("{name}-{seed}");
            let set = format!("seed={seed}");
            let mut words = vec!["train", "study.toml", "--set", &set, "--run-dir", &run, "--json", "--quiet"];
            if name != "none" {
                words.extend(["--variant", name]);
            }
            let output = folder.run(&words).stdout;
            let last = String::from_utf8(output).unwrap().lines().last().unwrap().to_string();
            let done: Value = serde_json::from_str(&last).unwrap();
            assert_eq!(done["test"]["accuracy"].as_f64(), Some(accuracy), "{name}, seed {seed}");
            let tensors = |path: PathBuf| gradus_tensor::safetensors::read(&path).unwrap().tensors;
            for file in ["initial.safetensors", "best.safetensors"] {
                let compared = folder.path("two").join(name).join(format!("seed-{seed}")).join(file);
                assert!(tensors(compared) == tensors(folder.path(&run).join(file)), "{name}, seed {seed}: {file}");
            }
        }
    }
    let (none, l1) = (&recipes[0], &recipes[1]);
    let differences: Vec<f64> = accuracies(l1).iter().zip(accuracies(none)).map(|(a, b)| a - b).collect();
    let test = TTest::corrected(&differences, 30, 90);
    assert_eq!(l1["versus_first"]["mean"].as_f64(), Some(test.mean));
    assert_eq!(l1["versus_first"]["p"].as_f64(), Some(test.p).filter(|p| p.is_finite()));
    assert!(results["method"]["Test"].as_str().unwrap().contains("corrected resampled t-test"));
    let size = |recipe: &Value| recipe["weights"]["absolute"].as_f64().unwrap();
    assert!(size(l1) < 0.7 * size(none), "{} {}", size(l1), size(none));
    assert_eq!((none["weights"]["weights"].as_u64(), recipes[2]["weights"]["weights"].as_u64()), (Some(56), Some(14)));
    assert_eq!(l1["differs"][0]["key"], "train.regularizer");

    let page = std::fs::read_to_string(folder.path("two/report.html")).unwrap();
    roxmltree::Document::parse(&page.replace("<!DOCTYPE html>", "")).unwrap();
    for words in ["Validation loss", "dense_1/weight", "narrow", "Holm"] {
        assert!(page.contains(words), "{words}");
    }
    let text = folder.succeed(&["evaluate", "two/narrow/seed-2", "--json"]);
    let judged: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(judged["accuracy"].as_f64(), Some(accuracies(&recipes[2])[1]));
}

#[test]
fn the_same_weights_start_where_layers_agree() {
    let folder = folder_of("start", STUDY);
    folder.succeed(&["compare", "study.toml", "--seeds", "2", "--out", "out", "--set", "train.epochs=1", "--quiet"]);
    let tensors = |run: &str| {
        gradus_tensor::safetensors::read(&folder.path("out").join(run).join("initial.safetensors")).unwrap().tensors
    };
    assert!(tensors("none/seed-1") == tensors("l1/seed-1"));
    assert!(tensors("none/seed-1") != tensors("none/seed-2"));
    let (none, narrow) = (tensors("none/seed-1"), tensors("narrow/seed-1"));
    assert!(none["dense_1/bias"] == narrow["dense_1/bias"]);
    assert_ne!(none["dense/weight"].shape(), narrow["dense/weight"].shape());
}

#[test]
fn what_diverges_is_shown_and_left_out() {
    let wild = "\n[[variants]]\nname = \"wild\"\ntrain.optimizer = { sgd = { lr = 1e38 } }\n";
    let folder = folder_of("diverged", &(STUDY.to_string() + wild));
    let output = folder.run(&["compare", "study.toml", "--seeds", "2", "--out", "out", "--set", "train.epochs=2"]);
    let results = results_of(&folder, "out");
    let recipes = results["recipes"].as_array().unwrap();
    assert!(recipes[3]["runs"].as_array().unwrap().iter().all(|run| run["diverged"] == true && run["done"] == false));
    assert!(recipes[3]["versus_first"]["p"].is_null() && recipes[3]["weights"].is_null());
    assert_eq!(accuracies(&recipes[1]).len(), 2);
    assert!(results["notes"].to_string().contains("wild diverged with seeds 1, 2"), "{}", results["notes"]);
    let (text, lines) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(text.contains("wild diverged") && lines.contains("wild, seed 1: diverged: training diverged in step"));
    let page = std::fs::read_to_string(folder.path("out/report.html")).unwrap();
    roxmltree::Document::parse(&page.replace("<!DOCTYPE html>", "")).unwrap();
}

#[test]
fn fixed_test_data_are_tested_by_the_plain_test_in_the_units_of_the_data() {
    let study = r#"
[data]
train = { csv = { path = "line.csv", target = "dollars", task = "values" } }
test = { csv = { path = "more.csv", target = "dollars", task = "values" } }
transforms = [{ z_score = {} }, { z_score = { on = "target" } }]

[model]
layers = [{ dense = { units = 1, weight_init = "zero" } }]

[train]
epochs = 40
batch_size = 5
loss = { mse = {} }
optimizer = { adam = { lr = 0.05 } }

[[variants]]
name = "slow"
train.optimizer.adam.lr = 0.001
"#;
    let folder = folder_of("fixed", study);
    for (file, from) in [("line.csv", 0), ("more.csv", 7)] {
        let rows: String = (from..from + 20).map(|i| format!("{i},{}\n", 100_000 + 5000 * i + i % 3)).collect();
        std::fs::write(folder.path(file), format!("size,dollars\n{rows}")).unwrap();
    }
    let output = folder.run(&["compare", "study.toml", "--seeds", "4,7,9", "--out", "out"]);
    let results = results_of(&folder, "out");
    assert_eq!((results["metric"].as_str(), results["better"].as_str()), (Some("rmse"), Some("lower")));
    assert!(results["method"]["Test"].as_str().unwrap().starts_with("The plain paired t-test"));
    let recipes = results["recipes"].as_array().unwrap();
    assert_eq!(recipes[0]["name"], "base");
    let mean = |recipe: &Value| recipe["scores"]["rmse"]["mean"].as_f64().unwrap();
    assert!(mean(&recipes[0]) > 1.0 && mean(&recipes[1]) > 10_000.0, "{} {}", mean(&recipes[0]), mean(&recipes[1]));
    assert_eq!(recipes[1]["versus_first"]["verdict"], "worse");
    assert!(String::from_utf8(output.stdout).unwrap().contains("RMSE on the test data, 3 seeds"));
    let lines = folder.run(&["compare", "study.toml", "--seeds", "2", "--out", "json", "--metric", "r2", "--json"]);
    let lines = String::from_utf8(lines.stdout).unwrap();
    let events: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 5);
    assert!(events[..4].iter().all(|event| event["event"] == "run" && event["scores"]["r2"].is_f64()));
    assert_eq!((events[4]["event"].as_str(), events[4]["metric"].as_str()), (Some("done"), Some("r2")));
}

/// Stopped by a signal after its first run, a comparison keeps what it has.
#[cfg(unix)]
#[test]
fn what_has_ended_is_kept_after_an_interruption() {
    use std::io::{BufRead, BufReader};
    use std::process::Stdio;
    let endless = "\n[[variants]]\nname = \"endless\"\ntrain.epochs = 100000000\n";
    let folder = folder_of("interrupted", &(STUDY.to_string() + endless));
    let words = ["compare", "study.toml", "--seeds", "2", "--threads", "4", "--out", "out", "--json"];
    let mut child = folder.gradus(&words).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!((first["event"].as_str(), first["done"].as_bool()), (Some("run"), Some(true)));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let last: Value = serde_json::from_str(&lines.last().unwrap().unwrap()).unwrap();
    assert_eq!((last["event"].as_str(), child.wait().unwrap().code()), (Some("done"), Some(130)));
    let results = results_of(&folder, "out");
    let runs = |i: usize| results["recipes"][i]["runs"].as_array().unwrap().clone();
    let done = (0..4).flat_map(runs).filter(|run| run["done"] == true).count();
    assert!((1..=6).contains(&done), "{done}");
    assert!(runs(3).iter().all(|run| run["ended"] == "interrupted"), "{:?}", runs(3));
    assert!(results["notes"].to_string().contains("Not finished"));
    assert!(folder.path("out/report.html").exists());
}
