//! An activation as a layer of its own.

use super::Layer;
use crate::AnyActivation;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Serialize};

/// An activation as a layer of its own, `x: [..] -> [..]`. In a recipe: `{ activation = "relu" }`.
///
/// Where it follows a [`Dense`](super::Dense) layer, say it there: the weights then start with the spread that suits it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Activation(pub AnyActivation);

impl Activation {
    /// This activation.
    pub fn new(activation: impl Into<AnyActivation>) -> Activation {
        Activation(activation.into())
    }
}

impl Config for Activation {
    fn examples() -> Vec<Activation> {
        AnyActivation::examples().into_iter().map(Activation).collect()
    }

    fn from_name<E: serde::de::Error>(name: &str) -> Result<Activation, E> {
        AnyActivation::deserialize(name.into_deserializer()).map(Activation)
    }
}

impl Layer for Activation {
    fn build(&self, x: &Node) -> Node {
        self.0.activate(x)
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.0.check()
    }
}
