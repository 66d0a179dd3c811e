//! Networks from ONNX files: predicted with, trained on from, and left behind once a run has its own files.

mod common;

use common::{Folder, text};
use gradus_graph::{Engine, Request, State};
use gradus_kernels::Pool;
use gradus_tensor::{Tensor, npy};
use gradus_train::ModelFile;
use std::path::{Path, PathBuf};

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

/// A folder with the recipe that trains on from a file, and that file.
fn folder(name: &str) -> Folder {
    let folder = Folder::new(name);
    for name in ["digits-finetune.toml", "digits-0-4.onnx"] {
        std::fs::copy(file("recipes").join(name), folder.path(name)).unwrap();
    }
    folder
}

/// Made-up pictures of 8×8 pixels in this shape.
fn pictures(folder: &Folder, name: &str, shape: &[usize]) {
    let numbers: Vec<f32> = (0..shape.iter().product()).map(|i| (i * 7919 % 17) as f32 / 16.0).collect();
    npy::write(&folder.path(name), &Tensor::new(shape.to_vec(), numbers).unwrap()).unwrap();
}

/// What a file's graph gives for pictures of 8×8 pixels.
fn by_itself(path: &Path, pictures: &[f32]) -> Vec<f32> {
    let file = gradus_onnx::ModelFile::open(path).unwrap();
    let imported = gradus_onnx::import(&file, &gradus_onnx::Bindings::default()).unwrap();
    let model = imported.graph.model(&[("y", &imported.output(0).unwrap())]).unwrap();
    let mut engine = Engine::<f32>::new(&model, Request::predicting(&["y"])).unwrap();
    engine.run(&mut State::new(&model, 0), &[pictures], pictures.len() / 64, 1, &Pool::new(1)).unwrap();
    engine.output("y").unwrap().to_vec()
}

/// The rows of a CSV text as numbers, without its header.
fn rows(text: &str) -> Vec<Vec<f64>> {
    text.lines().skip(1).map(|line| line.split(',').map(|cell| cell.parse().unwrap()).collect()).collect()
}

fn test_accuracy(lines: &str) -> f64 {
    let done: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    done["test"]["accuracy"].as_f64().unwrap()
}

#[test]
fn a_network_from_a_file_learns_new_classes_and_its_run_needs_the_file_no_more() {
    let folder = folder("finetune");
    let train = ["train", "digits-finetune.toml", "--json", "--quiet", "--run-dir"];
    let all = [&train[..], &["whole", "--set", "train.epochs=12"]].concat();
    let accuracy = test_accuracy(&folder.succeed(&all));
    assert!(accuracy > 0.9, "{accuracy}");

    let [first, best] =
        ["initial", "best"].map(|name| ModelFile::read(&folder.path(format!("whole/{name}.safetensors"))).unwrap());
    let paths: Vec<&str> = best.tensors.keys().map(String::as_str).collect();
    let kept = ["conv1.bias", "conv1.weight", "conv2.bias", "conv2.weight"];
    let learnt = ["dense.bias", "dense.weight", "head/dense/bias", "head/dense/weight"];
    assert_eq!(paths, [&kept[..], &learnt[..]].concat());
    for path in paths {
        assert_eq!(first.tensors[path] == best.tensors[path], kept.contains(&path), "{path}");
    }
    // The file's weights are where it starts from: so is what the file itself says.
    let stored = gradus_onnx::ModelFile::open(&folder.path("digits-0-4.onnx")).unwrap();
    let bias = stored.graph().initializer.iter().find(|w| w.name == "conv1.bias").unwrap();
    let numbers: Vec<f32> = bias.raw_data.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect();
    assert_eq!(best.tensors["conv1.bias"].to_f32(), numbers);
    // Weights are stored once: as tensors, not in the structure.
    let structure = &best.metadata["onnx"];
    assert!(structure.len() < 6000, "{}", structure.len());

    // Stopped after six epochs, and gone on with when the file is gone.
    let half = [&train[..], &["parts", "--set", "train.epochs=6"]].concat();
    folder.succeed(&half);
    pictures(&folder, "x.npy", &[5, 8, 8]);
    let before = folder.succeed(&["predict", "whole", "--input", "x.npy"]);
    std::fs::remove_file(folder.path("digits-0-4.onnx")).unwrap();
    folder.succeed(&["train", "--resume", "parts", "--set", "train.epochs=12", "--quiet"]);
    let [whole, parts] =
        ["whole", "parts"].map(|name| ModelFile::read(&folder.path(format!("{name}/best.safetensors"))).unwrap());
    assert_eq!(whole.tensors, parts.tensors);
    assert_eq!(folder.succeed(&["predict", "whole", "--input", "x.npy"]), before);
    let judged: serde_json::Value = serde_json::from_str(&folder.succeed(&["evaluate", "whole", "--json"])).unwrap();
    assert_eq!(judged["accuracy"].as_f64(), Some(accuracy));
    assert!(folder.succeed(&["describe", "whole"]).contains("head/dense"));
    // A new run of the recipe does need it.
    let output = folder.run(&["train", "digits-finetune.toml"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("digits-0-4.onnx"), "{}", text(&output.stderr));
}

#[test]
fn pictures_come_in_any_layout() {
    let folder = folder("layouts");
    let predict = |model: &str, shape: &[usize]| {
        pictures(&folder, "x.npy", shape);
        folder.succeed(&["predict", model, "--input", "x.npy"])
    };
    let direct = predict("digits-0-4.onnx", &[6, 1, 8, 8]);
    assert!(direct.starts_with("class,p_0,p_1,p_2,p_3,p_4\n"), "{direct}");
    let numbers: Vec<f32> = (0..6 * 64).map(|i| (i * 7919 % 17) as f32 / 16.0).collect();
    for (row, probabilities) in rows(&direct).iter().zip(by_itself(&folder.path("digits-0-4.onnx"), &numbers).chunks(5))
    {
        assert!(row[1..].iter().zip(probabilities).all(|(p, want)| (p - f64::from(*want)).abs() < 1e-6), "{row:?}");
    }
    for row in rows(&direct) {
        assert!((row[1..].iter().sum::<f64>() - 1.0).abs() < 1e-5);
        let most = row[1..].iter().copied().fold(0.0, f64::max);
        assert_eq!(row[1 + row[0] as usize], most);
    }
    for shape in [&[6, 8, 8, 1][..], &[6, 8, 8], &[6, 64]] {
        assert_eq!(predict("digits-0-4.onnx", shape), direct, "{shape:?}");
    }
    // As a model of ours it says the same.
    folder.succeed(&["import", "digits-0-4.onnx", "--output", "imported", "--quiet"]);
    assert_eq!(predict("imported", &[6, 1, 8, 8]), direct);
    let output = folder.run(&["predict", "digits-0-4.onnx", "--input", "x.npy"]);
    assert!(output.status.success());
    pictures(&folder, "wide.npy", &[6, 9, 8]);
    let output = folder.run(&["predict", "digits-0-4.onnx", "--input", "wide.npy"]);
    let error = text(&output.stderr);
    assert!(
        !output.status.success() && error.contains("do not fit the input `pixels`") && error.contains("[9, 8]"),
        "{error}"
    );
}

#[test]
fn what_a_recipe_of_an_import_needs_is_data_alone() {
    let folder = folder("starting");
    folder.succeed(&["import", "digits-0-4.onnx", "--output", "imported", "--quiet"]);
    let digits = "data.train={ take = { rows = 150, from = { embedded = \"digits\" } } }";
    let head = "model.layers=[\"flatten\", { dense = { units = 10 } }]";
    let set = ["--set", digits, "--set", head, "--set", "model.output=features", "--set", "train.epochs=1"];
    let words = [&["train", "imported/recipe.toml", "--quiet", "--run-dir", "run"][..], &set[..]].concat();
    folder.succeed(&words);
    let best = ModelFile::read(&folder.path("run/best.safetensors")).unwrap();
    assert!(best.tensors.contains_key("head/dense/weight"));
}

#[test]
fn a_run_from_a_file_is_exported_and_trained_on_from_again() {
    // Names of the first run's head must not be mixed up with those of the second's.
    let folder = folder("again");
    folder.succeed(&["train", "digits-finetune.toml", "--quiet", "--run-dir", "run", "--set", "train.epochs=1"]);
    folder.succeed(&["export", "run", "again.onnx"]);
    let set =
        ["--set", "model.onnx=again.onnx", "--set", "model.freeze=[\"head/*\", \"conv*\"]", "--set", "train.epochs=1"];
    let rest = ["--set", "model.layers=[{ dense = { units = 10 } }]", "--set", "train.groups=[]"];
    let value = folder.succeed(&["describe", "again.onnx", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&value).unwrap();
    let last = value["layers"].as_array().unwrap().iter().rev().find(|row| row["kind"] == "Softmax").unwrap();
    assert!(last["output"].as_str().unwrap().contains("10"));
    let output = "model={ onnx = \"again.onnx\", layers = [] }";
    folder.succeed(&[
        "train",
        "digits-finetune.toml",
        "--quiet",
        "--run-dir",
        "same",
        "--set",
        output,
        "--set",
        "train.groups=[]",
        "--set",
        "train.epochs=1",
    ]);
    let words = [
        &[
            "train",
            "digits-finetune.toml",
            "--quiet",
            "--run-dir",
            "more",
            "--set",
            "model={ onnx = \"again.onnx\", layers = [] }",
        ][..],
        &set[..],
        &rest[..],
    ]
    .concat();
    folder.succeed(&words);
    let best = ModelFile::read(&folder.path("more/best.safetensors")).unwrap();
    let paths: Vec<&str> = best.tensors.keys().map(String::as_str).collect();
    assert!(paths.contains(&"head/dense/weight") && paths.contains(&"onnx/head/dense/weight"), "{paths:?}");
}
