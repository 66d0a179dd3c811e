//! Residual connections, `y = activation(F(x) + x)`. He, Zhang, Ren & Sun 2016, arXiv:1512.03385.

use super::held::{self, Held, chain, projection};
use super::{AnyLayer, Layer};
use crate::table::Config;
use crate::{AnyActivation, AnyInit};
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// A residual connection, `x: [B, ..] -> y` as its `layers` make it: `y = activation(layers(x) + x)`, or `layers(x) + shortcut(x)`.
///
/// Both ends must have one shape. Where the layers change the size or the channels, `shortcut` brings the input there: a convolution
/// of size 1 with their stride, or a dense layer for rows of features. Parameters stand under `residual/…` and `residual/shortcut/…`.
///
/// ```toml
/// { residual = { activation = "relu", layers = [
///     { conv = { filters = 16, size = 3, padding = "same", bias = false } }, { batch_norm = {} }, { activation = "relu" },
///     { conv = { filters = 16, size = 3, padding = "same", bias = false } }, { batch_norm = {} } ] } }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Residual {
    /// What is added to the input.
    pub layers: Vec<AnyLayer>,
    /// What brings the input to the shape of the sum; nothing where it has it.
    #[serde(default)]
    pub shortcut: Vec<AnyLayer>,
    /// The function applied to the sum.
    #[serde(default)]
    pub activation: AnyActivation,
}

impl Residual {
    /// These layers beside the input itself.
    pub fn new(layers: impl IntoIterator<Item = AnyLayer>) -> Residual {
        let (layers, shortcut) = (layers.into_iter().collect(), vec![]);
        Residual { layers, shortcut, activation: AnyActivation::default() }
    }

    /// With layers on the shortcut.
    pub fn shortcut(mut self, layers: impl IntoIterator<Item = AnyLayer>) -> Residual {
        self.shortcut = layers.into_iter().collect();
        self
    }

    /// With an activation of the sum.
    pub fn activation(mut self, activation: impl Into<AnyActivation>) -> Residual {
        self.activation = activation.into();
        self
    }
}

impl Config for Residual {
    fn examples() -> Vec<Residual> {
        use super::{Activation, Dense, LayerNorm};
        use crate::activations::Tanh;
        vec![
            Residual::new([Activation::new(Tanh).into()]),
            Residual::new([Dense::new(4).tanh().into(), Dense::new(3).into()])
                .shortcut([Dense::new(3).no_bias().into()])
                .activation(Tanh),
            Residual::new([LayerNorm::default().into()]),
        ]
    }
}

impl Layer for Residual {
    fn build(&self, x: &Node) -> Node {
        let y = chain(x, &self.layers);
        let short = match self.shortcut.is_empty() {
            true => x.clone(),
            false => x.scope("shortcut", |x| chain(x, &self.shortcut)),
        };
        if y.is_poisoned() || short.is_poisoned() {
            return if y.is_poisoned() { y } else { short };
        }
        if y.shape() != short.shape() {
            let end = if self.shortcut.is_empty() { "the input" } else { "the shortcut" };
            let expected = format!("two ends of one shape; {end} is {}", short.shape());
            let help = match projection(&x.shape(), &y.shape()) {
                Some(layer) => format!("project the input: `shortcut = [ {layer} ]`"),
                None => "let the layers keep the shape (`padding = \"same\"` and stride 1), or give a `shortcut` whose layers end in the same one".into(),
            };
            let received = format!("{} from the layers", y.shape());
            return x.graph().refuse("residual", ShapeError::new(expected, received, help));
        }
        let sum = &y + &short;
        sum.inherit_masks(&[y, short]);
        let activated = self.activation.activate(&sum);
        activated.inherit_mask(&sum);
        activated
    }

    fn held(&self) -> Vec<Held<'_>> {
        let shortcut = Held {
            setting: "shortcut".into(),
            scope: Some("shortcut"),
            layers: Cow::Borrowed(&self.shortcut),
            times: 1,
        };
        let shortcut = (!self.shortcut.is_empty()).then_some(shortcut);
        [Held::plain(&self.layers)].into_iter().chain(shortcut).collect()
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        held::set_default_init(&mut self.layers, init);
        held::set_default_init(&mut self.shortcut, init);
    }

    fn check(&self) -> Result<(), ShapeError> {
        held::check_some(&self.layers)?;
        held::check(&self.shortcut)?;
        self.activation.check()
    }
}
