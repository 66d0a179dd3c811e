//! Exported networks: read back, they say the same, take the data as they are, and tell what their numbers mean.

mod common;

use common::{Folder, text};
use gradus_graph::{Engine, Request, State};
use gradus_kernels::Pool;
use gradus_onnx::{Bindings, ModelFile, import};
use gradus_tensor::npz::Npz;
use serde_json::Value;
use std::collections::BTreeMap;

const TEXTS: &str = include_str!("cmd/texts.in/texts.toml");
const LINES: &str = include_str!("cmd/texts.in/lines.txt");

fn recipe(data: &str, layers: &str, loss: &str) -> String {
    format!(
        "[data]\n{data}\n[model]\nlayers = [{layers}]\n\
         [train]\nepochs = 2\nbatch_size = 16\nloss = {{ {loss} = {{}} }}\noptimizer = {{ adam = {{}} }}\n"
    )
}

/// Exports in several ways, each read back and compared.
fn check(folder: &Folder, run: &str) {
    for version in ["17", "18", "19", "20", "21"] {
        for more in [vec![], vec!["--with-preprocessing"]] {
            let mut words = vec!["export", run, "model.onnx", "--opset", version, "--verify", "--json"];
            words.extend(more);
            let output = folder.run(&words);
            let said = text(&output.stdout);
            assert!(output.status.success(), "{words:?}: {said}{}", text(&output.stderr));
            let said: Value = serde_json::from_str(&said).unwrap();
            assert!(said["agrees"] == true && said["samples"].as_str().unwrap().contains("rows of"), "{said}");
            assert!(!said["differences"].as_object().unwrap().is_empty(), "{said}");
        }
    }
}

fn metadata(folder: &Folder) -> BTreeMap<String, String> {
    let file = ModelFile::open(&folder.path("model.onnx")).unwrap();
    file.model.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect()
}

#[test]
fn networks_of_all_kinds_agree_when_read_back() {
    let digits = "train = { take = { rows = 200, from = { embedded = \"digits\" } } }\ntransforms = [{ min_max = {} }]";
    let nets = [
        (
            "dense",
            "\"flatten\", { dense = { units = 12, activation = \"gelu\" } }, \"batch_norm\", { dropout = { rate = 0.5 } }, \
             { dense = { units = 10 } }",
        ),
        (
            "conv",
            "{ reshape = { to = [1, 8, 8] } }, { conv = { filters = 4, size = 3, padding = \"same\", bias = false } }, \"batch_norm\", \
             { activation = \"relu\" }, { max_pool = { size = 2 } }, \
             { residual = { layers = [{ conv = { filters = 4, size = 3, padding = \"same\" } }] } }, \
             { global_pool = { over = \"avg\" } }, { dense = { units = 10 } }",
        ),
        (
            "deformed",
            "{ reshape = { to = [1, 8, 8] } }, { deform_conv = { filters = 4, size = 3, padding = \"same\" } }, { activation = \"relu\" }, \
             { deform_conv = { filters = 4, size = 3, stride = 2, offset_groups = 2, padding = \"same\" } }, \
             { deform_conv = { filters = 4, size = 3, padding = \"same\" } }, \
             { adaptive_pool = { output = 3, over = \"avg\" } }, { adaptive_pool = { output = 2, over = \"max\" } }, \"flatten\", \
             { dense = { units = 10 } }",
        ),
        ("sequence", "\"layer_norm\", { lstm = { units = 5, bidirectional = true } }, { dense = { units = 10 } }"),
        (
            "encoder",
            "{ transformer_encoder = { heads = 2, layers = 1, feed_forward = 16 } }, { time_pooling = \"average\" }, \
             { dense = { units = 10 } }",
        ),
    ];
    for (name, layers) in nets {
        let folder = Folder::with(&format!("export-{name}"), "net.toml", &recipe(digits, layers, "cross_entropy"));
        folder.succeed(&["train", "net.toml", "--run-dir", "run", "--quiet"]);
        check(&folder, "run");
    }
}

#[test]
fn texts_are_exported_as_numbers_of_words() {
    let folder = Folder::with("export-texts", "texts.toml", TEXTS);
    std::fs::write(folder.path("lines.txt"), LINES).unwrap();
    folder.succeed(&["train", "texts.toml", "--run-dir", "run", "--quiet"]);
    check(&folder, "run");
    let metadata = metadata(&folder);
    assert!(metadata["units"].starts_with("numbers of words: 0 is padding"), "{metadata:?}");
    assert_eq!(metadata["layout"], "batch, words");
    // Without the texts, any words will do.
    std::fs::remove_file(folder.path("lines.txt")).unwrap();
    check(&folder, "run");
    let said = folder.succeed(&["export", "run", "model.onnx", "--verify"]);
    assert!(said.contains("random numbers (the recipe's data are not here)"), "{said}");
}

#[test]
fn a_file_with_preprocessing_takes_raw_numbers_and_gives_dollars() {
    let data = "train = { csv = { path = \"houses.csv\", target = \"dollars\", task = \"values\" } }\n\
        transforms = [\"z_score\", { log1p = { on = \"target\" } }, { z_score = { on = \"target\" } }]";
    let layers = "{ dense = { units = 8, activation = \"tanh\" } }, { dense = { units = 1 } }";
    let folder = Folder::with("export-houses", "houses.toml", &recipe(data, layers, "mse"));
    let rows: String = (0..80)
        .map(|i| format!("{},{},{},{}\n", 2020 + i % 3, 50 + i, ["old", "new"][i % 2], 100_000 + 3000 * i))
        .collect();
    std::fs::write(folder.path("houses.csv"), format!("year,size,kind,dollars\n{rows}")).unwrap();
    folder.succeed(&["train", "houses.toml", "--run-dir", "run", "--quiet"]);
    check(&folder, "run");
    let words = ["export", "run", "model.onnx", "--with-preprocessing", "--samples", "samples.npz"];
    let said = folder.succeed(&words);
    assert!(said.contains("in the units of the data") && said.contains("64 rows of houses.csv"), "{said}");

    let mut samples = Npz::open(&folder.path("samples.npz")).unwrap();
    let (x, y) = (samples.read("x").unwrap(), samples.read("y").unwrap());
    assert_eq!((x.shape(), y.shape()), (&[64, 4][..], &[64, 1][..]));
    assert_eq!(x.to_f32()[..4], [2020.0, 50.0, 0.0, 1.0], "raw numbers and a 1 for the category");
    let predicted = folder.succeed(&["predict", "run", "--input", "houses.csv"]);
    let first: f32 = predicted.lines().nth(1).unwrap().parse().unwrap();
    assert!(first > 50_000.0 && (first - y.to_f32()[0]).abs() <= 1e-5 * first, "{first} {:?}", y.to_f32());

    let metadata = metadata(&folder);
    assert_eq!(metadata["features"], r#"["year","size","kind=new","kind=old"]"#);
    assert_eq!((metadata["targets"].as_str(), metadata["layout"].as_str()), (r#"["dollars"]"#, "batch, features"));
    assert_eq!(metadata["preprocessing"], "in the graph");
    assert_eq!(
        metadata["units"],
        "as the data's files have them; a category is a 1 in the column of its name and 0 in the others"
    );
    for key in ["gradus", "recipe", "schema", "transforms", "outputs"] {
        assert!(!metadata[key].is_empty(), "{key}");
    }
}

#[test]
fn yes_and_no_have_a_label() {
    for (loss, output) in [("binary_cross_entropy", "probabilities"), ("hinge", "score")] {
        let data = "train = { csv = { path = \"two.csv\", target = \"kind\" } }\ntransforms = [{ unit_norm = {} }]";
        let folder =
            Folder::with(&format!("export-{loss}"), "two.toml", &recipe(data, "{ dense = { units = 1 } }", loss));
        let rows: String = (0..40).map(|i| format!("{i},{},{}\n", 40 - i, ["no", "yes"][i / 20])).collect();
        std::fs::write(folder.path("two.csv"), format!("a,b,kind\n{rows}")).unwrap();
        folder.succeed(&[
            "train",
            "two.toml",
            "--run-dir",
            "run",
            "--quiet",
            "--set",
            "train.epochs=60",
            "--set",
            "train.optimizer.adam.lr=0.1",
        ]);
        check(&folder, "run");
        folder.succeed(&["export", "run", "model.onnx", "--with-preprocessing", "--samples", "samples.npz"]);
        let mut samples = Npz::open(&folder.path("samples.npz")).unwrap();
        let labels = samples.read("label").unwrap().to_f32();
        let predicted = folder.succeed(&["predict", "run", "--input", "two.csv"]);
        let classes: Vec<&str> = predicted.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
        let names: Vec<&str> = labels.iter().map(|&label| ["no", "yes"][label as usize]).collect();
        assert!(samples.keys().contains(&output.to_string()) && names == classes, "{names:?} {classes:?}");
        assert!(names.contains(&"no") && names.contains(&"yes"), "{names:?}");
        assert_eq!(metadata(&folder)["classes"], r#"["no","yes"]"#);
    }
}

#[test]
fn a_stored_net_says_what_onnxruntime_says() {
    let folder = Folder::new("export-stored");
    std::fs::write(folder.path("net.safetensors"), include_bytes!("exported/net.safetensors")).unwrap();
    let said: Value = serde_json::from_str(include_str!("exported/onnxruntime.json")).unwrap();
    let numbers = |key: &str| -> Vec<f32> {
        said[key].as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
    };
    let (x, expected, labels) = (numbers("x"), numbers("probabilities"), numbers("label"));
    for version in ["17", "19", "21"] {
        folder.succeed(&["export", "net.safetensors", "model.onnx", "--with-preprocessing", "--opset", version]);
        let file = ModelFile::open(&folder.path("model.onnx")).unwrap();
        let imported = import(&file, &Bindings::default()).unwrap();
        let outputs = [imported.output(0).unwrap(), imported.output(1).unwrap()];
        let model = imported.graph.model(&[("probabilities", &outputs[0]), ("label", &outputs[1])]).unwrap();
        let mut engine = Engine::new(&model, Request::predicting(&["probabilities", "label"])).unwrap();
        engine.run(&mut State::<f32>::new(&model, 0), &[&x], labels.len(), 1, &Pool::new(1)).unwrap();
        let probabilities = engine.output("probabilities").unwrap();
        assert_eq!(probabilities.len(), expected.len());
        for (y, want) in probabilities.iter().zip(&expected) {
            assert!((y - want).abs() <= 1e-5, "opset {version}: {y} {want}");
        }
        assert_eq!(engine.output("label").unwrap(), labels);
        assert_eq!(metadata(&folder)["classes"], said["classes"].to_string());
    }
}
