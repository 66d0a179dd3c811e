//! Randomised leaky rectifier, `y = x` where x > 0, else `a·x` with random a. Xu et al. 2015, arXiv:1505.00853.

use super::Activate;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, Random, ShapeError};
use serde::{Deserialize, Serialize};

/// Randomised leaky rectifier, `y = x` where x > 0, else `a·x`; its derivative at 0 is a. When training, a is drawn from U(lower, upper)
/// anew for every element and step; when predicting it is the mean, `(lower + upper)/2`. Xu et al. 2015, arXiv:1505.00853.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rrelu {
    /// The smallest slope where x ≤ 0: 1/8 as in PyTorch. The paper divides by a number from U(3, 8).
    pub lower: f64,
    /// The largest slope where x ≤ 0, at least `lower`: 1/3 as in PyTorch.
    pub upper: f64,
}

impl Default for Rrelu {
    fn default() -> Rrelu {
        Rrelu { lower: 1.0 / 8.0, upper: 1.0 / 3.0 }
    }
}

impl Config for Rrelu {
    fn examples() -> Vec<Rrelu> {
        vec![Rrelu::default(), Rrelu { lower: 0.1, upper: 0.1 }]
    }
}

impl Activate for Rrelu {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        let mean = x.graph().fill(self.mean(), x.shape());
        let drawn = x.random(Random::Uniform) * (self.upper - self.lower) + self.lower;
        x.gt(0.0).select(x, x * drawn.when_training(&mean))
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(self.mean())
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::finite("lower", self.lower)?;
        check::finite("upper", self.upper)?;
        check::not_negative("upper - lower", self.upper - self.lower)
    }
}

impl Rrelu {
    /// The slope when predicting.
    fn mean(&self) -> f64 {
        (self.lower + self.upper) / 2.0
    }
}
