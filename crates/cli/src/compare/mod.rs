//! Comparing recipes: the same data, the same seeds, one report.
//!
//! | read | for |
//! |---|---|
//! | [`entry`] | the recipes and variants that take part, and what must agree between them |
//! | [`queue`] | their runs, side by side on all cores |
//! | [`run`] | one run, and what is kept of it |
//! | [`summary`] | means, tests, budgets: what the report says |
//! | [`differences`] | which settings differ between two recipes |
//! | [`results`] | `results.json` |

pub mod differences;
pub mod entry;
pub mod queue;
pub mod results;
pub mod run;
pub mod summary;

pub use entry::Entry;
pub use run::{Done, End, Finished};
