//! MSRA (He) initialisation: the spread that keeps signals even through rectifiers.

use super::{Distribution, Draw, Fans, Initialize};
use crate::check;
use crate::table::Config;
use gradus_graph::ShapeError;
use serde::{Deserialize, Serialize};

/// Standard deviation `√(u/n_in)` with `u = 2/(1 + slope²)`; uniform: `±√(3u/n_in)`. He et al. 2015, arXiv:1502.01852.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Msra {
    /// `uniform`, `normal` or `truncated`. Uniform; the paper has normal; Keras' `he_normal` is our `truncated`.
    pub distribution: Distribution,
    /// The slope of the rectifier on its negative side: 0, for ReLU. By default a layer that is followed by another takes its slope.
    pub slope: f64,
    /// A further factor on the spread, above 0: 1.
    pub gain: f64,
}

impl Default for Msra {
    fn default() -> Msra {
        Msra { distribution: Distribution::Uniform, slope: 0.0, gain: 1.0 }
    }
}

impl Config for Msra {
    fn examples() -> Vec<Msra> {
        vec![Msra::default(), Msra { distribution: Distribution::Normal, slope: 0.2, gain: 0.5 }]
    }
}

impl Initialize for Msra {
    fn draw(&self, fans: Fans) -> Draw {
        let u = 2.0 / (1.0 + self.slope * self.slope);
        self.distribution.of(self.gain * (u / fans.inputs as f64).sqrt())
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::finite("slope", self.slope)?;
        check::positive("gain", self.gain)
    }
}
