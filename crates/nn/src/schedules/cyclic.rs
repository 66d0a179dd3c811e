//! Cyclical learning rates. Smith 2017.

use super::{Clock, Schedule};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Triangles between a low rate and r₀, the high one. Smith 2017, arXiv:1506.01186. As CyclicLR of PyTorch, whose `max_lr` is r₀ here.
///
/// With the number of the cycle `c = ⌊1 + t/2h⌋` and `x = |t/h - 2c + 1|` the rate is `low + (r₀ - low)·max(0, 1-x)·f`. The half-cycle h is
/// some 2 to 10 epochs; end a run at the end of a cycle, where the rate is low.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cyclic {
    /// h: how long the rate rises, and then falls.
    pub half_cycle: f64,
    /// The low rate as a share of r₀: a quarter or a third.
    pub low: f64,
    /// What becomes of the height of the triangles.
    pub mode: Mode,
    /// γ of `exp_range`.
    pub gamma: f64,
}

/// What becomes of the height of the triangles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// It stays: f = 1.
    #[default]
    Triangular,
    /// It is halved with each cycle: `f = 2^(1-c)`.
    Triangular2,
    /// It falls all the time: `f = γᵗ`.
    ExpRange,
}

impl Default for Cyclic {
    fn default() -> Cyclic {
        Cyclic { half_cycle: 4.0, low: 0.25, mode: Mode::Triangular, gamma: 1.0 }
    }
}

impl Config for Cyclic {
    fn examples() -> Vec<Cyclic> {
        let default = Cyclic::default();
        vec![
            default,
            Cyclic { half_cycle: 2.0, mode: Mode::Triangular2, ..default },
            Cyclic { mode: Mode::ExpRange, gamma: 0.9, low: 0.1, ..default },
        ]
    }
}

impl Schedule for Cyclic {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let cycle = clock.times(2.0 * self.half_cycle) + 1.0;
        let x = (clock.t() / self.half_cycle - 2.0 * &cycle + 1.0).abs();
        let height = match self.mode {
            Mode::Triangular => clock.graph().scalar(1.0),
            Mode::Triangular2 => clock.graph().scalar(2.0).pow(1.0 - cycle),
            Mode::ExpRange => clock.graph().scalar(self.gamma).pow(clock.t()),
        };
        base * self.low + base * (1.0 - self.low) * (1.0 - x).maximum(0.0) * height
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("half_cycle", self.half_cycle)?;
        check::within("low", self.low, 0.0..=1.0, "of at least 0 and at most 1")?;
        check::positive("gamma", self.gamma)
    }
}
