//! One cycle: up, down, and far down at the end. Smith & Topin 2018.

use super::{Clock, Schedule, half_cosine};
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// One cycle over the whole run: from r₀/25 up to r₀ in the first 30 %, then down to r₀/25/10⁴, while the momentum goes the other way.
/// Smith & Topin 2018, arXiv:1708.07120. As OneCycleLR of PyTorch, whose `max_lr` is r₀ here.
///
/// `three_phase` is the paper's form: up, down again in the same time to where it started, then on to the last rate. The last value holds in
/// the last step.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OneCycle {
    /// The length of the cycle; the whole run where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<f64>,
    /// r₀ is divided by this at the start.
    pub start_factor: f64,
    /// And by this again at the end.
    pub end_factor: f64,
    /// The share of the rise.
    pub rise: f64,
    /// Straight lines or half cosines.
    pub anneal: Anneal,
    /// Down to the start, then on.
    pub three_phase: bool,
    /// Move the momentum (β₁ of Adam and its kin) too.
    pub cycle_momentum: bool,
    /// The momentum at the peak.
    pub low_momentum: f64,
    /// The momentum at start and end.
    pub high_momentum: f64,
}

/// The way between two rates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anneal {
    /// Half a cosine.
    #[default]
    Cosine,
    /// A straight line.
    Linear,
}

impl Default for OneCycle {
    fn default() -> OneCycle {
        OneCycle {
            length: None,
            start_factor: 25.0,
            end_factor: 1e4,
            rise: 0.3,
            anneal: Anneal::Cosine,
            three_phase: false,
            cycle_momentum: true,
            low_momentum: 0.85,
            high_momentum: 0.95,
        }
    }
}

impl Config for OneCycle {
    fn examples() -> Vec<OneCycle> {
        let default = OneCycle::default();
        vec![
            default,
            OneCycle { anneal: Anneal::Linear, three_phase: true, length: Some(4.0), ..default },
            OneCycle { start_factor: 10.0, end_factor: 100.0, rise: 0.2, cycle_momentum: false, ..default },
        ]
    }
}

impl OneCycle {
    /// Through these values: at the start, the peak, where the second phase ends, and the end.
    fn through(&self, clock: &Clock, [start, peak, back, end]: [f64; 4]) -> Node {
        // Each phase has its last value in its last step, not in the one after it.
        let (t, length, tick) = (clock.t(), clock.length(self.length), clock.tick());
        let at = |share: f64, ticks: f64| (&length * share - ticks * tick).maximum(1e-3 * tick);
        let (top, last) = (at(self.rise, 1.0), at(1.0, 1.0));
        let up = self.between(t / &top, start, peak);
        if !self.three_phase {
            let down = self.between((t - &top) / (last - &top), peak, end);
            return t.le(top).select(up, down);
        }
        let valley = at(2.0 * self.rise, 2.0);
        let down = self.between((t - &top) / (&valley - &top), peak, back);
        let out = self.between((t - &valley) / (last - &valley), back, end);
        t.le(top).select(up, t.le(valley).select(down, out))
    }

    fn between(&self, share: Node, from: f64, to: f64) -> Node {
        let share = share.clamp(0.0, 1.0);
        match self.anneal {
            Anneal::Cosine => to + (from - to) * half_cosine(share),
            Anneal::Linear => from + (to - from) * share,
        }
    }
}

impl Schedule for OneCycle {
    fn rate(&self, base: f64, clock: &Clock) -> Node {
        let start = base / self.start_factor;
        self.through(clock, [start, base, start, start / self.end_factor])
    }

    fn momentum(&self, clock: &Clock) -> Option<Node> {
        let (low, high) = (self.low_momentum, self.high_momentum);
        self.cycle_momentum.then(|| self.through(clock, [high, low, high, high]))
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.length.map_or(Ok(()), |length| check::positive("length", length))?;
        check::positive("start_factor", self.start_factor)?;
        check::positive("end_factor", self.end_factor)?;
        let most = if self.three_phase { 0.5 } else { 1.0 };
        check::within("rise", self.rise, f64::MIN_POSITIVE..most, &format!("above 0 and below {most}"))?;
        check::below_one("low_momentum", self.low_momentum)?;
        check::below_one("high_momentum", self.high_momentum)
    }
}
