//! Positions as sines and cosines. Vaswani et al. 2017, arXiv:1706.03762, section 3.5.

use super::Layer;
use super::sequence::Steps;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, Role, ShapeError, Values};
use serde::{Deserialize, Serialize};

/// Adds each step's position to it, `x: [B, T, D] -> [B, T, D]`: `sin(t/base^(2i/D))` to feature 2i and `cos(t/base^(2i/D))` to feature
/// 2i+1, with t from 0. Nothing is learned, and any length will do.
///
/// Attention does not see the order of steps; this tells it. The paper multiplies the word vectors by √D before, so that they stand out
/// against the positions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SinusoidalPositions {
    /// The longest wavelength over 2π.
    pub base: f64,
}

impl Default for SinusoidalPositions {
    fn default() -> SinusoidalPositions {
        SinusoidalPositions { base: 1e4 }
    }
}

impl Config for SinusoidalPositions {
    fn examples() -> Vec<SinusoidalPositions> {
        vec![SinusoidalPositions::default(), SinusoidalPositions { base: 100.0 }]
    }
}

impl Layer for SinusoidalPositions {
    fn build(&self, x: &Node) -> Node {
        let steps = match Steps::of(x, "sinusoidal_positions") {
            Ok(steps) => steps,
            Err(refused) => return refused,
        };
        let at = |t: usize, d: usize| {
            let angle = t as f64 / self.base.powf((d - d % 2) as f64 / steps.units as f64);
            if d.is_multiple_of(2) { angle.sin() } else { angle.cos() }
        };
        let values = (0..steps.length).flat_map(|t| (0..steps.units).map(move |d| at(t, d))).collect();
        x + x.param("table", [steps.length, steps.units], Values(values), Role::Frozen)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("base", self.base)
    }
}
