//! Warm-up, then the inverse square root. Vaswani et al. 2017.

use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Warm-up and inverse square root: `r₀·t/w`, then `r₀·√w/√t`, t from 1. Vaswani et al. 2017, arXiv:1706.03762 (equation 3), where
/// `r₀ = 1/√(d·w)` for a model of width d.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct InverseRoot {
    /// w: the length of the rise.
    pub warm_up: f64,
}

impl Default for InverseRoot {
    fn default() -> InverseRoot {
        InverseRoot { warm_up: 1.0 }
    }
}

impl Config for InverseRoot {
    fn examples() -> Vec<InverseRoot> {
        vec![InverseRoot::default(), InverseRoot { warm_up: 4.0 }]
    }
}

impl Schedule for InverseRoot {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let t = clock.t_from_1();
        base * (&t / self.warm_up).minimum((self.warm_up / t).sqrt())
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("warm_up", self.warm_up)
    }
}
