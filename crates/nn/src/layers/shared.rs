//! Layers whose parameters are shared by name.

use super::held::{self, Held, chain};
use super::{AnyLayer, Layer};
use crate::AnyInit;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Layers with parameters shared by name, `x: [B, ..] -> y` as the layers make it: wherever the same `name` occurs again in the network,
/// its parameters are those of the first use, and their gradients add up.
///
/// Each use lists its layers; they must need the same parameters, in the same order and of the same shapes, or an error says which do not
/// fit. Layers without parameters may differ. The parameters stand under the name itself, `encoder/dense/weight`, wherever the first use
/// is. A layer with running statistics (`batch_norm`) cannot be used twice in one step.
///
/// ```toml
/// { shared = { name = "encoder", layers = [ { dense = { units = 16, activation = "relu" } } ] } }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shared {
    /// The name that all uses have in common.
    pub name: String,
    /// The layers.
    pub layers: Vec<AnyLayer>,
}

impl Shared {
    /// These layers under a name.
    pub fn new(name: impl Into<String>, layers: impl IntoIterator<Item = AnyLayer>) -> Shared {
        Shared { name: name.into(), layers: layers.into_iter().collect() }
    }
}

impl Config for Shared {
    fn examples() -> Vec<Shared> {
        use super::Dense;
        vec![Shared::new("encoder", [Dense::new(4).tanh().into(), Dense::new(6).into()])]
    }
}

impl Layer for Shared {
    fn build(&self, x: &Node) -> Node {
        let graph = x.graph();
        if graph.is_sharing(&self.name) {
            let help = "give the inner one another name, or take it out";
            return graph
                .refuse("shared", ShapeError::new("a name that does not hold itself", self.name.clone(), help));
        }
        graph.shared(&self.name, || chain(x, &self.layers))
    }

    fn held(&self) -> Vec<Held<'_>> {
        vec![Held::plain(&self.layers)]
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        held::set_default_init(&mut self.layers, init);
    }

    fn check(&self) -> Result<(), ShapeError> {
        if self.name.is_empty() || self.name.contains(|c: char| c == '/' || c.is_whitespace()) {
            let help = "choose a name such as `encoder`";
            let expected = "`name` of letters, digits and underscores";
            return Err(ShapeError::new(expected, format!("{:?}", self.name), help));
        }
        held::check_some(&self.layers)
    }
}
