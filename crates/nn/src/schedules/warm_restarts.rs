//! Cosine with warm restarts (SGDR). Loshchilov & Hutter 2017.

use super::clock::CLOSE;
use super::{Clock, Schedule, half_cosine};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Cosine with warm restarts: from r₀ to `min` along half a cosine, again and again, each time `factor` times as long as before. Loshchilov &
/// Hutter 2017, arXiv:1608.03983. As CosineAnnealingWarmRestarts of PyTorch.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarmRestarts {
    /// T₀: the length of the first cycle.
    pub length: f64,
    /// By which each cycle is longer than the one before, at least 1.
    pub factor: f64,
    /// The lowest rate.
    pub min: f64,
}

impl Default for WarmRestarts {
    fn default() -> WarmRestarts {
        WarmRestarts { length: 10.0, factor: 1.0, min: 0.0 }
    }
}

impl Config for WarmRestarts {
    fn examples() -> Vec<WarmRestarts> {
        vec![WarmRestarts::default(), WarmRestarts { length: 1.0, factor: 2.0, min: 1e-4 }]
    }
}

impl Schedule for WarmRestarts {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let (t, first, factor) = (clock.t(), self.length, self.factor);
        let share = if factor == 1.0 {
            t / first - clock.times(first)
        } else {
            // After n cycles the time is first·(factorⁿ - 1)/(factor - 1).
            let cycles = ((t * ((factor - 1.0) / first) + 1.0).log() / factor.ln() + CLOSE).floor();
            let grown = clock.graph().scalar(factor).pow(cycles);
            (t - (&grown - 1.0) * (first / (factor - 1.0))) / (grown * first)
        };
        (base - self.min) * half_cosine(share.maximum(0.0)) + self.min
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("length", self.length)?;
        check::within("factor", self.factor, 1.0.., "of at least 1")?;
        check::not_negative("min", self.min)
    }
}
