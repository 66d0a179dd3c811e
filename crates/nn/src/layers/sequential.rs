//! Layers one after the other.

use super::{AnyLayer, Layer, apply};
use crate::AnyInit;
use gradus_graph::{Node, ShapeError};

/// Layers one after the other. It has no scope of its own unless it is given a name.
///
/// ```
/// use gradus_graph::Graph;
/// use gradus_nn::{LayerExt, layers::*, seq};
/// let g = Graph::new();
/// let x = g.input("x", [8, 8]);
/// let y = x.layer(seq![Flatten, Dense::new(32).relu()]).layer(seq![Dense::new(10)].named("head"));
/// let paths: Vec<String> = g.variables().into_iter().map(|v| v.path).collect();
/// assert_eq!(paths, ["dense/weight", "dense/bias", "head/dense/weight", "head/dense/bias"]);
/// ```
#[derive(Default)]
pub struct Sequential {
    layers: Vec<Box<dyn Layer>>,
    name: Option<String>,
}

/// A [`Sequential`](crate::Sequential) of these layers.
#[macro_export]
macro_rules! seq {
    ($($layer:expr),* $(,)?) => { $crate::Sequential::new()$(.then($layer))* };
}

impl Sequential {
    /// No layers yet.
    pub fn new() -> Sequential {
        Sequential::default()
    }

    /// One more layer at the end.
    pub fn then(mut self, layer: impl Layer + 'static) -> Sequential {
        self.layers.push(Box::new(layer));
        self
    }

    /// Puts the layers' parameters under a name: `block1/dense/weight`.
    pub fn named(mut self, name: impl Into<String>) -> Sequential {
        self.name = Some(name.into());
        self
    }
}

impl FromIterator<AnyLayer> for Sequential {
    fn from_iter<I: IntoIterator<Item = AnyLayer>>(layers: I) -> Sequential {
        layers.into_iter().fold(Sequential::new(), Sequential::then)
    }
}

impl Layer for Sequential {
    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| "sequential".into())
    }

    fn build(&self, x: &Node) -> Node {
        if self.layers.is_empty() {
            return apply(x, &Sequential::new());
        }
        self.layers.iter().fold(x.clone(), |x, layer| apply(&x, layer))
    }

    fn parts(&self) -> Option<&[Box<dyn Layer>]> {
        self.name.is_none().then_some(&self.layers)
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        self.layers.iter_mut().for_each(|layer| layer.set_default_init(init));
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.layers.iter().try_for_each(Layer::check)
    }
}
