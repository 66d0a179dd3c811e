//! What the tests of this crate share.
#![allow(dead_code)]

use gradus_data::readers::Embedded;
use gradus_data::split::{Holdout, hold_out};
use gradus_data::{Dataset, Pipeline};
use gradus_graph::{Graph, Model};
use gradus_metrics::Metric;
use gradus_nn::layers::{Dense, Dropout, Flatten};
use gradus_nn::losses::CrossEntropy;
use gradus_nn::optimizers::Adam;
use gradus_nn::{LayerExt, seq};
use gradus_train::Trainer;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Scaled data in two parts.
pub fn parts(set: Embedded, held: f64, seed: u64) -> (Dataset, Dataset) {
    let (train, mut parts) = hold_out(&set.read(), &[Holdout::fraction(held)], seed).unwrap();
    let pipeline: Pipeline = serde_json::from_str(r#"[{ "min_max": {} }]"#).unwrap();
    let (fitted, train) = pipeline.fit_apply(train).unwrap();
    (train, fitted.apply(parts.remove(0)).unwrap())
}

/// A small classifier of irises, with dropout.
pub fn iris_model() -> Model {
    let g = Graph::new();
    let y = g.input("x", [4]).layer(seq![Dense::new(8).relu(), Dropout::new(0.2), Dense::new(3)]);
    g.model(&[("species", &y)]).unwrap()
}

/// A trainer of it, with Adam.
pub fn iris_trainer<'a>(model: &Model) -> Trainer<'a> {
    Trainer::new(model)
        .loss("species", CrossEntropy::default())
        .optimizer(Adam { lr: 0.02, ..Adam::default() })
        .metric("species", Metric::Accuracy)
        .batch_size(16)
        .seed(5)
        .threads(1)
}

/// A classifier of digits.
pub fn digits_model() -> Model {
    let g = Graph::new();
    let y = g.input("image", [8, 8]).layer(seq![Flatten, Dense::new(64).relu(), Dense::new(10)]);
    g.model(&[("digit", &y)]).unwrap()
}

/// A file of its own in the temporary folder, removed at the end.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Scratch {
        // Tests of one process run side by side.
        static MADE: AtomicUsize = AtomicUsize::new(0);
        let nth = MADE.fetch_add(1, Ordering::Relaxed);
        Scratch(std::env::temp_dir().join(format!("gradus-train-{}-{nth}-{name}", std::process::id())))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}
