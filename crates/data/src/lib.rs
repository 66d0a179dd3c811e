//! From files to batches: readers, transforms, splits, checks and the loader.
//!
//! | read | for |
//! |---|---|
//! | [`dataset`] | [`Dataset`]: inputs and targets in memory, what everything else produces or consumes |
//! | [`schema`] | [`Schema`]: what a model must remember of its training data to read other data the same way |
//! | [`readers`] | [`Source`]: a recipe's `{ idx = {…} }`, `{ npz = {…} }`, `{ csv = {…} }`, `{ take = {…} }`, … and one file each |
//! | [`locator`] | [`Locator`]: where relative paths are looked for |
//! | [`transforms`] | [`Pipeline`]: min-max, z-score, robust, mean-absolute, unit norm, log1p, one-hot; fitted on the training data, applied anywhere |
//! | [`augment`] | [`Augment`]: flips, shifts and crops of training pictures, other ones in each epoch |
//! | [`text`] | texts to ids: tokens, vocabularies, word vectors |
//! | [`split`] | parts held out for validation and test, k folds; stratified, grouped |
//! | [`check`] | checks before training |
//! | [`audit`] | samples in two parts, features that never change or lack a scale |
//! | [`loader`] | [`Loader`]: shuffled batches, gathered ahead of training |
//! | [`known`] | data sets that are known by name, and how to get them |
//! | [`report`] | [`check_file`]: what any file holds |
//! | [`digest`] | SHA-256 of files |
//! | [`error`] | [`DataError`]: everything that can go wrong here |

pub mod audit;
pub mod augment;
pub mod check;
pub mod dataset;
pub mod digest;
pub mod error;
pub mod known;
pub mod loader;
pub mod locator;
mod named;
pub mod readers;
pub mod report;
pub mod schema;
pub mod split;
pub mod text;
pub mod transforms;

pub use augment::Augment;
pub use dataset::{Dataset, Target};
pub use error::DataError;
pub use loader::{Chunk, Loader, LoaderMode, LoaderOptions};
pub use locator::Locator;
pub use readers::{Source, Task};
pub use report::{ArrayReport, FileReport, check_file};
pub use schema::{Column, Encoding, Schema, TargetSchema};
pub use split::{Holdout, KFold, hold_out, k_fold};
pub use transforms::{FittedPipeline, FittedTransform, Pipeline, Transform};
