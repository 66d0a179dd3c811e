//! Runs as people start, stop, resume and break them.

mod common;

use common::{Folder, text};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

const DIGITS: &str = include_str!("../../../recipes/digits.toml");

/// A long run, so that there is time to stop it.
const LONG: [&str; 8] =
    ["train", "digits.toml", "--set", "train.epochs=100000", "--set", "train.stop=[]", "--json", "--quiet"];

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The history without what time it took.
fn history(path: &Path) -> Vec<serde_json::Value> {
    let read = std::fs::read_to_string(path).unwrap();
    let line = |line: &str| {
        let mut value: serde_json::Value = serde_json::from_str(line).unwrap();
        value.as_object_mut().unwrap().remove("seconds");
        value
    };
    read.lines().map(line).collect()
}

#[test]
fn a_run_leaves_everything_and_json_says_so() {
    let folder = Folder::with("json", "digits.toml", DIGITS);
    let lines = folder.succeed(&["train", "digits.toml", "--set", "train.epochs=3", "--json", "--quiet"]);
    let events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len(), 4);
    for (i, event) in events[..3].iter().enumerate() {
        assert_eq!((event["event"].as_str(), event["epoch"].as_f64()), (Some("epoch"), Some(i as f64 + 1.0)));
        assert!(event["train"]["loss"].is_f64() && event["valid"]["accuracy"].is_f64());
    }
    let done = &events[3];
    assert_eq!(done["event"], "done");
    assert_eq!((done["epochs"].as_f64(), done["stopped_by"].as_str()), (Some(3.0), Some("epochs")));
    assert_eq!(done["best"]["monitor"], "valid/loss");
    assert!(done["test"]["accuracy"].as_f64().unwrap() > 0.85 && done["valid"]["loss"].is_f64());
    assert_eq!(done["run_dir"], Path::new("runs").join("digits-1").to_str().unwrap());
    let run = folder.path("runs/digits-1");
    for file in
        ["recipe.toml", "history.jsonl", "initial.safetensors", "best.safetensors", "last.safetensors", "report.html"]
    {
        assert!(run.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    assert_eq!(history(&run.join("history.jsonl")).len(), 3);
    let page = std::fs::read_to_string(run.join("report.html")).unwrap();
    assert!(page.contains("<svg") && !page.contains("http://www.w3.org/1999/xlink"));

    let judged: serde_json::Value =
        serde_json::from_str(&folder.succeed(&["evaluate", "runs/digits-1", "--json"])).unwrap();
    assert_eq!(judged["accuracy"], done["test"]["accuracy"]);
    let again = folder.succeed(&["train", "digits.toml", "--set", "train.epochs=1", "--json", "--quiet"]);
    assert!(again.contains("digits-2"), "{again}");
}

#[test]
fn predictions_of_tables_pictures_and_numbers() {
    let folder = Folder::with("predict", "digits.toml", DIGITS);
    std::fs::write(
        folder.path("flowers.toml"),
        "[data]\ntrain = { csv = { path = \"flowers.csv\", target = \"kind\" } }\ntransforms = [{ z_score = {} }]\n\
         [model]\nlayers = [{ dense = { units = 2 } }]\n\
         [train]\nepochs = 60\nbatch_size = 4\nloss = { cross_entropy = {} }\noptimizer = { adam = { lr = 0.1 } }\n",
    )
    .unwrap();
    let rows: String = (0..20)
        .map(|i| {
            format!("{},{},{}\n", i, 20 - i, if i < 10 { "low" } else { "high, rising" })
                .replace("high, rising", "\"high, rising\"")
        })
        .collect();
    std::fs::write(folder.path("flowers.csv"), format!("a,b,kind\n{rows}")).unwrap();
    folder.succeed(&["train", "flowers.toml", "--run-dir", "run", "--quiet"]);
    std::fs::write(folder.path("new.csv"), "b,a\n19,1\n1,19\n").unwrap();
    let predicted = folder.succeed(&["predict", "run", "--input", "new.csv"]);
    let lines: Vec<&str> = predicted.lines().collect();
    assert_eq!(lines[0], "class,\"p_high, rising\",p_low");
    assert!(lines[1].starts_with("low,0.") && lines[2].starts_with("\"high, rising\","), "{predicted}");
    folder.succeed(&["predict", "run/best.safetensors", "--input", "new.csv", "--output", "out.csv"]);
    assert_eq!(std::fs::read_to_string(folder.path("out.csv")).unwrap(), predicted);
    let wrong = folder.run(&["predict", "run", "--input", "flowers.toml"]);
    assert_eq!(wrong.status.code(), Some(3), "{}", text(&wrong.stderr));

    std::fs::write(
        folder.path("line.toml"),
        "[data]\ntrain = { csv = { path = \"line.csv\", target = \"dollars\", task = \"values\" } }\n\
         transforms = [{ z_score = {} }, { z_score = { on = \"target\" } }]\n\
         [model]\nlayers = [{ dense = { units = 1 } }]\n\
         [train]\nepochs = 200\nbatch_size = 5\nloss = { mse = {} }\noptimizer = { adam = { lr = 0.05 } }\n",
    )
    .unwrap();
    let rows: String = (0..20).map(|i| format!("{i},{}\n", 100_000 + 5000 * i)).collect();
    std::fs::write(folder.path("line.csv"), format!("size,dollars\n{rows}")).unwrap();
    let lines = folder.succeed(&["train", "line.toml", "--run-dir", "line", "--json", "--quiet"]);
    let done: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert!(done["train"]["real"]["mae"].as_f64().unwrap() < 500.0, "{done}");
    assert!(done["train"]["mae"].as_f64().unwrap() < 0.05, "{done}");
    std::fs::write(folder.path("sizes.csv"), "size\n10\n30\n").unwrap();
    let predicted = folder.succeed(&["predict", "line", "--input", "sizes.csv"]);
    let numbers: Vec<f64> = predicted.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    assert!(predicted.starts_with("dollars\n") && (numbers[0] - 150_000.0).abs() < 2000.0, "{predicted}");
    assert!((numbers[1] - 250_000.0).abs() < 4000.0, "{predicted}");
}

#[test]
fn prices_over_orders_of_magnitude_by_town() {
    let folder = Folder::with("prices", "digits.toml", DIGITS);
    let rows: String = (0..60)
        .map(|i| format!("{},town {},{}\n", i, i % 12, if i == 7 { -5.0 } else { 10f64.powf(f64::from(i) / 15.0) }))
        .collect();
    std::fs::write(folder.path("bad.csv"), format!("size,town,price\n{rows}")).unwrap();
    std::fs::write(folder.path("prices.csv"), format!("size,town,price\n{}", rows.replace(",-5\n", ",3\n"))).unwrap();
    std::fs::write(
        folder.path("prices.toml"),
        "[data]\ntrain = { csv = { path = \"prices.csv\", target = \"price\", task = \"values\", group = \"town\" } }\n\
         valid = { fold = 2, of = 3 }\ntest = { fraction = 0.25 }\n\
         transforms = [{ robust = {} }, { log1p = { on = \"target\" } }, { z_score = { on = \"target\" } }]\n\
         [model]\nlayers = [{ dense = { units = 16, activation = \"tanh\" } }, { dense = { units = 1 } }]\n\
         [train]\nepochs = 300\nbatch_size = 5\nloss = { mse = {} }\noptimizer = { adam = { lr = 0.02 } }\n",
    )
    .unwrap();
    let lines = folder.succeed(&["train", "prices.toml", "--run-dir", "run", "--json", "--quiet"]);
    let done: serde_json::Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    assert!(done["test"]["real"]["r2"].as_f64().unwrap() > 0.9, "{done}");
    std::fs::write(folder.path("sizes.csv"), "size\n15\n45\n").unwrap();
    let predicted = folder.succeed(&["predict", "run", "--input", "sizes.csv"]);
    let prices: Vec<f64> = predicted.lines().skip(1).map(|line| line.parse().unwrap()).collect();
    assert!((prices[0] - 10.0).abs() < 4.0 && (prices[1] - 1000.0).abs() < 300.0, "{predicted}");
    let bad =
        folder.run(&["train", "prices.toml", "--set", "data.train.csv.path=bad.csv", "--run-dir", "bad", "--quiet"]);
    let message = text(&bad.stderr);
    assert!(
        !bad.status.success() && message.contains("log1p needs values above -1, but target \"price\" of row"),
        "{message}"
    );
    let norm = "data.transforms=[{ unit_norm = { on = 'target' } }]";
    let refused = folder.run(&["train", "prices.toml", "--set", norm, "--run-dir", "norm", "--quiet"]);
    assert!(text(&refused.stderr).contains("unit_norm.on is \"target\""), "{}", text(&refused.stderr));
}

#[cfg(unix)]
fn signal(child: &std::process::Child, name: &str) {
    assert!(Command::new("kill").args([name, &child.id().to_string()]).status().unwrap().success());
}

/// Stops a run by a signal after its second epoch, resumes it, and compares it with one that was never stopped.
#[cfg(unix)]
#[test]
fn an_interrupted_run_resumes_to_the_identical_end() {
    let folder = Folder::with("resume", "digits.toml", DIGITS);
    for (run, name, code) in [("a", "-INT", 130), ("b", "-TERM", 143)] {
        let mut child = folder
            .gradus(&[&LONG[..], &["--run-dir", run]].concat())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        lines.next().unwrap().unwrap();
        signal(&child, name);
        let last = lines.last().unwrap().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        let done: serde_json::Value = serde_json::from_str(&last).unwrap();
        assert_eq!((done["event"].as_str(), done["stopped_by"].as_str()), (Some("done"), Some("interrupted")));
        let epochs = (done["epochs"].as_f64().unwrap().ceil() as u64 + 3).to_string();
        let set = format!("train.epochs={epochs}");
        // From another folder, with another number of threads.
        let output = folder
            .gradus(&[
                "train",
                "--resume",
                folder.path(run).to_str().unwrap(),
                "--set",
                &set,
                "--threads",
                "1",
                "--quiet",
            ])
            .current_dir("/")
            .output()
            .unwrap();
        succeeded(&output);
        let straight = format!("{run}-straight");
        succeeded(&folder.run(&[
            "train",
            "digits.toml",
            "--set",
            &set,
            "--set",
            "train.stop=[]",
            "--run-dir",
            &straight,
            "--quiet",
        ]));
        let (resumed, straight) = (folder.path(run), folder.path(&straight));
        assert_eq!(history(&resumed.join("history.jsonl")), history(&straight.join("history.jsonl")));
        let tensors = |path: &Path| gradus_tensor::safetensors::read(path).unwrap().tensors;
        for file in ["initial.safetensors", "best.safetensors", "last.safetensors"] {
            assert!(tensors(&resumed.join(file)) == tensors(&straight.join(file)), "{file}");
        }
    }
}

#[test]
fn first_weights_are_kept_and_can_be_taken_again() {
    let folder = Folder::with("initial", "digits.toml", DIGITS);
    let tensors = |name: &str| gradus_tensor::safetensors::read(&folder.path(name)).unwrap().tensors;
    let train = |words: &[&str]| {
        let words = [&["train", "digits.toml", "--set", "train.epochs=1", "--quiet"], words].concat();
        folder.succeed(&words);
    };
    train(&["--run-dir", "a"]);
    train(&["--run-dir", "b", "--set", "seed=9"]);
    assert!(tensors("a/initial.safetensors") != tensors("b/initial.safetensors"));
    assert!(tensors("a/initial.safetensors") != tensors("a/best.safetensors"));
    let from = ["--set", "seed=9", "--set", "model.init.from=a/initial.safetensors"];
    train(&[&["--run-dir", "c"], &from[..]].concat());
    assert!(tensors("a/initial.safetensors") == tensors("c/initial.safetensors"));
    let wider = ["--set", "model.layers.1.dense.units=100", "--set", "model.init.partial=true"];
    train(&[&["--run-dir", "d"], &from[..], &wider[..]].concat());
    let (a, d) = (tensors("a/initial.safetensors"), tensors("d/initial.safetensors"));
    assert!(a["dense_2/weight"] == d["dense_2/weight"] && a["dense_1/weight"].shape() != d["dense_1/weight"].shape());
    let kept = std::fs::read_to_string(folder.path("c/recipe.toml")).unwrap();
    assert!(kept.contains(folder.path("a/initial.safetensors").to_str().unwrap()), "{kept}");
}

#[cfg(unix)]
#[test]
fn a_second_signal_ends_at_once() {
    let folder = Folder::with("twice", "digits.toml", DIGITS);
    let mut child = folder
        .gradus(&[&LONG[..], &["--run-dir", "run"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    signal(&child, "-INT");
    signal(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_run_folder_has_one_run_at_a_time() {
    let folder = Folder::with("lock", "digits.toml", DIGITS);
    let mut child = folder
        .gradus(&[&LONG[..], &["--run-dir", "run"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    for words in [&["train", "digits.toml", "--run-dir", "run", "--overwrite"][..], &["train", "--resume", "run"]] {
        let second = folder.run(words);
        assert_eq!(second.status.code(), Some(3));
        assert!(text(&second.stderr).contains("run is in use by another run"), "{}", text(&second.stderr));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Nobody reads the output any more: the run is saved and ends without a word.
#[cfg(unix)]
#[test]
fn a_closed_output_is_a_quiet_end() {
    let folder = Folder::with("closed", "digits.toml", DIGITS);
    let mut child = folder
        .gradus(&[&LONG[..], &["--run-dir", "run"]].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    assert!(folder.path("run/last.safetensors").exists());
    let shell = format!("{} render digits.toml | head -1", env!("CARGO_BIN_EXE_gradus"));
    let output = Command::new("sh").args(["-c", &shell]).current_dir(folder.path("")).output().unwrap();
    assert_eq!((text(&output.stdout), text(&output.stderr)), ("name = \"digits\"\n".into(), String::new()));
}

#[test]
fn damaged_and_foreign_checkpoints_are_refused() {
    let folder = Folder::with("damaged", "digits.toml", DIGITS);
    folder.succeed(&["train", "digits.toml", "--set", "train.epochs=1", "--run-dir", "run", "--quiet"]);
    let file = folder.path("run/last.safetensors");
    let whole = std::fs::read(&file).unwrap();
    let refused = |problem: &str| {
        let output = folder.run(&["train", "--resume", "run", "--quiet"]);
        assert_eq!(output.status.code(), Some(3));
        let message = text(&output.stderr).replace("\n  │ ", " ");
        assert!(message.contains(problem), "{message}");
    };
    let mut flipped = whole.clone();
    let middle = flipped.len() - 1000;
    flipped[middle] ^= 1;
    std::fs::write(&file, &flipped).unwrap();
    refused("do not have the checksum that was written with them");
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    refused("is damaged");
    std::fs::write(&file, b"hello").unwrap();
    refused("is not a safetensors file");
    std::fs::copy(folder.path("run/best.safetensors"), &file).unwrap();
    refused("it holds tensors, but is no checkpoint of a training run");
    std::fs::write(&file, &whole).unwrap();
    let output = folder.run(&["train", "--resume", "run", "--quiet", "--set", "model.layers.1.dense.units=64"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("`dense/weight`: shape [64, 128] in the checkpoint, [64, 64] now"));
    assert_eq!(std::fs::read(&file).unwrap(), whole, "a refused run changed the checkpoint");
}

#[test]
fn what_fails_leaves_nothing_behind() {
    let folder = Folder::with("nothing", "digits.toml", DIGITS);
    let output = folder.run(&["train", "digits.toml", "--set", "model.layers.4.dense.units=12", "--run-dir", "run"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!folder.path("run").exists());
    std::fs::write(folder.path("file"), "x").unwrap();
    let output = folder.run(&["train", "digits.toml", "--run-dir", "file"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("file is not a folder"));
    let output = folder.run(&["train", "digits.toml", "--run-dir", "file/run"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("cannot write to the run folder"), "{}", text(&output.stderr));
    let names: Vec<_> = std::fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

/// Stops a run within its retraining, resumes it, and compares it with one that was never stopped.
#[cfg(unix)]
#[test]
fn a_run_is_retrained_on_all_data_and_resumes_there() {
    let folder = Folder::with("retrain", "digits.toml", DIGITS);
    let train = |run: &str, retrain: &str, epochs: &str| -> Vec<String> {
        let sets = ["train.stop=[{ up = 1 }]", &format!("train.retrain={retrain}"), &format!("train.epochs={epochs}")];
        let words = ["train", "digits.toml", "--json", "--quiet", "--run-dir", run];
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        words.into_iter().chain(sets).map(str::to_string).collect()
    };
    let run = |words: &[String]| folder.run(&words.iter().map(String::as_str).collect::<Vec<_>>());
    for (how, epochs) in [("from_scratch", "60"), ("continue", "40")] {
        let lines = succeeded(&run(&train(how, how, epochs)));
        let events: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let at = events.iter().position(|event| event["event"] == "retrain").unwrap();
        assert_eq!((events[at]["how"].as_str(), events[at]["samples"].as_u64()), (Some(how), Some(1438)));
        let (first, second) = (&events[..at], &events[at + 1..events.len() - 1]);
        assert!(!second.is_empty() && first.iter().all(|event| event.get("phase").is_none()), "{lines}");
        assert!(second.iter().all(|event| event["phase"] == "retrain"), "{lines}");
        let done = events.last().unwrap();
        assert!(done["test"]["accuracy"].as_f64().unwrap() > 0.9 && done.get("valid").is_none(), "{done}");
        assert_eq!(done["verdict"]["verdict"], "good fit", "{done}");
        match how {
            "from_scratch" => assert_eq!(done["retrain"]["steps"], done["best"]["step"]),
            _ => assert!(["loss_below", "epochs"].contains(&done["retrain"]["stopped_by"].as_str().unwrap())),
        }
        let records = history(&folder.path(how).join("history.jsonl"));
        let again = records.iter().filter(|record| record["phase"] == "retrain").count();
        assert!(again > 0 && again < records.len());
        let tensors =
            |run: &str, file: &str| gradus_tensor::safetensors::read(&folder.path(run).join(file)).unwrap().tensors;
        assert!(tensors(how, "early.safetensors") != tensors(how, "best.safetensors"));
        let page = std::fs::read_to_string(folder.path(how).join("report.html")).unwrap();
        assert!(page.contains("then retrained") && page.contains("good fit, before it was retrained"));

        // The same again, interrupted at the first record of the second training.
        let half = format!("{how}-half");
        let words = train(&half, how, epochs);
        let mut child = folder.gradus(&words.iter().map(String::as_str).collect::<Vec<_>>());
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            if line.unwrap().contains("\"phase\":\"retrain\"") {
                signal(&child, "-INT");
            }
        }
        // A very fast machine is through before the signal comes.
        let code = child.wait().unwrap().code();
        assert!(code == Some(130) || code == Some(0), "{code:?}");
        folder.succeed(&["train", "--resume", &half, "--quiet"]);
        assert_eq!(history(&folder.path(&half).join("history.jsonl")), records);
        for file in ["best.safetensors", "early.safetensors", "last.safetensors", "last.retrain.safetensors"] {
            assert!(tensors(&half, file) == tensors(how, file), "{how}: {file}");
        }
    }
    // A first training that is prolonged has its second anew.
    let longer = "train.stop=[{ patience = 40 }]";
    let output =
        folder.run(&["train", "--resume", "from_scratch", "--set", longer, "--set", "train.epochs=70", "--quiet"]);
    succeeded(&output);
    let records = history(&folder.path("from_scratch").join("history.jsonl"));
    let last = records.iter().rfind(|record| record["phase"].is_null()).unwrap();
    assert!(last["epoch"].as_f64().unwrap() > 40.0 && records.last().unwrap()["phase"] == "retrain", "{last}");
}

#[test]
fn a_net_that_cannot_learn_fails_its_check() {
    let folder = Folder::with("check", "digits.toml", DIGITS);
    let check = |sets: &[&str]| {
        let words: Vec<&str> =
            ["check", "digits.toml", "--json"].into_iter().chain(sets.iter().flat_map(|set| ["--set", *set])).collect();
        let output = folder.run(&words);
        let value: serde_json::Value = serde_json::from_str(&text(&output.stdout)).unwrap();
        (output.status.code(), value)
    };
    let result = |value: &serde_json::Value, what: &str| {
        let found = value["checks"].as_array().unwrap().iter().find(|check| check["check"] == what).unwrap();
        found["result"].as_str().unwrap().to_string()
    };
    let (code, value) = check(&[]);
    assert_eq!((code, value["passed"].as_bool()), (Some(0), Some(true)), "{value}");
    for what in ["data", "splits", "classes", "inputs", "shapes", "start", "memory", "time", "overfit"] {
        assert!(["ok", "note"].contains(&result(&value, what).as_str()), "{what}: {value}");
    }
    // A learning rate that moves nothing; training data that are also test data; raw inputs.
    let (code, value) = check(&["train.optimizer.sgd.lr=1e-9"]);
    assert_eq!((code, result(&value, "overfit").as_str()), (Some(5), "failed"), "{value}");
    let (code, value) = check(&["data.test.embedded=digits"]);
    assert_eq!((code, result(&value, "splits").as_str()), (Some(5), "failed"), "{value}");
    let (code, value) = check(&["data.test.embedded=digits", "data.valid.embedded=digits", "data.transforms=[]"]);
    assert_eq!((code, result(&value, "inputs").as_str()), (Some(5), "warning"), "{value}");
    assert!(!folder.path("runs").exists());
}
