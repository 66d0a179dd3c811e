//! The signals of MNIST-1D against those of the author's package: `fixtures/make_mnist1d.py`.

use gradus_data::readers::Embedded;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Fixture {
    train: usize,
    labels: String,
    rows: BTreeMap<String, Vec<f32>>,
    means: Vec<Vec<f64>>,
    deviations: Vec<Vec<f64>>,
}

#[test]
fn the_signals_are_those_of_the_package() {
    let fixture: Fixture = serde_json::from_str(include_str!("fixtures/mnist1d.json")).unwrap();
    let data = Embedded::Mnist1d.read();
    assert_eq!((data.inputs().shape(), fixture.train), (&[5000, 40][..], 4000));
    let labels: String = data.labels().unwrap().iter().map(ToString::to_string).collect();
    assert_eq!(labels, fixture.labels);
    let near = |a: f64, b: f64| (a - b).abs() < 1e-6;
    for (row, expected) in &fixture.rows {
        let found = data.input_row(row.parse().unwrap());
        assert!(found.iter().zip(expected).all(|(&a, &b)| near(a.into(), b.into())), "{row}: {found:?}");
    }
    for digit in 0..10u32 {
        let rows: Vec<&[f32]> =
            (0..5000).filter(|&i| data.labels().unwrap()[i] == digit).map(|i| data.input_row(i)).collect();
        for point in 0..40 {
            let values = || rows.iter().map(|row| f64::from(row[point]));
            let mean = values().sum::<f64>() / rows.len() as f64;
            let deviation = (values().map(|x| (x - mean).powi(2)).sum::<f64>() / rows.len() as f64).sqrt();
            let digit = digit as usize;
            assert!(near(mean, fixture.means[digit][point]), "{digit} {point}: {mean}");
            assert!(near(deviation, fixture.deviations[digit][point]), "{digit} {point}: {deviation}");
        }
    }
}
