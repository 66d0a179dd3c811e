//! A network known by name as a layer.

use super::Layer;
use super::held::{Held, chain};
use crate::models::AnyModel;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::de::IntoDeserializer as _;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A network known by name, `x -> y` as its layers make it. In a recipe: `{ network = { resnet = { depth = 8 } } }`.
///
/// It may stand among other layers. `gradus explain models` lists the networks, `gradus describe` shows the layers they are made of.
/// Parameters stand under `network/…`; how weights start is the network's own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Network(pub AnyModel);

impl Network {
    /// This network.
    pub fn new(model: impl Into<AnyModel>) -> Network {
        Network(model.into())
    }
}

impl Config for Network {
    fn examples() -> Vec<Network> {
        AnyModel::examples().into_iter().map(Network).collect()
    }

    fn from_name<E: serde::de::Error>(name: &str) -> Result<Network, E> {
        AnyModel::deserialize(name.into_deserializer()).map(Network)
    }
}

impl Layer for Network {
    fn build(&self, x: &Node) -> Node {
        match self.0.check_input(&x.shape()) {
            Ok(()) => chain(x, &self.0.layers()),
            Err(error) => x.graph().refuse("network", error),
        }
    }

    fn held(&self) -> Vec<Held<'_>> {
        vec![Held { setting: String::new(), scope: None, layers: Cow::Owned(self.0.layers()), times: 1 }]
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.0.check()
    }
}
