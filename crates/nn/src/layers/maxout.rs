//! Maxout: the largest of several linear functions. Goodfellow et al. 2013, arXiv:1302.4389.

use super::Layer;
use crate::activations::Identity;
use crate::init::{Fans, Zero};
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, Role, ShapeError};
use gradus_tensor::Dim;
use serde::{Deserialize, Serialize};

/// Maxout, `x: [.., D] -> [.., units]`: each unit is the largest of `pieces` linear functions, `yᵢ = maxⱼ (x·Wᵢⱼ + bᵢⱼ)`.
///
/// A unit learns its own convex activation, and no unit is ever dead; it costs `pieces` times the weights of a dense layer. Made to go
/// with dropout. `weight: [D, pieces·units]` and `bias: [pieces·units]` hold piece after piece. Of equal pieces the first takes the
/// gradient.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Maxout {
    /// The number of outputs.
    pub units: usize,
    /// The number of linear functions of each output.
    #[serde(default = "two")]
    pub pieces: usize,
    /// How the weights start; each piece has the fans of a dense layer of its own.
    #[serde(default)]
    pub weight_init: AnyInit,
    /// How the biases start: at zero.
    #[serde(default = "zero")]
    pub bias_init: AnyInit,
}

fn two() -> usize {
    2
}

fn zero() -> AnyInit {
    Zero.into()
}

impl Maxout {
    /// So many outputs, each of so many pieces.
    pub fn new(units: usize, pieces: usize) -> Maxout {
        Maxout { units, pieces, weight_init: AnyInit::default(), bias_init: zero() }
    }
}

impl Config for Maxout {
    fn examples() -> Vec<Maxout> {
        use crate::init::Normal;
        vec![Maxout::new(3, 2), Maxout { weight_init: Normal::default().into(), ..Maxout::new(4, 5) }]
    }
}

impl Layer for Maxout {
    fn build(&self, x: &Node) -> Node {
        let shape = x.shape();
        let Some(inputs) = shape.dims().last().filter(|_| shape.rank() > 1).and_then(|d| d.fixed()) else {
            let help = "give the input a feature axis: [1] for a single number";
            return x.graph().refuse("maxout", ShapeError::new("rows of features, [.., D]", shape.to_string(), help));
        };
        let fans = Fans { inputs, outputs: self.units };
        let width = self.units * self.pieces;
        let init = self.weight_init.resolve(&AnyActivation::from(Identity));
        let weight = x.param("weight", [inputs, width], init.with(fans), Role::Weight);
        let y = x.matmul(&weight) + x.param("bias", [width], self.bias_init.with(fans), Role::Bias);
        let leading = &shape.dims()[..shape.rank() - 1];
        let pieces = y.reshape([leading, &[Dim::Fixed(self.pieces), Dim::Fixed(self.units)]].concat());
        pieces.max(-2).squeeze(-2)
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("units", self.units)?;
        check::at_least_one("pieces", self.pieces)?;
        self.weight_init.check()?;
        self.bias_init.check()
    }
}
