//! Dropout: when training, each value is 0 with a given probability. Srivastava et al. 2014.

use super::Layer;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, Random, ShapeError};
use serde::{Deserialize, Serialize};

/// Dropout, `x: [..] -> [..]`: when training, each value is dropped (set to 0) with probability `rate`, anew in every step.
///
/// The kept values are divided by `1 - rate`, so that nothing needs to be done when predicting (*inverted* dropout, as in PyTorch
/// and Keras). `classic` is the form of the paper: no scaling when training, `(1 - rate)·x` when predicting. Beware of texts that name
/// the probability to *keep*. The mask depends on (seed, path, step, element) alone, so the backward pass makes it again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dropout {
    /// The probability to drop, at least 0 and below 1.
    pub rate: f64,
    /// Scale when predicting instead of when training.
    pub classic: bool,
}

impl Dropout {
    /// Inverted dropout.
    pub fn new(rate: f64) -> Dropout {
        Dropout { rate, classic: false }
    }

    /// Scales when predicting instead of when training.
    pub fn classic(mut self) -> Dropout {
        self.classic = true;
        self
    }
}

impl Default for Dropout {
    /// Half of the values, as in the paper's hidden layers.
    fn default() -> Dropout {
        Dropout::new(0.5)
    }
}

impl Config for Dropout {
    fn examples() -> Vec<Dropout> {
        vec![Dropout::default(), Dropout::new(0.0), Dropout::new(0.1).classic()]
    }
}

impl Layer for Dropout {
    fn build(&self, x: &Node) -> Node {
        let keep = 1.0 - self.rate;
        if self.rate == 0.0 {
            return x.clone();
        }
        let mask = x.random(Random::Bernoulli(keep));
        if self.classic { (x * mask).when_training(&(x * keep)) } else { (x * (mask * (1.0 / keep))).when_training(x) }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::below_one("rate", self.rate)
    }
}
