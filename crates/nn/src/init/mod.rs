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
    /// How the values are drawn.
    fn draw(&self, fans: Fans) -> Draw;

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

/// The distribution of a parameter's values: of each one, but for the last.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Draw {
    /// Always this number.
    Constant(f64),
    /// Uniform in [low, high).
    Uniform(f64, f64),
    /// Normal with this mean and standard deviation.
    Normal(f64, f64),
    /// Normal, without values beyond the bounds.
    TruncatedNormal {
        /// The mean before the cut.
        mean: f64,
        /// The standard deviation before the cut.
        std: f64,
        /// The lower bound, in standard deviations from the mean.
        low: f64,
        /// The upper bound, in standard deviations from the mean.
        high: f64,
    },
    /// All values together a matrix with orthogonal rows or columns of this length: see [`Orthogonal`].
    Orthogonal {
        /// The length.
        gain: f64,
    },
}

impl Draw {
    /// First values of a parameter of this shape.
    pub fn values(self, shape: &[usize], rng: &mut Rng) -> Vec<f64> {
        let len = shape.iter().product();
        match self {
            Draw::Constant(value) => vec![value; len],
            Draw::Uniform(low, high) => (0..len).map(|_| low + (high - low) * rng.uniform()).collect(),
            Draw::Normal(mean, std) => (0..len).map(|_| mean + std * rng.normal()).collect(),
            Draw::TruncatedNormal { mean, std, low, high } => {
                (0..len).map(|_| mean + std * truncated_normal::standard(low, high, rng)).collect()
            }
            Draw::Orthogonal { gain } => {
                let rows = shape.first().copied().unwrap_or(1);
                let matrix = orthogonal::matrix(rows, shape.iter().skip(1).product(), rng);
                matrix.into_iter().map(|x| gain * x).collect()
            }
        }
    }
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
    /// The bell curve without what is beyond twice its standard deviation, widened so that the standard deviation after the cut is what
    /// the rule says. Keras draws so what it calls normal in these rules.
    Truncated,
}

/// The standard deviation of a standard normal number that is cut off at ±2.
const TRUNCATED_STD: f64 = 0.879_625_661_034_239_8;

impl Distribution {
    /// The distribution of mean 0 with this standard deviation.
    pub(crate) fn of(self, std: f64) -> Draw {
        match self {
            Distribution::Normal => Draw::Normal(0.0, std),
            Distribution::Uniform => Draw::Uniform(-std * 3f64.sqrt(), std * 3f64.sqrt()),
            Distribution::Truncated => {
                Draw::TruncatedNormal { mean: 0.0, std: std / TRUNCATED_STD, low: -2.0, high: 2.0 }
            }
        }
    }
}

table! {
    /// Any initialisation.
    pub enum AnyInit: Initialize, "an initialisation" {
        auto::Auto, zero::Zero, constant::Constant, uniform::Uniform, normal::Normal, truncated_normal::TruncatedNormal,
        xavier::Xavier, msra::Msra, lecun::Lecun, fan_in::FanIn, orthogonal::Orthogonal,
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

    /// Itself, or for [`Auto`] the rule that suits the activation after the weight:
    /// [`Activate::weight_init`](crate::activations::Activate::weight_init).
    pub fn resolve(&self, activation: &crate::AnyActivation) -> AnyInit {
        if matches!(self, AnyInit::Auto(_)) { activation.weight_init() } else { self.clone() }
    }
}

#[derive(Debug)]
struct Drawn(Draw);

impl Init for Drawn {
    fn values(&self, shape: &[usize], rng: &mut Rng) -> Vec<f64> {
        self.0.values(shape, rng)
    }
}
