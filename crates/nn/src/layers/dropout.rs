//! Dropout: when training, each value is 0 with a given probability. Srivastava et al. 2014; whole channels: Tompson et al. 2015.

use super::Layer;
use super::axes::channel_axis;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, Random, ShapeError};
use gradus_tensor::Dim;
use serde::{Deserialize, Serialize};

/// Dropout, `x: [..] -> [..]`: when training, each value is dropped (set to 0) with probability `rate`, anew in every step.
///
/// The kept values are divided by `1 - rate`, so that nothing needs to be done when predicting (*inverted* dropout, as in PyTorch
/// and Keras). `classic` is the form of the paper: no scaling when training, `(1 - rate)·x` when predicting. Beware of texts that name
/// the probability to *keep*. The mask depends on (seed, path, step, element) alone, so the backward pass makes it again.
///
/// Dropout on the inputs is this layer placed first (usual rates: 0.2 there, 0.5 before dense layers).
///
/// `per = "channel"` drops whole channels of a sample together (*spatial* dropout), since neighbours in space or time say nearly the
/// same and dropping one of them hides nothing. The channels are axis 1 of images `[B, C, H, W]` (PyTorch's `Dropout2d`) and the last
/// axis of sequences `[B, T, C]` (Keras' `SpatialDropout1D`; PyTorch's `Dropout1d` wants `[B, C, T]`), or what `axis` says.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Dropout {
    /// The probability to drop, at least 0 and below 1.
    pub rate: f64,
    /// Scale when predicting instead of when training.
    pub classic: bool,
    /// What is dropped together.
    pub per: Per,
    /// The axis of the channels, for `per = "channel"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis: Option<isize>,
}

/// What dropout drops together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Each value by itself.
    #[default]
    Element,
    /// All values of a sample's channel.
    Channel,
}

impl Dropout {
    /// Inverted dropout.
    pub fn new(rate: f64) -> Dropout {
        Dropout { rate, classic: false, per: Per::Element, axis: None }
    }

    /// Scales when predicting instead of when training.
    pub fn classic(mut self) -> Dropout {
        self.classic = true;
        self
    }

    /// Drops whole channels.
    pub fn per_channel(mut self) -> Dropout {
        self.per = Per::Channel;
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
        vec![
            Dropout::default(),
            Dropout::new(0.0),
            Dropout::new(0.1).classic(),
            Dropout::new(0.2).per_channel(),
            Dropout { axis: Some(1), ..Dropout::new(0.2).per_channel().classic() },
        ]
    }

    fn from_number(rate: f64) -> Result<Dropout, String> {
        Ok(Dropout::new(rate))
    }
}

impl Layer for Dropout {
    fn build(&self, x: &Node) -> Node {
        let mut dims = x.shape().dims().to_vec();
        if self.per == Per::Channel {
            let axis = match channel_axis(x, self.axis) {
                Ok((axis, _)) => axis,
                Err(refused) => return refused,
            };
            dims.iter_mut()
                .enumerate()
                .filter(|(a, _)| *a != 0 && *a != axis)
                .for_each(|(_, dim)| *dim = Dim::Fixed(1));
        }
        if self.rate == 0.0 {
            return x.clone();
        }
        let keep = 1.0 - self.rate;
        let mask = x.graph().random(Random::Bernoulli(keep), dims);
        if self.classic { (x * mask).when_training(&(x * keep)) } else { (x * (mask * (1.0 / keep))).when_training(x) }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::below_one("rate", self.rate)?;
        match (self.per, self.axis) {
            (Per::Element, Some(axis)) => {
                let help = "set `per = \"channel\"`, or leave `axis` out";
                Err(ShapeError::new("no `axis` where each element is dropped by itself", axis.to_string(), help))
            }
            _ => Ok(()),
        }
    }
}
