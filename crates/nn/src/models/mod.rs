//! Networks that are known by name, built of ordinary layers. Each is one configuration struct.
//!
//! In a recipe a network stands as a layer, alone or among others: `layers = [ { network = { resnet = { depth = 8, classes = 10 } } } ]`.
//! In Rust it is [`Network`](crate::layers::Network): `x.layer(Network::new(Resnet::new(8, 10)))`. What it is made of is what
//! [`Build::layers`] returns, for whoever wants to change it.

use crate::AnyLayer;
use gradus_graph::ShapeError;
use gradus_tensor::Shape;

mod words;

pub use resnet::ResnetShortcut;
pub use transformer_classifier::Positions;

/// A network made of layers.
///
/// ```
/// use gradus_nn::models::{Build, Lenet5};
/// assert_eq!(Lenet5::default().layers()[0].key(), "conv");
/// ```
pub trait Build {
    /// Its layers in order.
    fn layers(&self) -> Vec<AnyLayer>;

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }

    /// What is wrong with its input, as far as its layers would not say so themselves.
    fn check_input(&self, _x: &Shape) -> Result<(), ShapeError> {
        Ok(())
    }
}

table! {
    /// Any network that is known by name.
    pub enum AnyModel: Build, "a network" {
        lenet5::Lenet5, resnet::Resnet, mobilenet::Mobilenet, text_cnn::TextCnn, bi_lstm::BiLstm, han::Han,
        transformer_classifier::TransformerClassifier,
    }
}
