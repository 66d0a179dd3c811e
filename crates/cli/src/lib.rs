//! The parts of the `gradus` command, as a library so that they can be tested one by one.
//!
//! | module | holds |
//! |---|---|
//! | [`report`] | `report.html` and the tables at the end of a run |

pub mod report;
