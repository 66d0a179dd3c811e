//! The parts of the `gradus` command, as a library so that they can be tested one by one.
//!
//! | module | holds |
//! |---|---|
//! | [`recipe`] | recipes: reading, `--set`, checks, rendering |
//! | [`commands`] | the commands, one file each |
//! | [`checks`] | what `gradus check` finds out |
//! | [`compare`] | recipes side by side |
//! | [`materials`] | the data of a recipe, ready for training |
//! | [`layers`] | all layers of a recipe, those that others hold too, and how far each sees |
//! | [`network`] | from a recipe's layers to a model, and its layer table |
//! | [`onnx`] | networks from ONNX files |
//! | [`costs`], [`trace`] | what the kernels of a step cost; who did what when |
//! | [`session`] | a recipe's trainer, model files, judgements |
//! | [`run_folder`] | the folder of a run and its lock |
//! | [`results`] | what a report is made from |
//! | [`report`] | `report.html` and the tables at the end of a run |
//! | [`progress`], [`console`], [`signals`] | lines on the terminal, standard output, Ctrl-C |
//! | [`exported`], [`agreement`] | a network for other programs, and whether its file says the same |
//! | [`failure`] | errors and exit codes |

pub mod agreement;
pub mod checks;
pub mod commands;
pub mod compare;
pub mod console;
pub mod costs;
pub mod exported;
pub mod failure;
pub mod layers;
pub mod materials;
pub mod network;
pub mod onnx;
pub mod progress;
pub mod recipe;
pub mod report;
pub mod results;
pub mod run_folder;
pub mod session;
pub mod signals;
pub mod trace;
pub mod weights;
