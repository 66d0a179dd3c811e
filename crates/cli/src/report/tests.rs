//! Whole pages: sound, self-contained, safe, small, and unmoved by odd histories.

use gradus_metrics::ConfusionMatrix;

use super::data::{
    Curve, Evaluation, LayerRow, Picture, Point, ReportData, Score, SplitScores, Summary, Target, Verdict,
};
use super::{page, samples, terminal};

/// Renders, checks that the page is well-formed XML that names nothing outside itself, and returns it.
///
/// Set `GRADUS_REPORT_SAMPLES` to a folder to get the pages written there and look at them.
#[track_caller]
fn sound(name: &str, data: &ReportData) -> String {
    let html = page(data);
    if let Some(folder) = std::env::var_os("GRADUS_REPORT_SAMPLES") {
        let path = std::path::Path::new(&folder).join(name);
        std::fs::write(path.with_extension("html"), &html).unwrap();
        let mut text = terminal::summary(data, 80);
        if let Some(Evaluation::Classes { names, matrix, .. }) = &data.evaluation {
            text.push_str(&terminal::per_class(matrix, names, 80));
        }
        std::fs::write(path.with_extension("txt"), text).unwrap();
    }
    let body = html.strip_prefix("<!DOCTYPE html>\n").expect("a document type");
    let tree = roxmltree::Document::parse(body).unwrap_or_else(|error| panic!("{name}: {error}"));
    for node in tree.descendants().filter(roxmltree::Node::is_element) {
        assert!(
            !["script", "link", "img", "iframe", "object", "use", "image"].contains(&node.tag_name().name()),
            "{name}: {node:?}"
        );
        for attribute in node.attributes() {
            assert!(!["src", "href", "srcset", "data", "action"].contains(&attribute.name()), "{name}: {attribute:?}");
            assert!(!attribute.name().starts_with("on"), "{name}: {attribute:?}");
            for word in ["NaN", "inf"] {
                let drawn = ["d", "x", "y", "width", "height", "cx", "cy", "r", "viewBox", "transform", "style"];
                assert!(
                    !drawn.contains(&attribute.name()) || !attribute.value().contains(word),
                    "{name}: {attribute:?}"
                );
            }
        }
    }
    let style: String = tree.descendants().filter(|node| node.has_tag_name("style")).filter_map(|n| n.text()).collect();
    assert!(!style.is_empty() && !style.contains("url(") && !style.contains("@import"));
    html
}

fn history(values: &[f64]) -> Vec<Point> {
    values.iter().enumerate().map(|(i, &value)| Point { epoch: i as f64 + 1.0, value }).collect()
}

#[test]
fn typical_runs_make_small_sound_pages() {
    let runs = [
        ("digits", samples::digits()),
        ("coin", samples::coin()),
        ("curve", samples::curve()),
        ("house", samples::house()),
        ("classes24", samples::many_classes(24)),
        ("classes100", samples::many_classes(100)),
        ("classes300", samples::many_classes(300)),
    ];
    for (name, data) in runs {
        let html = sound(name, &data);
        assert!(html.len() < 300_000, "{name}: {} bytes", html.len());
        assert!(!html.contains("http"), "{name} names something outside itself");
        assert_eq!(html, page(&data), "the same run makes the same page");
    }
}

#[test]
fn a_page_shows_what_it_was_given() {
    let data = samples::digits();
    let html = page(&data);
    for words in [
        "<h1>digits</h1>",
        "Confusion matrix",
        "Loss over the epochs",
        "no longer improves",
        "[B, 128]",
        "9,610",
        "best: 31",
        "epoch 40\ntrain",
        "data fingerprint",
        "<span class=\"var\">batch_size </span>= 64",
    ] {
        assert!(html.contains(words), "{words:?} is missing");
    }
    let coin = page(&samples::coin());
    assert!(coin.contains("Decision regions") && coin.contains("class=\"region c2\""));
    let curve = page(&samples::curve());
    assert!(
        curve.contains("What was learnt") && curve.contains("y: residuals") && curve.contains("id=\"log0\" checked")
    );
}

#[test]
fn nothing_given_breaks_nothing() {
    let html = sound("empty", &ReportData::default());
    assert!(html.contains("Untitled run") && !html.contains("<h2>Training</h2>"));
}

#[test]
fn odd_histories_break_nothing() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let histories: [&[f64]; 10] = [
        &[],
        &[nan],
        &[inf, -inf],
        &[0.5],
        &[0.5, 0.5, 0.5],
        &[nan, 0.5, nan, 0.4, 0.3, nan],
        &[1e300, 1e-300, 5.0],
        &[f64::MAX, f64::MIN],
        &[0.0, 0.0],
        &[-1.0, -2.0, 1e-9],
    ];
    for (index, values) in histories.into_iter().enumerate() {
        for best in [None, Some(1.0), Some(nan), Some(1e9)] {
            let curve = |metric: &str| Curve { metric: metric.into(), train: history(values), valid: history(values) };
            let data = ReportData {
                curves: vec![curve("loss"), curve("accuracy"), Curve { train: vec![], ..curve("mse") }],
                summary: Summary { best_epoch: best, epochs: nan, seconds: nan, ..Summary::default() },
                ..ReportData::default()
            };
            sound(&format!("odd{index}"), &data);
            assert!(terminal::summary(&data, 60).lines().all(|line| line.chars().count() <= 60));
        }
    }
    let same_epoch =
        vec![Point { epoch: 1.0, value: 1.0 }, Point { epoch: 1.0, value: 2.0 }, Point { epoch: nan, value: 3.0 }];
    let curves = vec![Curve { metric: "loss".into(), train: same_epoch.clone(), valid: same_epoch }];
    sound("same-epoch", &ReportData { curves, ..ReportData::default() });
}

#[test]
fn odd_predictions_break_nothing() {
    let nan = f64::NAN;
    let values: [(&[f64], &[f64]); 5] = [
        (&[], &[]),
        (&[1.0], &[1.0]),
        (&[2.0; 9], &[2.0; 9]),
        (&[nan, 1.0], &[1.0, nan]),
        (&[1e300, -1e300, 0.0], &[0.0, 1.0, 2.0]),
    ];
    for (truth, predicted) in values {
        let target = Target { name: "y".into(), truth: truth.to_vec(), predicted: predicted.to_vec() };
        let data: Vec<[f64; 2]> = truth.iter().zip(predicted).map(|(&x, &y)| [x, y]).collect();
        let picture = Picture::Fit { x_name: "x".into(), y_name: "y".into(), curve: data.clone(), data };
        let evaluation = Some(Evaluation::Values { split: "test".into(), targets: vec![target] });
        sound("values", &ReportData { evaluation, picture: Some(picture), ..ReportData::default() });
    }
    for (columns, grid) in [(0, vec![]), (3, vec![0]), (2, vec![0, 1, 7, usize::MAX]), (1, vec![5])] {
        let picture = Picture::Regions {
            x_name: "x".into(),
            y_name: "y".into(),
            names: vec![],
            x_range: [0.0, 0.0],
            y_range: [nan, nan],
            columns,
            grid,
            points: vec![(nan, 0.0, 1), (0.0, 1e200, usize::MAX), (0.5, 0.5, 0)],
        };
        sound("regions", &ReportData { picture: Some(picture), ..ReportData::default() });
    }
    for classes in [1, 2, 25, 201] {
        let matrix = ConfusionMatrix::new(classes).unwrap();
        let evaluation = Some(Evaluation::Classes { split: "test".into(), names: vec![], matrix });
        sound("no-rows", &ReportData { evaluation, ..ReportData::default() });
    }
}

#[test]
fn every_text_is_escaped() {
    let evil = "<script>alert(\"1\")</script>&'\u{1b}[31m]]>";
    let text = || evil.to_owned();
    let matrix = ConfusionMatrix::try_from(vec![vec![3, 1, 0], vec![1, 2, 0], vec![0, 1, 4]]).unwrap();
    let score = || Score { metric: text(), value: 1.0 };
    let mut data = ReportData {
        title: text(),
        description: text(),
        summary: Summary {
            splits: vec![SplitScores { split: text(), rows: 1, scores: vec![score()] }],
            stopped_by: text(),
            retrained: text(),
            version: text(),
            ..Summary::default()
        },
        verdict: Some(Verdict { headline: text(), reasons: vec![text()], advice: Some(text()) }),
        curves: vec![Curve { metric: text(), train: history(&[1.0, 0.01]), valid: history(&[1.0, 0.02]) }],
        evaluation: Some(Evaluation::Classes { split: text(), names: vec![text(); 3], matrix }),
        picture: Some(Picture::Fit { x_name: text(), y_name: text(), data: vec![[0.0, 1.0]], curve: vec![[0.0, 1.0]] }),
        layers: vec![LayerRow { name: text(), kind: text(), output: text(), ..LayerRow::default() }],
        recipe: format!("[{evil}]\n# {evil}\n{evil} = {evil}\nkey = \"{evil}\"\n"),
        environment: vec![(text(), text())],
    };
    for _ in 0..2 {
        let html = sound("evil", &data);
        assert!(!html.contains("<script") && !html.contains('\u{1b}'));
        data.picture = Some(Picture::Regions {
            x_name: text(),
            y_name: text(),
            names: vec![text()],
            x_range: [0.0, 1.0],
            y_range: [0.0, 1.0],
            columns: 1,
            grid: vec![0],
            points: vec![],
        });
        let target = Target { name: text(), truth: vec![1.0, 2.0], predicted: vec![1.0, 3.0] };
        data.evaluation = Some(Evaluation::Values { split: text(), targets: vec![target] });
    }
}

#[test]
fn data_survives_json_with_its_gaps() {
    let mut data = samples::house();
    data.curves[0].train.truncate(5);
    data.curves[0].train[2].value = f64::NAN;
    let json = serde_json::to_string(&data).unwrap();
    let back: ReportData = serde_json::from_str(&json).unwrap();
    assert_eq!(page(&data), page(&back));
    assert!(back.curves[0].train[2].value.is_nan());
}

#[test]
fn terminal_tables_fit_their_width() {
    for data in [samples::digits(), samples::house(), samples::many_classes(60), ReportData::default()] {
        for width in [0, 32, 50, 80, 200] {
            let mut text = terminal::summary(&data, width);
            if let Some(Evaluation::Classes { names, matrix, .. }) = &data.evaluation {
                text.push_str(&terminal::per_class(matrix, names, width));
            }
            for line in text.lines() {
                assert!(line.chars().count() <= width.max(32), "{width}: {line:?}");
            }
        }
    }
    let text = terminal::summary(&samples::coin(), 72);
    let expected = "\
chinabank-relu
              train    valid
  Loss      0.07910  0.07990
  Accuracy   96.50%   95.80%
";
    assert!(text.starts_with(expected), "{text}");
    assert!(text.contains("stopped by loss_below (loss under its bound)"), "{text}");
}

#[test]
fn sparklines_follow_the_values() {
    assert_eq!(terminal::sparkline(&[0.0, 7.0, f64::NAN, 3.0], 10), "▁█ ▄");
    assert_eq!(terminal::sparkline(&[5.0, 5.0], 10), "▁▁");
    assert_eq!(terminal::sparkline(&[], 10), "");
    assert_eq!(terminal::sparkline(&[1.0; 100], 0), "");
    assert_eq!(terminal::sparkline(&(0..100).map(f64::from).collect::<Vec<_>>(), 8), "▁▂▃▄▅▆▇█");
}
