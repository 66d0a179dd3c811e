//! `gradus profile` on the embedded digits: figures that add up, pictures and a trace that other programs can read.

mod common;

use common::{Folder, text};

const DIGITS: &str = include_str!("../../../recipes/digits.toml");

fn number(value: &serde_json::Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn figures_add_up() {
    let folder = Folder::with("profile", "digits.toml", DIGITS);
    let found: serde_json::Value = serde_json::from_str(&folder.succeed(&[
        "profile",
        "digits.toml",
        "--batch",
        "48",
        "--steps",
        "30",
        "--threads",
        "2",
        "--json",
        "--trace",
        "trace.json",
        "--svg",
        "flame.svg",
        "--roofline",
        "roofline.svg",
    ]))
    .unwrap();
    assert_eq!((&found["name"], &found["batch_size"], &found["steps"]), (&"digits".into(), &48.into(), &30.into()));
    assert_eq!((&found["threads"], &found["parameters"]), (&2.into(), &17_226.into()));
    assert!(number(&found["machine"]["gflop_s"]) > 0.1);
    let levels = found["machine"]["levels"].as_array().unwrap();
    assert!(levels.len() >= 2 && levels.iter().all(|level| number(&level["gb_s"]) > 0.1));
    assert_eq!(levels.last().unwrap()["name"], "memory");

    let kernels = found["kernels"].as_array().unwrap();
    let sum: f64 = kernels.iter().map(|kernel| number(&kernel["us"])).sum();
    assert!((sum - number(&found["kernels_us"])).abs() < 1e-6 * sum && sum > 0.0);
    let step = &found["step_us"];
    assert!(number(&step["p10"]) <= number(&step["median"]) && number(&step["median"]) <= number(&step["p90"]));
    let rest = number(&step["median"]) - sum;
    assert!((rest - number(&found["between_kernels_us"])).abs() < 1e-6 * sum);
    for kernel in kernels {
        let (us, operations) = (number(&kernel["us"]), number(&kernel["operations"]));
        assert!((number(&kernel["gflop_s"]) * us * 1e3 - operations).abs() <= 1e-6 * operations, "{kernel}");
        assert!(number(&kernel["share_of_peak"]) >= 0.0 && kernel["bound"].is_string(), "{kernel}");
    }
    // 48·64·128 multiply-adds forward and as many for the gradient of the weights; those of the second layer once more for its input.
    let products = |layer: &str| {
        let own = kernels.iter().filter(|k| k["layer"] == layer && k["kernel"].as_str().unwrap().starts_with("matmul"));
        own.map(|k| number(&k["operations"])).sum::<f64>()
    };
    let least = 2.0 * 48.0 * 64.0 * 128.0;
    assert!((least..1.1 * least).contains(&products("dense_1")), "{kernels:#?}");
    let gradients = products("dense_1/gradient");
    assert!((2.0 * least..2.1 * least).contains(&gradients), "{gradients} {kernels:#?}");
    assert!(kernels.iter().any(|kernel| kernel["layer"].as_str().unwrap().starts_with("optimizer")));

    for name in ["flame.svg", "roofline.svg"] {
        let picture = std::fs::read_to_string(folder.path(name)).unwrap();
        let document = roxmltree::Document::parse(&picture).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(document.root_element().has_tag_name(("http://www.w3.org/2000/svg", "svg")), "{name}");
        assert!(!picture.contains("NaN") && !picture.contains("inf\""), "{name}");
        assert!(document.descendants().any(|node| node.text().is_some_and(|text| text.contains("dense_1"))), "{name}");
    }

    let trace: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(folder.path("trace.json")).unwrap()).unwrap();
    let events = trace["traceEvents"].as_array().unwrap();
    let complete =
        |category: &str| events.iter().filter(|e| e["ph"] == "X" && e["cat"] == category).collect::<Vec<_>>();
    let steps = complete("step");
    assert_eq!((steps.len(), &steps[19]["name"]), (20, &"step 30".into()));
    for event in complete("kernel") {
        assert!([1, 2].contains(&event["tid"].as_u64().unwrap()), "{event}");
        let (start, end) = (number(&event["ts"]), number(&event["ts"]) + number(&event["dur"]));
        let within = |step: &&&serde_json::Value| {
            let from = number(&step["ts"]);
            from <= start + 1e-3 && end <= from + number(&step["dur"]) + 1e-3
        };
        assert_eq!(steps.iter().filter(within).count(), 1, "{event}");
    }
    let calls: u64 = kernels.iter().map(|kernel| kernel["calls"].as_u64().unwrap()).sum();
    assert!(complete("kernel").len() as u64 >= 20 * calls);
}

#[test]
fn the_table_names_what_takes_the_time() {
    let folder = Folder::with("profile-table", "digits.toml", DIGITS);
    let table = folder.succeed(&["profile", "digits.toml", "--steps", "10", "--isa", "portable"]);
    assert!(table.starts_with("digits: 32 samples, 1 thread, portable, median of 10 steps\n"), "{table}");
    for words in [
        "matmul [32, 128] k=64",
        "dense_1/gradient",
        "all kernels",
        "GFLOP/s; L1 ",
        "between kernels",
        "17,226 parameters",
    ] {
        assert!(table.contains(words), "{words}: {table}");
    }
    assert!(std::fs::read_dir(folder.path("")).unwrap().count() == 1, "no file was asked for");
    let wrong = folder.run(&["profile", "digits.toml", "--steps", "3", "--svg", "no/such/folder.svg"]);
    assert_eq!(wrong.status.code(), Some(3), "{}", text(&wrong.stderr));
}
