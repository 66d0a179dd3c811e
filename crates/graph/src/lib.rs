//! The symbolic graph: a model is written once, checked once, differentiated once, compiled once, and then run many times.
//!
//! | read | for |
//! |---|---|
//! | [`Graph`], [`Node`] | writing a model: inputs, variables, operators, scopes |
//! | [`op`] | what an op is |
//! | [`ops`] | all ops, one file each |
//! | [`onnx`] | how ops are read from ONNX |
//! | [`Engine`], [`State`] | compiling a model and running it |
//! | [`GraphError`] | what can be wrong, with the user's line |

mod autodiff;
mod dump;
mod error;
mod graph;
mod hooks;
mod ids;
mod include;
mod init;
mod masks;
mod model;
mod node;
pub mod onnx;
pub mod op;
mod operators;
pub mod ops;
mod passes;
mod plan;
mod profile;
mod program;
mod shared;
mod space;
mod state;
mod window;

pub use error::GraphError;
pub use gradus_kernels::Random;
pub use graph::Graph;
pub use hooks::{LeastBatch, Wanted};
pub use init::{Constant, Init, Values};
pub use model::{Entry, InputSpec, Model, NodeId, Role, Variable};
pub use node::{Axes, IntoNode, Node};
pub use op::{CustomOp, Grad, Grads, Kernel, Kind, OpDef, ShapeError};
pub use ops::Op;
pub use passes::fold::fold;
pub use profile::{KernelCost, Profile};
pub use program::{Engine, Halt, Memory, Mode, Request, RunError};
pub use state::State;
pub use window::{PoolAxis, Window};
