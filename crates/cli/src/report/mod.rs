//! What a finished run looks like: one page for the browser, a few lines for the terminal.
//!
//! [`ReportData`] is plain data, filled by whoever ran the training; [`page`](fn@page) turns it into one self-contained HTML file
//! with no scripts and no links to anything outside it, [`terminal`] into short plain text. Read in this order:
//!
//! | module | holds |
//! |---|---|
//! | [`data`] | [`ReportData`] and its parts: all that a report is made from |
//! | [`mod@page`] | the page: header, figures, sections in their order |
//! | [`curves`] | loss and metrics over the epochs |
//! | [`confusion`] | confusion matrix, scores per class, most frequent mix-ups |
//! | [`regression`] | predicted against true values, residuals, the fitted curve over the data |
//! | [`regions`] | decision regions of a classifier of two features |
//! | [`mod@chart`] | lines as a picture of its own |
//! | [`mod@inspect`] | layers in small pictures |
//! | [`mod@contour`] | paths over a surface |
//! | [`mod@flame`], [`mod@roofline`] | where a step's time goes, and how near its kernels are to the machine's limits |
//! | [`tables`] | figures, layers, settings, environment |
//! | [`scale`], [`svg`] | the chart toolkit: scales, ticks, numbers in words; shapes, axes, lines, dots |
//! | [`comparison`] | recipes side by side: a page and a text of their own |
//! | [`terminal`] | summary and per-class tables in plain text, sparklines |

pub mod chart;
pub mod comparison;
pub mod confusion;
pub mod contour;
pub mod curves;
pub mod data;
pub mod flame;
pub mod inspect;
pub mod page;
pub mod regions;
pub mod regression;
pub mod roofline;
#[cfg(test)]
mod samples;
pub mod scale;
pub mod svg;
pub mod tables;
pub mod terminal;
#[cfg(test)]
mod tests;

pub use data::ReportData;
pub use page::page;
