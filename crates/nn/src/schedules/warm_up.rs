//! A rise before any other schedule. Goyal et al. 2017.

use super::{AnySchedule, Clock, Plateau, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// The rate rises along a line from `start·r₀` for the first `length`, then another schedule begins: `warm_up = { length = 2, then = { cosine = {} } }`.
/// Goyal et al. 2017, arXiv:1706.02677.
///
/// Time is counted from 1 in the rise, so that even from `start` 0 the first step moves; the schedule after it counts from 0 where the rise ends,
/// and what lasts the whole run lasts what is left of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WarmUp {
    /// How long the rate rises.
    pub length: f64,
    /// The share of r₀ that it rises from.
    pub start: f64,
    /// What comes after.
    pub then: Box<AnySchedule>,
}

impl Default for WarmUp {
    fn default() -> WarmUp {
        WarmUp { length: 1.0, start: 0.0, then: Box::default() }
    }
}

impl Config for WarmUp {
    fn examples() -> Vec<WarmUp> {
        let then = Box::new(super::Cosine::default().into());
        vec![WarmUp::default(), WarmUp { length: 0.5, start: 0.1, then }]
    }
}

impl WarmUp {
    /// `rising` for the first part, then `after`.
    fn join(&self, clock: &Clock, rising: Node, after: Node) -> Node {
        clock.reached(self.length).select(after, rising)
    }
}

impl Schedule for WarmUp {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let share = (clock.t_from_1() / self.length).minimum(1.0);
        let rising = base * (self.start + (1.0 - self.start) * share);
        self.join(clock, rising, self.then.rate(base, &clock.after(self.length)))
    }

    /// In the rise it is what it is at the start of what comes after.
    fn momentum(&self, clock: &Clock) -> Option<Node> {
        self.then.momentum(&clock.after(self.length))
    }

    fn plateau(&self) -> Option<&Plateau> {
        self.then.plateau()
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("length", self.length)?;
        check::within("start", self.start, 0.0..=1.0, "of at least 0 and at most 1")?;
        self.then.check()
    }
}
