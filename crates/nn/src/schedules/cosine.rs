//! Cosine decay. Loshchilov & Hutter 2017.

use super::{Clock, Schedule, half_cosine};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Cosine decay, `r₀·((1-alpha)·½(1 + cos(π·min(t, s)/s)) + alpha)`. Loshchilov & Hutter 2017, arXiv:1608.03983, without restarts. As
/// CosineDecay of Keras; PyTorch's CosineAnnealingLR goes on as a wave after s.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {
    /// s: after this time it stays; the whole run where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<f64>,
    /// The last rate as a share of r₀.
    pub alpha: f64,
}

impl Default for Cosine {
    fn default() -> Cosine {
        Cosine { length: None, alpha: 0.0 }
    }
}

impl Config for Cosine {
    fn examples() -> Vec<Cosine> {
        vec![Cosine::default(), Cosine { length: Some(4.0), alpha: 0.1 }]
    }
}

impl Schedule for Cosine {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let length = clock.length(self.length);
        let wave = half_cosine(clock.t().minimum(&length) / length);
        base * ((1.0 - self.alpha) * wave + self.alpha)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("alpha", self.alpha)?;
        self.length.map_or(Ok(()), |length| check::positive("length", length))
    }
}
