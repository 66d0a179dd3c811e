//! A fully connected layer, `y = activation(x·W + b)`.

use super::Layer;
use crate::activations::{Elu, Gelu, LeakyRelu, Relu, Selu, Sigmoid, Silu, Softmax, Tanh};
use crate::init::{Fans, Zero};
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, Role, ShapeError};
use serde::{Deserialize, Serialize};

/// A fully connected layer, `x: [.., D] -> [.., units]`, `y = activation(x·W + b)` with `weight: [D, units]` and `bias: [units]`.
///
/// PyTorch keeps the transposed matrix `[units, D]`; Keras the same as here.
///
/// ```
/// use gradus_nn::layers::Dense;
/// let layer: Dense = toml::from_str("units = 128\nactivation = 'relu'")?;
/// assert_eq!(layer, Dense::new(128).relu());
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// The number of outputs.
    pub units: usize,
    /// The function applied to them; the identity where none is named.
    #[serde(default)]
    pub activation: AnyActivation,
    /// Whether a bias is added.
    #[serde(default = "yes")]
    pub bias: bool,
    /// How the weights start.
    #[serde(default)]
    pub weight_init: AnyInit,
    /// How the biases start: at zero.
    #[serde(default = "zero")]
    pub bias_init: AnyInit,
}

fn yes() -> bool {
    true
}

fn zero() -> AnyInit {
    Zero.into()
}

impl Dense {
    /// A linear layer with bias.
    pub fn new(units: usize) -> Dense {
        Dense {
            units,
            activation: AnyActivation::default(),
            bias: true,
            weight_init: AnyInit::default(),
            bias_init: zero(),
        }
    }

    /// With an activation.
    pub fn activation(mut self, activation: impl Into<AnyActivation>) -> Dense {
        self.activation = activation.into();
        self
    }

    /// With max(x, 0).
    pub fn relu(self) -> Dense {
        self.activation(Relu)
    }

    /// With x where x > 0, else slope·x.
    pub fn leaky_relu(self, slope: f64) -> Dense {
        self.activation(LeakyRelu { slope })
    }

    /// With x where x > 0, else eˣ - 1.
    pub fn elu(self) -> Dense {
        self.activation(Elu::default())
    }

    /// With the scaled exponential linear unit.
    pub fn selu(self) -> Dense {
        self.activation(Selu)
    }

    /// With x·Φ(x), exactly.
    pub fn gelu(self) -> Dense {
        self.activation(Gelu::default())
    }

    /// With x·σ(x).
    pub fn silu(self) -> Dense {
        self.activation(Silu)
    }

    /// With 1/(1 + e⁻ˣ).
    pub fn sigmoid(self) -> Dense {
        self.activation(Sigmoid)
    }

    /// With the hyperbolic tangent.
    pub fn tanh(self) -> Dense {
        self.activation(Tanh)
    }

    /// With softmax over the units.
    pub fn softmax(self) -> Dense {
        self.activation(Softmax::default())
    }

    /// Without a bias.
    pub fn no_bias(mut self) -> Dense {
        self.bias = false;
        self
    }

    /// With weights that start by this rule.
    pub fn weight_init(mut self, init: impl Into<AnyInit>) -> Dense {
        self.weight_init = init.into();
        self
    }

    /// With biases that start by this rule.
    pub fn bias_init(mut self, init: impl Into<AnyInit>) -> Dense {
        self.bias_init = init.into();
        self
    }
}

impl Config for Dense {
    fn examples() -> Vec<Dense> {
        use crate::init::{Constant, Normal};
        vec![
            Dense::new(3),
            Dense::new(5).relu(),
            Dense::new(2).leaky_relu(0.1).weight_init(Normal::default()).bias_init(Constant { value: 0.5 }),
            Dense::new(4).no_bias().softmax(),
        ]
    }
}

impl Layer for Dense {
    fn build(&self, x: &Node) -> Node {
        let shape = x.shape();
        let Some(inputs) = shape.dims().last().filter(|_| shape.rank() > 1).and_then(|d| d.fixed()) else {
            let help = "give the input a feature axis: [1] for a single number";
            return x.graph().refuse("dense", ShapeError::new("rows of features, [.., D]", shape.to_string(), help));
        };
        let fans = Fans { inputs, outputs: self.units };
        let init = self.weight_init.resolve(&self.activation);
        let y = x.matmul(&x.param("weight", [inputs, self.units], init.with(fans), Role::Weight));
        let y = if self.bias { y + x.param("bias", [self.units], self.bias_init.with(fans), Role::Bias) } else { y };
        self.activation.activate(&y)
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("units", self.units)?;
        self.activation.check()?;
        self.weight_init.check()?;
        self.bias_init.check()
    }
}
