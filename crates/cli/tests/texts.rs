//! Recipes over texts from start to end: trained, resumed, judged, asked about raw lines; with and without files of word vectors.

mod common;

use common::{Folder, text};
use serde_json::Value;

const RECIPE: &str = include_str!("cmd/texts.in/texts.toml");
const LINES: &str = include_str!("cmd/texts.in/lines.txt");
const VECTORS: &str = include_str!("cmd/texts.in/vectors.txt");

fn folder(name: &str) -> Folder {
    let folder = Folder::with(name, "texts.toml", RECIPE);
    std::fs::write(folder.path("lines.txt"), LINES).unwrap();
    std::fs::write(folder.path("vectors.txt"), VECTORS).unwrap();
    std::fs::write(folder.path("new.txt"), "Warm, fine SUN!\ncold grey rain\nunheard words\n").unwrap();
    folder
}

fn classes(csv: &str) -> Vec<&str> {
    csv.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect()
}

fn tensor(file: &std::path::Path, name: &str) -> gradus_tensor::Tensor {
    let file = gradus_train::ModelFile::read(file).unwrap();
    file.tensors.iter().find(|(path, _)| path.as_str() == name).unwrap().1.clone()
}

#[test]
fn a_run_reads_raw_lines_without_its_training_data() {
    let folder = folder("texts");
    let nets = [
        "[{ embedding = { units = 4, padding = 0 } }, { time_pooling = \"average\" }, { dense = { units = 2 } }]",
        "[{ network = { text_cnn = { embedding = 8, filters = 8, dropout = 0.0 } } }]",
        "[{ network = { bi_lstm = { embedding = 8, units = 8, layers = 1, pooling = { capsule_pooling = { capsules = 2, units = 8 } } } } }]",
    ];
    for (i, layers) in nets.iter().enumerate() {
        let run = format!("run-{i}");
        let layers = format!("model.layers={layers}");
        folder.succeed(&["train", "texts.toml", "--quiet", "--run-dir", &run, "--set", &layers]);
        let judged: Value =
            serde_json::from_str(&folder.succeed(&["evaluate", &run, "--data", "train", "--json"])).unwrap();
        assert_eq!(judged["accuracy"], 1.0, "{layers}");
        folder.succeed(&["inspect", &run, "--json"]);
    }
    // The words are in the model: neither texts nor recipe are read again.
    for file in ["lines.txt", "texts.toml"] {
        std::fs::remove_file(folder.path(file)).unwrap();
    }
    for i in 0..nets.len() {
        let said = folder.succeed(&["predict", &format!("run-{i}"), "--input", "new.txt"]);
        assert_eq!(classes(&said)[..2], ["good", "bad"], "{said}");
        assert_eq!(said.lines().count(), 4);
    }
}

#[test]
fn documents_go_through_a_hierarchical_network() {
    let folder = folder("documents");
    let lines: String = (0..20)
        .map(|i| match i % 2 {
            0 => format!("good\tWe talked for {i} minutes. The sun was warm. Nothing else.\n"),
            _ => format!("bad\tCold rain again! We talked for {i} minutes.\n"),
        })
        .collect();
    std::fs::write(folder.path("lines.txt"), lines).unwrap();
    let layers = "model.layers=[{ network = { han = { embedding = 8, units = 4 } } }]";
    let set = ["--set", layers, "--set", "data.train.text.sentences=3"];
    folder.succeed(&[&["train", "texts.toml", "--quiet", "--run-dir", "run"], &set[..]].concat());
    std::fs::write(folder.path("new.txt"), "The sun was warm.\nWe talked. Cold rain again. We talked.\n").unwrap();
    assert_eq!(classes(&folder.succeed(&["predict", "run", "--input", "new.txt"])), ["good", "bad"]);
    let checked: Value = serde_json::from_str(&folder.succeed(
        &[&["gradcheck", "texts.toml", "--json", "--samples", "10", "--tolerance", "1e-6"], &set[..]].concat(),
    ))
    .unwrap();
    assert_eq!(checked["passed"], true, "{checked}");
}

#[test]
fn word_vectors_are_taken_told_and_kept() {
    let folder = folder("vectors");
    let frozen = "model.layers.0.embedding={ units = 4, padding = 0, vectors = \"vectors.txt\", trainable = false }";
    let lines = folder.succeed(&["train", "texts.toml", "--json", "--quiet", "--run-dir", "run", "--set", frozen]);
    let told: Value = serde_json::from_str(lines.lines().next().unwrap()).unwrap();
    let words = 21;
    assert_eq!(told["event"], "vectors");
    assert_eq!((told["found"].as_u64(), told["words"].as_u64()), (Some(10), Some(words)));
    assert_eq!(told["file"], "vectors.txt");
    let [first, best] =
        ["initial", "best"].map(|name| tensor(&folder.path(format!("run/{name}.safetensors")), "embedding/weight"));
    assert_eq!(first, best);
    assert_eq!(first.shape(), [words as usize + 2, 4]);
    let values = first.to_f32();
    assert_eq!(values[..4], [0.0; 4]);
    let row = |word: &str| -> Vec<f32> {
        let line = VECTORS.lines().find(|line| line.starts_with(&format!("{word} "))).unwrap();
        line.split(' ').skip(1).map(|x| x.parse().unwrap()).collect()
    };
    for word in ["sun", "rain", "the"] {
        assert!(values.chunks(4).any(|own| own == row(word)), "{word}");
    }
    // Others start at random, and not from one value.
    assert!(values[4..8].iter().all(|x| *x != 0.0));

    // The run's own recipe finds the file from anywhere; a finished run needs it no more.
    let recipe = std::fs::read_to_string(folder.path("run/recipe.toml")).unwrap();
    assert!(recipe.contains(&format!("vectors = \"{}", folder.path("vectors.txt").display())), "{recipe}");
    std::fs::remove_file(folder.path("vectors.txt")).unwrap();
    folder.succeed(&["predict", "run", "--input", "new.txt"]);
    folder.succeed(&["evaluate", "run", "--data", "train"]);
    folder.succeed(&["inspect", "run", "--json"]);
    let output = folder.run(&["train", "texts.toml", "--set", frozen]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("vectors.txt"), "{}", text(&output.stderr));
}

#[test]
fn an_interrupted_run_goes_on_to_the_identical_end() {
    let folder = folder("texts-resume");
    let set = "model.layers=[{ network = { text_cnn = { embedding = 4, filters = 3, vectors = \"vectors.txt\" } } }]";
    folder.succeed(&["train", "texts.toml", "--quiet", "--run-dir", "whole", "--set", set, "--set", "train.epochs=6"]);
    folder.succeed(&["train", "texts.toml", "--quiet", "--run-dir", "part", "--set", set, "--set", "train.epochs=3"]);
    let recipe = std::fs::read_to_string(folder.path("part/recipe.toml")).unwrap();
    std::fs::write(folder.path("part/recipe.toml"), recipe.replace("epochs = 3", "epochs = 6")).unwrap();
    folder.succeed(&["train", "--resume", "part", "--quiet"]);
    for name in ["network/embedding/weight", "network/dense/weight"] {
        let [whole, part] = ["whole", "part"].map(|run| tensor(&folder.path(run).join("best.safetensors"), name));
        assert_eq!(whole, part, "{name}");
    }
}

#[test]
fn each_seed_of_a_comparison_has_words_of_its_own() {
    let folder = folder("texts-compare");
    let study = format!(
        "{RECIPE}\n[[variants]]\nname = \"vectors\"\nmodel.layers.0.embedding.vectors = \"vectors.txt\"\n\
         [[variants]]\nname = \"cnn\"\nmodel.layers = [{{ network = {{ text_cnn = {{ embedding = 4, filters = 2 }} }} }}]\n"
    )
    .replace("path = \"lines.txt\" } }", "path = \"lines.txt\" } }\ntest = { fraction = 0.5 }");
    std::fs::write(folder.path("study.toml"), study).unwrap();
    folder.succeed(&["compare", "study.toml", "--seeds", "3", "--set", "train.epochs=2", "--quiet", "--out", "out"]);
    let mut sizes = std::collections::BTreeSet::new();
    for seed in 1..=3 {
        let run = folder.path(format!("out/vectors/seed-{seed}/best.safetensors"));
        sizes.insert(tensor(&run, "embedding/weight").shape()[0]);
        folder.succeed(&["evaluate", &format!("out/cnn/seed-{seed}")]);
    }
    assert!(sizes.len() > 1, "{sizes:?}");
}
