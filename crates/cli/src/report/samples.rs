//! Runs as they come, made up by a small generator: what the tests render.

use gradus_metrics::ConfusionMatrix;

use super::data::{
    Curve, Evaluation, LayerRow, Picture, Point, ReportData, Score, SplitScores, Summary, Target, Verdict,
};

/// Multiplicative congruential numbers in `[0, 1)`.
pub struct Noise(pub u64);

impl Noise {
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}

/// Split, rows, and its scores by metric.
type Split<'a> = (&'a str, u64, &'a [(&'a str, f64)]);

fn splits(rows: &[Split]) -> Vec<SplitScores> {
    rows.iter()
        .map(|(split, rows, scores)| SplitScores {
            split: (*split).into(),
            rows: *rows,
            scores: scores.iter().map(|(metric, value)| Score { metric: (*metric).into(), value: *value }).collect(),
        })
        .collect()
}

fn layer(name: &str, kind: &str, output: &str, parameters: u64) -> LayerRow {
    let (name, kind, output) = (name.into(), kind.into(), output.into());
    LayerRow { name, kind, output, parameters, flops: 2 * parameters, ..LayerRow::default() }
}

fn environment() -> Vec<(String, String)> {
    [
        ("processor", "8 cores, AVX-512"),
        ("threads", "2"),
        ("system", "Linux x86-64"),
        ("data fingerprint", "c0ffee12 (60,000 rows of 784)"),
        ("started", "2025-03-01 12:00:00 UTC"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// Forty epochs on ten digits.
pub fn digits() -> ReportData {
    let mut noise = Noise(7);
    let mut loss = Curve { metric: "loss".into(), ..Curve::default() };
    let mut accuracy = Curve { metric: "accuracy".into(), ..Curve::default() };
    for step in 1..=40 {
        let epoch = f64::from(step);
        let fading = (-epoch / 4.0).exp();
        let train = 1.9 * fading + 0.35 / (1.0 + epoch * 0.5) + 0.004 * noise.normal().abs();
        let valid = train + 0.03 + 0.0016 * epoch + 0.007 * noise.normal();
        loss.train.push(Point { epoch, value: train });
        loss.valid.push(Point { epoch, value: valid });
        accuracy.train.push(Point { epoch, value: 1.0 - 0.30 * train.min(2.5) });
        accuracy.valid.push(Point { epoch, value: 0.988 - 0.27 * valid + 0.002 * noise.normal() });
    }
    let mut matrix = ConfusionMatrix::new(10).unwrap();
    for truth in 0..10 {
        for _ in 0..(170 + truth * 3 % 17) {
            let wrong = noise.uniform() < 0.012 + 0.01 * (truth % 4) as f64;
            let other = [8, 7, 3, 5, 9, 3, 5, 9, 3, 4][truth];
            let predicted = match wrong {
                true if noise.uniform() < 0.7 => other,
                true => (noise.uniform() * 10.0) as usize,
                false => truth,
            };
            matrix.record(truth, predicted).unwrap();
        }
    }
    let accuracy_on_test = matrix.accuracy();
    ReportData {
        title: "digits".into(),
        description: "Handwritten digits, 8×8 pixels: which of the ten is it?".into(),
        summary: Summary {
            splits: splits(&[
                ("train", 3823, &[("loss", 0.0182), ("accuracy", 0.9987), ("f1_macro", 0.9986)]),
                ("valid", 382, &[("loss", 0.0611), ("accuracy", 0.9817), ("f1_macro", 0.9815)]),
                ("test", 1797, &[("loss", 0.0744), ("accuracy", accuracy_on_test), ("f1_macro", 0.9762)]),
            ]),
            stopped_by: "patience".into(),
            epochs: 40.0,
            retrained: String::new(),
            best_epoch: Some(31.0),
            steps: 2160,
            seconds: 1.384,
            parameters: 9610,
            seed: 7,
            version: "0.1.0".into(),
        },
        verdict: Some(Verdict {
            headline: "over-fit".into(),
            reasons: vec!["training error 0.1% ≤ 9.0%, 10% of the baseline's 89.8% (always `3`)".into()],
            advice: Some("try more data, dropout".into()),
        }),
        curves: vec![loss, accuracy],
        evaluation: Some(Evaluation::Classes {
            split: "test".into(),
            names: (0..10).map(|digit| digit.to_string()).collect(),
            matrix,
        }),
        picture: None,
        layers: vec![
            layer("flatten", "flatten", "[B, 64]", 0),
            layer("dense", "dense 128, ReLU", "[B, 128]", 8320),
            layer("dropout", "dropout 0.2", "[B, 128]", 0),
            layer("dense2", "dense 10", "[B, 10]", 1290),
        ],
        recipe: "# digits\nseed = 7\n\n[data]\ntrain = { embedded = \"digits\" }\nvalid = { fraction = 0.1 }\n\
                 transforms = [ { min_max = {} } ]\n\n[model]\nlayers = [\n  { flatten = {} },\n  { dense = { units = 128, \
                 activation = \"relu\" } },\n  { dropout = { rate = 0.2 } },\n  { dense = { units = 10 } },\n]\n\n[train]\n\
                 epochs = 100\nbatch_size = 64\nloss = { cross_entropy = {} }\noptimizer = { adam = { lr = 0.001 } }\n\
                 stop = [ { patience = { checks = 9, monitor = \"valid/loss\" } } ]\n"
            .into(),
        environment: environment(),
    }
}

/// Three classes on a coin: the outside, the coin, its square hole.
pub fn coin() -> ReportData {
    let class = |x: f64, y: f64| {
        let (dx, dy) = (x - 0.5, y - 0.5);
        let round = (dx * dx + dy * dy).sqrt() + 0.012 * (5.0 * dy.atan2(dx)).sin();
        let square = dx.abs().max(dy.abs()) + 0.01 * (9.0 * dx).sin();
        if square < 0.16 { 2 } else { usize::from(round < 0.41) }
    };
    let mut noise = Noise(11);
    let mut matrix = ConfusionMatrix::new(3).unwrap();
    let points: Vec<(f64, f64, usize)> = (0..600)
        .map(|_| {
            let (x, y) = (noise.uniform(), noise.uniform());
            let truth = class(x + 0.012 * noise.normal(), y + 0.012 * noise.normal());
            matrix.record(truth, class(x, y)).unwrap();
            (x, y, truth)
        })
        .collect();
    let columns = 120;
    let centre = |i: usize| (i as f64 + 0.5) / columns as f64 * 1.04 - 0.02;
    let grid = (0..columns * columns).map(|i| class(centre(i % columns), centre(i / columns))).collect();
    let names = ["outside", "coin", "hole"].map(String::from).to_vec();
    let mut loss = Curve { metric: "loss".into(), ..Curve::default() };
    let mut accuracy = Curve { metric: "accuracy".into(), ..Curve::default() };
    for check in 1..=100 {
        let epoch = f64::from(check) * 50.0;
        let value = 0.08 + 0.9 / (1.0 + (epoch / 700.0).powi(2)) + 0.01 * noise.normal();
        loss.train.push(Point { epoch, value: value * 0.95 });
        loss.valid.push(Point { epoch, value });
        accuracy.valid.push(Point { epoch, value: 0.985 - 0.4 * value.max(0.0) });
        accuracy.train.push(Point { epoch, value: 0.99 - 0.38 * value.max(0.0) });
    }
    ReportData {
        title: "chinabank-relu".into(),
        description: String::new(),
        summary: Summary {
            splits: splits(&[
                ("train", 600, &[("loss", 0.0791), ("accuracy", 0.965)]),
                ("valid", 120, &[("loss", 0.0799), ("accuracy", 0.958)]),
            ]),
            stopped_by: "loss_below".into(),
            epochs: 5000.0,
            retrained: String::new(),
            best_epoch: Some(4950.0),
            steps: 300_000,
            seconds: 0.412,
            parameters: 123,
            seed: 1,
            version: "0.1.0".into(),
        },
        verdict: Some(Verdict {
            headline: "over-fit".into(),
            reasons: vec!["training error 0.1% ≤ 9.0%, 10% of the baseline's 89.8% (always `3`)".into()],
            advice: Some("try more data, dropout".into()),
        }),
        curves: vec![loss, accuracy],
        evaluation: Some(Evaluation::Classes { split: "valid".into(), names: names.clone(), matrix }),
        picture: Some(Picture::Regions {
            x_name: "x1".into(),
            y_name: "x2".into(),
            names,
            x_range: [-0.02, 1.02],
            y_range: [-0.02, 1.02],
            columns,
            grid,
            points,
        }),
        layers: vec![
            layer("dense", "dense 8, ReLU", "[B, 8]", 24),
            layer("dense2", "dense 8, ReLU", "[B, 8]", 72),
            layer("dense3", "dense 3", "[B, 3]", 27),
        ],
        recipe: "seed = 1\n".into(),
        environment: environment(),
    }
}

/// A noisy sine, looked at every hundred of ten thousand epochs.
pub fn curve() -> ReportData {
    let mut noise = Noise(3);
    let wave = |x: f64| 0.4 * (6.5 * x).sin() * (0.4 + x) + 0.5;
    let data: Vec<[f64; 2]> = (0..500)
        .map(|_| {
            let x = noise.uniform();
            [x, wave(x) + 0.03 * noise.normal()]
        })
        .collect();
    let fitted = (0..=300).map(|i| f64::from(i) / 300.0).map(|x| [x, wave(x) + 0.01 * (11.0 * x).cos()]).collect();
    let truth: Vec<f64> = data.iter().map(|point| point[1]).collect();
    let predicted = data.iter().map(|point| wave(point[0])).collect();
    let mut loss = Curve { metric: "loss".into(), ..Curve::default() };
    for check in 1..=100 {
        let epoch = f64::from(check) * 100.0;
        let value = 0.0009 + 0.09 * (-epoch / 900.0).exp() + 0.01 * (-epoch / 4000.0).exp();
        loss.train.push(Point { epoch, value: value * (1.0 + 0.02 * noise.normal()) });
        loss.valid.push(Point { epoch, value: value * (1.05 + 0.03 * noise.normal()) });
    }
    ReportData {
        title: "curve".into(),
        description: "One feature, one target: a net of four sigmoids follows a noisy wave.".into(),
        summary: Summary {
            splits: splits(&[
                ("train", 450, &[("loss", 0.00094), ("mse", 0.00188), ("mae", 0.0241), ("r2", 0.9713)]),
                ("valid", 50, &[("loss", 0.00099), ("mse", 0.00198), ("mae", 0.0250), ("r2", 0.9688)]),
            ]),
            stopped_by: "loss_below".into(),
            epochs: 10_000.0,
            retrained: String::new(),
            best_epoch: Some(10_000.0),
            steps: 450_000,
            seconds: 0.31,
            parameters: 13,
            seed: 42,
            version: "0.1.0".into(),
        },
        verdict: None,
        curves: vec![loss],
        evaluation: Some(Evaluation::Values {
            split: "valid".into(),
            targets: vec![Target { name: "y".into(), truth, predicted }],
        }),
        picture: Some(Picture::Fit { x_name: "x".into(), y_name: "y".into(), data, curve: fitted }),
        layers: vec![layer("dense", "dense 4, sigmoid", "[B, 4]", 8), layer("dense2", "dense 1", "[B, 1]", 5)],
        recipe: "seed = 42\n".into(),
        environment: environment(),
    }
}

/// House prices: thousands of rows, heavy tails, long noisy curves.
pub fn house() -> ReportData {
    let mut noise = Noise(5);
    let truth: Vec<f64> = (0..4300).map(|_| (12.9 + 0.5 * noise.normal()).exp()).collect();
    let predicted = truth.iter().map(|price| price.powf(0.93) * 2.4 * (0.17 * noise.normal()).exp()).collect();
    let mut loss = Curve { metric: "loss".into(), ..Curve::default() };
    let mut r2 = Curve { metric: "r2".into(), ..Curve::default() };
    for check in 1..=20_000 {
        let epoch = f64::from(check) * 0.05;
        let value = 0.0008 + 0.004 / (1.0 + epoch / 20.0);
        loss.train.push(Point { epoch, value: value * (1.0 + 0.15 * noise.normal()).max(0.2) });
        if check % 20 == 0 {
            loss.valid.push(Point { epoch, value: value * (1.1 + 0.02 * noise.normal()) });
            r2.valid.push(Point { epoch, value: 0.86 - 0.9 / (1.0 + epoch) + 0.003 * noise.normal() });
        }
    }
    ReportData {
        title: "house".into(),
        summary: Summary {
            splits: splits(&[
                ("train", 13_000, &[("loss", 0.00081), ("r2", 0.874), ("mae", 70_112.0), ("rmse", 130_442.0)]),
                ("valid", 4300, &[("loss", 0.00089), ("r2", 0.857), ("mae", 72_310.5), ("rmse", 136_942.0)]),
                ("test", 4300, &[("loss", 0.00092), ("r2", 0.851), ("mae", 73_018.0), ("rmse", f64::NAN)]),
            ]),
            stopped_by: "loss_change".into(),
            epochs: 1000.0,
            retrained: String::new(),
            best_epoch: Some(963.05),
            steps: 812_000,
            seconds: 94.2,
            parameters: 1161,
            seed: 0,
            version: "0.1.0".into(),
        },
        verdict: Some(Verdict {
            headline: "good fit".into(),
            reasons: vec!["training error 130442 ≤ 183564".into()],
            advice: None,
        }),
        curves: vec![loss, r2],
        evaluation: Some(Evaluation::Values {
            split: "test".into(),
            targets: vec![Target { name: "price".into(), truth, predicted }],
        }),
        layers: vec![layer("dense", "dense 32, ReLU", "[B, 32]", 448)],
        recipe: "seed = 0\n".into(),
        environment: environment(),
        ..ReportData::default()
    }
}

/// Classes with long names, one of them never seen.
pub fn many_classes(classes: usize) -> ReportData {
    let mut noise = Noise(13);
    let mut matrix = ConfusionMatrix::new(classes).unwrap();
    for truth in 1..classes {
        for _ in 0..40 {
            let near = (truth as f64 + noise.normal() * 0.6).round().clamp(0.0, (classes - 1) as f64);
            matrix.record(truth, near as usize).unwrap();
        }
    }
    let names = (0..classes).map(|class| format!("n{class:03}, one of many")).collect();
    ReportData {
        title: format!("{classes} classes"),
        evaluation: Some(Evaluation::Classes { split: "test".into(), names, matrix }),
        ..ReportData::default()
    }
}
