//! Normal, cut off at given distances from the mean.

use super::{Draw, Fans, Initialize};
use crate::check;
use crate::table::Config;
use gradus_graph::ShapeError;
use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

/// Normal, whatever the layer's size, without values beyond the bounds: no weight starts far from the others. The cut lowers the
/// standard deviation: at ±2 it is 0.8796·`std`.
///
/// The bounds are in standard deviations, as Keras' are; those of PyTorch's `trunc_normal_` are values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TruncatedNormal {
    /// The mean before the cut: 0.
    pub mean: f64,
    /// The standard deviation before the cut, above 0: 0.02, as BERT and ViT start. Keras' default is 0.05, PyTorch's 1.
    pub std: f64,
    /// The lower bound, in standard deviations from the mean: -2.
    pub low: f64,
    /// The upper bound, in standard deviations from the mean, above `low`: 2.
    pub high: f64,
}

impl Default for TruncatedNormal {
    fn default() -> TruncatedNormal {
        TruncatedNormal { mean: 0.0, std: 0.02, low: -2.0, high: 2.0 }
    }
}

impl Config for TruncatedNormal {
    fn examples() -> Vec<TruncatedNormal> {
        vec![TruncatedNormal::default(), TruncatedNormal { mean: 1.0, std: 0.5, low: 0.0, high: 3.0 }]
    }
}

impl Initialize for TruncatedNormal {
    fn draw(&self, _fans: Fans) -> Draw {
        Draw::TruncatedNormal { mean: self.mean, std: self.std, low: self.low, high: self.high }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::finite("mean", self.mean)?;
        check::positive("std", self.std)?;
        check::finite("low", self.low)?;
        check::finite("high", self.high)?;
        check::positive("high - low", self.high - self.low)
    }
}

/// A standard normal number between two bounds, by the rejection that suits them (Robert 1995): every try succeeds with a
/// probability of at least 0.4, however far out the bounds are.
pub(super) fn standard(low: f64, high: f64, rng: &mut Rng) -> f64 {
    if high <= 0.0 {
        return -standard(-high, -low, rng);
    }
    let wide = high - low > (2.0 * std::f64::consts::PI).sqrt();
    let peak = (low + (low * low + 4.0).sqrt()) / 2.0;
    loop {
        let (z, chance) = if low >= 0.0 {
            // From an exponential distribution that touches the normal one at its peak's abscissa.
            let z = low - (rng.uniform() * (-peak * (high - low)).exp_m1()).ln_1p() / peak;
            (z, (-(z - peak.min(high)) * (z + peak.min(high) - 2.0 * peak) / 2.0).exp())
        } else if wide {
            let z = rng.normal();
            (z, f64::from(u8::from((low..high).contains(&z))))
        } else {
            let z = low + (high - low) * rng.uniform();
            (z, (-z * z / 2.0).exp())
        };
        if rng.uniform() < chance {
            return z;
        }
    }
}
