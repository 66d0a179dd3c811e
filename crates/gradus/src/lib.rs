//! Gradus trains neural networks: describe a network, have its training step compiled, train it fast on a CPU.
//!
//! ```
//! use gradus::prelude::*;
//!
//! # fn main() -> gradus::Result<()> {
//! let (train, mut parts) = hold_out(&Embedded::Digits.read(), &[Holdout::fraction(0.2)], 7)?;
//! let test = parts.remove(0);
//!
//! let g = Graph::new();
//! let image = g.input("image", [8, 8]);
//! let digit = image.layer(seq![Flatten, Dense::new(64).relu(), Dropout::new(0.1), Dense::new(10)]);
//!
//! let outcome = Trainer::new(&g.model(&[("digit", &digit)])?)
//!     .loss("digit", CrossEntropy::default())
//!     .optimizer(Adam { lr: 3e-3, ..Adam::default() })
//!     .metric("digit", Metric::Accuracy)
//!     .stop(Patience::new(10))
//!     .fit(&train, &test, Epochs(30))?;
//!
//! assert!(outcome.evaluate(&test)?.scores["accuracy"] > 0.96);
//! # Ok(())
//! # }
//! ```
//!
//! # The way through
//!
//! 1. **Data.** A [`Dataset`](data::Dataset) holds inputs and targets. [`data::readers`] make one from IDX, NPY, NPZ and CSV files,
//!    [`data::split`] holds parts out, a [`Pipeline`](data::Pipeline) of transforms is fitted on the training part and applied to all.
//! 2. **Model.** A [`Graph`](graph::Graph) is written with [`layers`](nn::layers), or with the operators of its nodes; writing never
//!    fails, and [`Graph::model`](graph::Graph::model) returns the first mistake with your line, what was expected, and what to do.
//!    Sizes are taken from the input: nobody types them twice.
//! 3. **Training.** A [`Trainer`](train::Trainer) takes the model, a [loss](nn::losses) for each output, an
//!    [optimiser](nn::optimizers), [metrics](metrics::Metric), [stops](train::stops), and callbacks for all else. It
//!    differentiates and compiles the step once, and runs it over whole stretches of data. The best weights are what you get.
//! 4. **Use.** An [`Outcome`](train::Outcome) evaluates, predicts, and saves as a [`ModelFile`](train::ModelFile), which is one
//!    safetensors file.
//!
//! A layer, a loss or an optimiser of your own is a struct with one method; an op of your own is a [`CustomOp`](graph::CustomOp).
//! Same seed, same bits: with any number of threads, and after any interruption.
//!
//! # The crates behind it
//!
//! | module | holds |
//! |---|---|
//! | [`tensor`] | shapes, tensors, random numbers, NPY/NPZ and safetensors files |
//! | [`kernels`] | what a compiled step executes |
//! | [`graph`] | the symbolic graph, its ops, gradients, compiler and engine |
//! | [`nn`] | layers, losses, initialisers, penalties, optimisers, schedules, clipping |
//! | [`onnx`] | models of other tools as graphs |
//! | [`data`] | readers, transforms, splits, loader |
//! | [`metrics`] | metrics from whole-epoch counts |
//! | [`train`] | trainer, stops, callbacks, checkpoints, model files, gradient checks |
//! | [`prelude`] | the names that most programs use |

pub use gradus_data as data;
pub use gradus_graph as graph;
pub use gradus_kernels as kernels;
pub use gradus_metrics as metrics;
pub use gradus_nn as nn;
pub use gradus_onnx as onnx;
pub use gradus_tensor as tensor;
pub use gradus_train as train;

pub use gradus_nn::seq;
pub use gradus_train::{Result, TrainError as Error};

/// The names that most programs use: `use gradus::prelude::*;`.
pub mod prelude {
    pub use gradus_data::readers::Embedded;
    pub use gradus_data::split::{Holdout, KFold, hold_out, k_fold};
    pub use gradus_data::{Dataset, Pipeline, Target};
    pub use gradus_graph::{Graph, Init, Model, Node, Role, State};
    pub use gradus_metrics::Metric;
    pub use gradus_nn::layers::*;
    pub use gradus_nn::losses::*;
    pub use gradus_nn::optimizers::*;
    pub use gradus_nn::regularizers::*;
    pub use gradus_nn::{AnySchedule, Group, Layer, LayerExt, Loss, Optimizer, Schedule, clips, schedules, seq};
    pub use gradus_tensor::Tensor;
    pub use gradus_train::{
        Callback, Checkpoints, Context, Epochs, Event, Every, Flow, Interrupt, Keep, LossBelow, LossChange, Minutes,
        ModelFile, Outcome, Patience, Predictor, Scores, Steps, Trainer,
    };
}

/// The example of the page on convolution, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/convolution.md")]
struct Convolution;

/// The examples of the README, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
