//! Real data sets, read from `$GRADUS_DATA` where it is set.

use gradus_data::known;
use gradus_data::{Dataset, Holdout, Locator, Pipeline, Source, hold_out};

/// The folder of data sets, unless there is none: then the test is skipped.
fn locator(test: &str) -> Option<Locator> {
    match std::env::var_os("GRADUS_DATA") {
        Some(folder) => Some(Locator::new([folder])),
        None => {
            eprintln!("skipped: {test} needs GRADUS_DATA");
            None
        }
    }
}

fn source(text: &str) -> Source {
    toml::from_str(text).unwrap()
}

#[test]
fn mnist() {
    let Some(locator) = locator("mnist") else { return };
    let read = |part: &str| -> Dataset {
        let text = format!(
            "idx = {{ images = \"mnist/{part}-images-idx3-ubyte.gz\", labels = \"mnist/{part}-labels-idx1-ubyte.gz\" }}"
        );
        source(&text).read(&locator).unwrap()
    };
    let train = read("train");
    assert_eq!(train.inputs().shape(), [60000, 28, 28]);
    assert_eq!(train.class_counts().unwrap(), [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]);
    let (fitted, train) = toml_pipeline("[{ min_max = {} }]").fit_apply(train).unwrap();
    let summary = train.inputs().values().summary();
    assert_eq!((summary.min, summary.max), (0.0, 1.0));
    let test = fitted.apply(read("t10k")).unwrap();
    assert_eq!((test.len(), test.feature_shape()), (10000, &[28, 28][..]));
    let (rest, parts) = hold_out(&train, &[Holdout::fraction(0.1)], 7).unwrap();
    assert_eq!((rest.len(), parts[0].len()), (54000, 6000));
    assert_eq!(parts[0].class_counts().unwrap(), [592, 674, 596, 613, 584, 542, 592, 627, 585, 595]);
}

fn toml_pipeline(steps: &str) -> Pipeline {
    #[derive(serde::Deserialize)]
    struct Recipe {
        transforms: Pipeline,
    }
    toml::from_str::<Recipe>(&format!("transforms = {steps}")).unwrap().transforms
}

#[test]
fn houses_as_text() {
    let Some(locator) = locator("houses_as_text") else { return };
    let text =
        r#"csv = { path = "kc_house/kc_house_data.csv", target = "price", task = "values", drop = ["id", "date"] }"#;
    let houses = source(text).read(&locator).unwrap();
    assert_eq!(houses.inputs().shape(), [21613, 18]);
    let summary = houses.values().unwrap().values().summary();
    assert_eq!((summary.min, summary.max), (75000.0, 7700000.0));
    let mean = houses.values().unwrap().to_f64().iter().sum::<f64>() / 21613.0;
    assert!((mean - 540088.14).abs() < 0.01, "{mean}");
    let with_date = r#"csv = { path = "kc_house/kc_house_data.csv", target = "price", task = "values" }"#;
    let error = source(with_date).read(&locator).unwrap_err().to_string();
    assert!(error.contains("column \"date\" holds 372 different texts; list it in `drop`"), "{error}");

    let steps = toml_pipeline("[{ min_max = {} }, { z_score = { on = \"target\" } }]");
    let real = houses.values().unwrap().to_f32();
    let (fitted, scaled) = steps.fit_apply(houses).unwrap();
    let mut back = scaled.values().unwrap().to_f32();
    fitted.inverse_target(&mut back, 1).unwrap();
    for (x, y) in real.iter().zip(&back) {
        assert!((x - y).abs() <= 1e-6 * x, "{x} came back as {y}");
    }
}

#[test]
fn incomes_as_text() {
    let Some(locator) = locator("incomes_as_text") else { return };
    let read = |file: &str, more: &str| {
        source(&format!(
            "csv = {{ path = \"adult/{file}\", header = false, target = -1, on_missing = \"drop\"{more} }}"
        ))
    };
    let train = read("adult.data", "").read(&locator).unwrap();
    assert_eq!(train.len(), 30162);
    assert_eq!(train.class_counts().unwrap(), [22654, 7508]);
    assert_eq!(train.classes().unwrap(), ["<=50K", ">50K"]);
    assert_eq!(train.feature_len(), 6 + 7 + 16 + 7 + 14 + 6 + 5 + 2 + 41);
    let test = read("adult.test", ", skip_lines = 1, label_trim = \".\"");
    let test = test.read_like(&locator, &train.schema()).unwrap();
    assert_eq!(test.class_counts().unwrap(), [11360, 3700]);
    let error = read("adult.test", "").read(&locator).unwrap_err().to_string();
    assert!(error.contains("line 2: 1 field expected, as in the first row, but 15 fields found"), "{error}");
    let error = read("adult.test", ", skip_lines = 1").read_like(&locator, &train.schema()).unwrap_err().to_string();
    assert!(
        error.contains("line 2, column \"c14\" (field 15): label \"<=50K.\" is none of the known classes"),
        "{error}"
    );
}

#[test]
fn course_data() {
    let Some(locator) = locator("course_data") else { return };
    let read = |file: &str, task: &str| {
        source(&format!("npz = {{ path = \"ai-edu/{file}.npz\", task = \"{task}\" }}")).read(&locator).unwrap()
    };
    let coin = read("ch11.train", "classes");
    assert_eq!(
        (coin.classes().unwrap(), coin.class_counts().unwrap()),
        (&["1", "2", "3"].map(String::from)[..], vec![163, 462, 375])
    );
    assert_eq!(read("ch03", "values").inputs().shape(), [50, 1]);
    assert_eq!(read("ch10.train", "classes").class_counts().unwrap(), [200, 200]);
    assert_eq!(read("ch14.house.train", "values").inputs().shape(), [17291, 13]);
    assert_eq!(read("ch14.Income.train", "classes").class_counts().unwrap(), [22654, 7508]);
}

#[test]
fn known_sets_are_taken_from_a_folder() {
    let Some(folder) = std::env::var_os("GRADUS_DATA") else {
        eprintln!("skipped: known_sets_are_taken_from_a_folder needs GRADUS_DATA");
        return;
    };
    let cache = std::env::temp_dir().join(format!("gradus-real-{}", std::process::id()));
    for name in ["mnist", "adult", "kc_house", "ai-edu"] {
        let set = known::find(name).unwrap();
        let got = known::get(name, Some(folder.as_ref()), &cache, &mut |_, _, _| {}).unwrap();
        assert_eq!((got.stored.len(), got.present.len()), (set.files.len(), 0), "{name}");
        let again = known::get(name, None, &cache, &mut |_, _, _| {}).unwrap();
        assert_eq!((again.stored.len(), again.present.len()), (0, set.files.len()), "{name}");
    }
    let found = known::list(&Locator::new([&cache]));
    let complete: Vec<&str> =
        found.iter().filter(|status| status.is_complete()).map(|status| status.set.name).collect();
    assert_eq!(complete, ["digits", "iris", "mnist1d", "mnist", "adult", "kc_house", "ai-edu"]);
    std::fs::remove_dir_all(&cache).unwrap();
}

#[test]
fn cifar10_from_its_archive() {
    let Some(locator) = locator("cifar10_from_its_archive") else { return };
    let begun = std::time::Instant::now();
    let train = source(r#"cifar = { path = "cifar10" }"#).read(&locator).unwrap();
    eprintln!("read in {:.1} s", begun.elapsed().as_secs_f64());
    assert_eq!(train.inputs().shape(), [50000, 3, 32, 32]);
    assert_eq!(train.class_counts().unwrap(), [5000; 10]);
    assert_eq!(train.classes().unwrap()[..3], ["airplane", "automobile", "bird"]);
    // The first picture is a frog; its corner is the colour (59, 62, 63).
    assert_eq!(train.labels().unwrap()[0], 6);
    let corner = [0, 1024, 2048].map(|at| train.input_row(0)[at]);
    assert_eq!(corner, [59.0, 62.0, 63.0]);
    let folder = locator.roots()[0].join("cifar10");
    let cache = std::env::temp_dir().join(format!("gradus-real-cifar-{}", std::process::id()));
    let got = known::get("cifar10", Some(&folder), &cache, &mut |_, _, _| {}).unwrap();
    assert_eq!(got.stored.len(), 6);
    let unpacked = Locator::new([&cache]);
    let test = source(r#"cifar = { path = "cifar10", split = "test" }"#).read_like(&unpacked, &train.schema()).unwrap();
    assert_eq!((test.len(), test.class_counts().unwrap()), (10000, vec![1000; 10]));
    assert_eq!(source(r#"cifar = { path = "cifar10" }"#).read(&unpacked).unwrap(), train);
    std::fs::remove_dir_all(&cache).unwrap();
}
