//! LeCun initialisation: the spread that keeps signals even through linear and self-normalising layers.

use super::{Distribution, Draw, Fans, Initialize};
use crate::check;
use crate::table::Config;
use gradus_graph::ShapeError;
use serde::{Deserialize, Serialize};

/// Standard deviation `gain·√(1/n_in)`; uniform: `±gain·√(3/n_in)`. LeCun et al. 1998, "Efficient backprop"; Klambauer et al. 2017 for
/// [`Selu`](crate::activations::Selu), before which normal weights start so by default.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lecun {
    /// `uniform`, `normal` or `truncated`. Uniform; Keras' `lecun_normal` is our `truncated`.
    pub distribution: Distribution,
    /// A factor on the spread, above 0: 1.
    pub gain: f64,
}

impl Default for Lecun {
    fn default() -> Lecun {
        Lecun { distribution: Distribution::Uniform, gain: 1.0 }
    }
}

impl Config for Lecun {
    fn examples() -> Vec<Lecun> {
        vec![Lecun::default(), Lecun { distribution: Distribution::Normal, gain: 2.0 }]
    }
}

impl Initialize for Lecun {
    fn draw(&self, fans: Fans) -> Draw {
        self.distribution.of(self.gain / (fans.inputs as f64).sqrt())
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("gain", self.gain)
    }
}
