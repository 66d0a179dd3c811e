//! Training: the trainer, its callbacks, stops, checkpoints and history; evaluation, prediction, model files, gradient checks.
//!
//! | read | for |
//! |---|---|
//! | [`Trainer`], [`Outcome`] | training a model on data: few methods, and all else a callback |
//! | [`stops`] | when a run ends |
//! | [`retrain`] | training on all of the data after an early stop |
//! | [`Callback`], [`Event`], [`Context`], [`Flow`] | what happens beside training |
//! | [`Record`], [`Scores`] | the history of a run |
//! | [`Checkpoints`], [`Interrupt`] | ending a run anywhere and going on to the identical end |
//! | [`ModelFile`], [`Predictor`], [`Evaluation`] | using what was trained |
//! | [`preprocessing`] | the transforms of data as parts of a graph |
//! | [`sanity`] | before a run: whether a net learns a handful of samples |
//! | [`verdict`] | whether a run fits well, and what to try next |
//! | [`WeightSummary`] | how large the weights are: sums, small values, norms of each layer |
//! | [`GradientCheck`] | compiled gradients against central differences |
//! | [`inspect`] | activations, gradients and updates of each layer, with a verdict |
//! | [`LrFind`] | which learning rates a network learns at |
//! | [`StepProfile`] | what a step costs, kernel by kernel |
//! | [`Surface`] | optimisers on surfaces of two parameters |
//! | [`TrainError`] | everything that can go wrong here |
//!
//! # The loop, to copy
//!
//! A trainer is a convenience. What it does in the end is this, which needs nothing of this crate:
//!
//! ```
//! use gradus_data::loader::{Loader, LoaderOptions};
//! use gradus_data::readers::Embedded;
//! use gradus_graph::{Engine, Graph, Request, State};
//! use gradus_kernels::Pool;
//! use gradus_nn::{LayerExt, TrainStep, layers::Dense, losses::CrossEntropy, optimizers::Adam};
//!
//! let g = Graph::new();
//! let y = g.input("x", [4]).layer(Dense::new(8).relu()).layer(Dense::new(3));
//! let model = g.model(&[("class", &y)])?;
//! let adam = Adam { lr: 0.02, ..Adam::default() };
//! let step = TrainStep::new(adam).loss("class", CrossEntropy::default()).build(&model)?;
//!
//! let mut engine = Engine::new(&step, Request::training(&["data_loss"]))?;
//! let mut state = State::<f32>::new(&step, 7);
//! let data = std::sync::Arc::new(Embedded::Iris.read());
//! let mut loader = Loader::new(data, LoaderOptions { batch: 16, ..LoaderOptions::default() })?;
//! let pool = Pool::new(1);
//! let mut losses = vec![];
//! for epoch in 0..20 {
//!     let (mut sum, mut steps) = (0.0, 0);
//!     let mut chunks = loader.epoch(epoch, 0);
//!     while let Some(chunk) = chunks.next_chunk() {
//!         engine.run(&mut state, &[chunk.inputs(), chunk.targets()], chunk.batch(), chunk.steps(), &pool)?;
//!         sum += engine.sums()[0];
//!         steps += chunk.steps();
//!     }
//!     losses.push(sum / steps as f64);
//! }
//! assert!(losses[19] < 0.5 * losses[0]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod agenda;
mod callback;
mod checkpoint;
mod diagnose;
mod error;
mod evaluate;
mod gradient_check;
mod history;
pub mod inspect;
mod interrupt;
mod lr_find;
mod model_file;
mod number;
mod objective;
mod predict;
pub mod preprocessing;
mod profile;
pub mod retrain;
mod run;
pub mod sanity;
mod seal;
pub mod stops;
mod surface;
mod trainer;
pub mod verdict;
mod weights;

pub use callback::{Callback, Context, Event, Flow};
pub use checkpoint::{Best, Checkpoints, Every};
pub use error::{Result, TrainError};
pub use evaluate::Evaluation;
pub use gradient_check::{GradientCheck, GradientCheckOptions, ParameterCheck};
pub use history::{Phase, Record, Scores, write_history};
pub use interrupt::{Interrupt, Signal};
pub use lr_find::{LrFind, LrFindOptions, LrPoint, LrVerdict};
pub use model_file::ModelFile;
pub use predict::Predictor;
pub use profile::StepProfile;
pub use retrain::{Retrain, retrain_file};
pub use sanity::{OverfitCheck, OverfitOptions};
pub use stops::{
    AnyStop, Epochs, GeneralizationLoss, LossBelow, LossChange, Minutes, Patience, ProgressQuotient, Steps, Stop, Up,
    Worsening,
};
pub use surface::Surface;
pub use trainer::{Keep, Outcome, Trainer, TrainingData};
pub use weights::{LayerWeights, WeightSummary};
