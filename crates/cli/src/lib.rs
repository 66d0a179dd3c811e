//! The parts of the `gradus` command, as a library so that they can be tested one by one.
//!
//! | module | holds |
//! |---|---|
//! | [`recipe`] | recipes: reading, `--set`, checks, rendering |
//! | [`report`] | `report.html` and the tables at the end of a run |

pub mod recipe;
pub mod report;
