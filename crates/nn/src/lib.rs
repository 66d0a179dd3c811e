//! What networks are made of and trained with, each as one plain struct that is at once the builder in Rust, the table in a
//! recipe, and the documentation.
//!
//! | read | for |
//! |---|---|
//! | [`layers`] | [`Layer`], [`Dense`](layers::Dense) and the others, [`Sequential`] and [`seq!`] |
//! | [`regions`] | what detectors cut out of feature maps: RoI pooling and its kin |
//! | [`models`] | networks known by name: LeNet, ResNet, MobileNet; TextCNN, BiLSTM, HAN, Transformer |
//! | [`activations`] | functions applied element by element or row by row |
//! | [`init`] | how parameters start |
//! | [`losses`] | what is minimised, what a head predicts, and what is counted to judge it |
//! | [`regularizers`] | penalties on weights |
//! | [`optimizers`] | how parameters follow their gradients |
//! | [`schedules`] | how the learning rate moves during a run |
//! | [`clips`] | what is done to gradients that are too large |
//! | [`updates`] | which parameters are treated how: groups, decay, constraints |
//! | [`step`] | [`TrainStep`]: a model with losses, gradients and updates |
//! | [`mod@table`] | what all of these families share: keys, defaults, checks |
//! | [`torch`] | parameters as PyTorch names and lays them out |
//! | [`explain`] | the families' documentation, for programs to show |
//!
//! Every family is a folder with a table in its `mod.rs`: one file and one table line for each member. The line's module name is the
//! key that recipes use: `adam_w::AdamW` is `{ adam_w = { lr = 1e-3 } }`.
//!
//! ```
//! use gradus_graph::Graph;
//! use gradus_nn::{LayerExt, TrainStep, layers::*, losses::CrossEntropy, optimizers::Sgd, seq};
//!
//! let g = Graph::new();
//! let x = g.input("image", [28, 28]);
//! let y = x.layer(seq![Flatten, Dense::new(128).relu(), Dropout::new(0.2), Dense::new(10)]);
//! let model = g.model(&[("class", &y)])?;
//! assert_eq!(model.variables()[2].path, "dense_1/weight");
//!
//! let trained = TrainStep::new(Sgd { lr: 0.1, ..Sgd::default() }).loss("class", CrossEntropy::default()).build(&model)?;
//! assert_eq!(trained.inputs()[1].name, "class/target");
//! # Ok::<(), gradus_graph::GraphError>(())
//! ```

#[macro_use]
pub mod table;
pub mod activations;
mod check;
pub mod clips;
pub mod explain;
pub mod init;
pub mod layers;
pub mod losses;
pub mod models;
pub mod optimizers;
pub mod regions;
pub mod regularizers;
pub mod schedules;
pub mod step;
pub mod torch;
pub mod updates;

pub use activations::AnyActivation;
pub use clips::AnyClip;
pub use init::AnyInit;
pub use layers::{AnyLayer, Layer, LayerExt, Sequential};
pub use losses::{AnyLoss, Loss};
pub use optimizers::{AnyOptimizer, Optimizer};
pub use regularizers::AnyRegularizer;
pub use schedules::{AnySchedule, Schedule};
pub use step::TrainStep;
pub use updates::{Group, Updates};
