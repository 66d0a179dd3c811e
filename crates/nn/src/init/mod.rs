//! How parameters start.
//!
//! In a recipe: `weight_init = "xavier"`, or with settings `weight_init = { msra = { distribution = "normal" } }`. All but the
//! plainest rules depend on how many values flow into an output (fan-in) and how many outputs a value flows into (fan-out).

use gradus_graph::{Init, ShapeError};
use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};

/// How many values meet in a weight's outputs, and how many outputs a value reaches.
///
/// A dense layer has its inputs and its units. A convolution has receptive field × input channels / groups and receptive field ×
/// output channels / groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fans {
    /// n_in
    pub inputs: usize,
    /// n_out
    pub outputs: usize,
}

/// A rule for first values that may depend on the fans.
pub trait Initialize {
    /// How one value is drawn.
    fn draw(&self, fans: Fans) -> Draw;

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

/// The distribution of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// Always this number.
    Constant(f64),
    /// Uniform in [low, high).
    Uniform(f64, f64),
    /// Normal with this mean and standard deviation.
    Normal(f64, f64),
}

/// The kind of distribution, where a rule fixes its spread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distribution {
    /// Every value in an interval is equally likely.
    #[default]
    Uniform,
    /// The bell curve.
    Normal,
}

impl Distribution {
    /// The distribution of mean 0 with this standard deviation.
    pub(crate) fn of(self, std: f64) -> Draw {
        match self {
            Distribution::Normal => Draw::Normal(0.0, std),
            Distribution::Uniform => Draw::Uniform(-std * 3f64.sqrt(), std * 3f64.sqrt()),
        }
    }
}

table! {
    /// Any initialisation.
    pub enum AnyInit: Initialize, "an initialisation" {
        auto::Auto, zero::Zero, constant::Constant, uniform::Uniform, normal::Normal, xavier::Xavier, msra::Msra, fan_in::FanIn,
    }
}

impl Default for AnyInit {
    /// [`Auto`].
    fn default() -> AnyInit {
        Auto.into()
    }
}

impl AnyInit {
    /// The rule for a parameter with these fans, ready for [`Graph::variable`](gradus_graph::Graph::variable).
    ///
    /// ```
    /// use gradus_graph::{Graph, Role};
    /// use gradus_nn::{AnyInit, init::{Fans, Msra}};
    /// let init = AnyInit::from(Msra::default());
    /// let kernel = Graph::new().variable("kernel", [8, 3, 3, 3], init.with(Fans { inputs: 27, outputs: 72 }), Role::Weight);
    /// ```
    pub fn with(&self, fans: Fans) -> impl Init {
        Drawn(self.draw(fans))
    }

    /// Itself, or for [`Auto`] the rule that suits the activation after the weight: MSRA for one like ReLU (with its slope), else
    /// Xavier, both uniform.
    pub fn resolve(&self, activation: &crate::AnyActivation) -> AnyInit {
        match (self, activation.rectifier_slope()) {
            (AnyInit::Auto(_), Some(slope)) => Msra { slope, ..Msra::default() }.into(),
            (AnyInit::Auto(_), None) => Xavier::default().into(),
            (given, _) => given.clone(),
        }
    }
}

#[derive(Debug)]
struct Drawn(Draw);

impl Init for Drawn {
    fn values(&self, shape: &[usize], rng: &mut Rng) -> Vec<f64> {
        let len = shape.iter().product();
        match self.0 {
            Draw::Constant(value) => vec![value; len],
            Draw::Uniform(low, high) => (0..len).map(|_| low + (high - low) * rng.uniform()).collect(),
            Draw::Normal(mean, std) => (0..len).map(|_| mean + std * rng.normal()).collect(),
        }
    }
}
