//! Dense connections, input and output side by side. Huang, Liu, van der Maaten & Weinberger 2017, arXiv:1608.06993.

use super::held::{self, Held, chain, joined_axis, misfit};
use super::{AnyLayer, Layer};
use crate::AnyInit;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// A dense connection, `x: [B, C, ..] -> [B, C + K, ..]`: the input and what its `layers` make of it, `K` channels, one after the other.
///
/// Several in a row are a DenseNet's block: each layer sees all before it. All sizes but the channels' must stay. Parameters stand
/// under `concat/…`.
///
/// ```toml
/// { concat = { layers = [ { batch_norm = {} }, { activation = "relu" }, { conv = { filters = 12, size = 3, padding = "same" } } ] } }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Concat {
    /// What makes the new channels.
    pub layers: Vec<AnyLayer>,
    /// The axis to join along; the channels' where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub axis: Option<isize>,
}

impl Concat {
    /// The input beside what these layers make of it.
    pub fn new(layers: impl IntoIterator<Item = AnyLayer>) -> Concat {
        Concat { layers: layers.into_iter().collect(), axis: None }
    }
}

impl Config for Concat {
    fn examples() -> Vec<Concat> {
        use super::{Activation, Dense};
        let tanh = Activation::new(crate::activations::Tanh);
        vec![Concat::new([Dense::new(3).tanh().into()]), Concat { layers: vec![tanh.into()], axis: Some(1) }]
    }
}

impl Layer for Concat {
    fn build(&self, x: &Node) -> Node {
        let y = chain(x, &self.layers);
        if y.is_poisoned() {
            return y;
        }
        let axis = match joined_axis(x, self.axis) {
            Ok(axis) => axis,
            Err(refused) => return refused,
        };
        if misfit(&[x.clone(), y.clone()], axis).is_some() {
            let expected = format!("layers that keep all sizes of the input {} but that of axis {axis}", x.shape());
            let help = "use `padding = \"same\"` and stride 1 in the layers, or correct `axis`";
            return x.graph().refuse("concat", ShapeError::new(expected, y.shape().to_string(), help));
        }
        let joined = Node::concat(&[x, &y], axis as isize);
        joined.inherit_masks(&[x.clone(), y]);
        joined
    }

    fn held(&self) -> Vec<Held<'_>> {
        vec![Held::plain(&self.layers)]
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        held::set_default_init(&mut self.layers, init);
    }

    fn check(&self) -> Result<(), ShapeError> {
        held::check_some(&self.layers)
    }
}
