//! A bidirectional LSTM with pooling over time. Graves & Schmidhuber 2005; with structured self-attention: Lin et al. 2017,
//! arXiv:1703.03130.

use super::Build;
use super::words::{Words, check_pooling, check_texts, pooled, time_pooling};
use crate::layers::{CapsulePooling, Dense, Dropout, Lstm, TimeMethod};
use crate::table::Config;
use crate::{AnyLayer, check};
use gradus_graph::ShapeError;
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// A bidirectional LSTM for texts `[B, T]` of ids: an embedding, `layers` LSTMs of `units` in each direction, any pooling over time,
/// and a dense layer of `classes` outputs.
///
/// `pooling` is `{ time_pooling = "max" }` or any other method, `"attention_pooling"`, `{ self_attention_pooling = { vectors = 4 } }` (then
/// the network of Lin et al. 2017, but for their hidden layer before the outputs) or `{ capsule_pooling = { capsules = 4, units = 16 } }`;
/// several vectors are joined. Padding is id 0 and changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BiLstm {
    /// How many ids there are; without it, as many as the texts have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<usize>,
    /// The length of each word's vector.
    pub embedding: usize,
    /// A file of word vectors to start from, as that of an `embedding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vectors: Option<String>,
    /// Whether the words' vectors are trained.
    pub trainable: bool,
    /// The units of each direction.
    pub units: usize,
    /// How many LSTMs stand on each other.
    pub layers: usize,
    /// What makes one vector of the steps.
    pub pooling: Box<AnyLayer>,
    /// The probability to drop between the LSTMs and before the last layer.
    pub dropout: f64,
    /// The number of outputs.
    pub classes: usize,
}

impl Default for BiLstm {
    fn default() -> BiLstm {
        BiLstm {
            vocabulary: None,
            embedding: 100,
            vectors: None,
            trainable: true,
            units: 100,
            layers: 2,
            pooling: time_pooling(TimeMethod::Max),
            dropout: 0.2,
            classes: 2,
        }
    }
}

impl Config for BiLstm {
    fn examples() -> Vec<BiLstm> {
        let pooling: AnyLayer = CapsulePooling::new(2, 3).into();
        let small = BiLstm { vocabulary: Some(9), embedding: 4, units: 3, layers: 1, ..BiLstm::default() };
        vec![
            BiLstm::default(),
            BiLstm { pooling: Box::new(pooling), trainable: false, dropout: 0.0, classes: 3, ..small },
        ]
    }
}

impl BiLstm {
    fn words(&self) -> Words<'_> {
        let BiLstm { vocabulary, embedding, trainable, .. } = *self;
        Words { vocabulary, embedding, vectors: &self.vectors, trainable }
    }
}

impl Build for BiLstm {
    fn layers(&self) -> Vec<AnyLayer> {
        let dropout = if self.layers > 1 { self.dropout } else { 0.0 };
        let lstm = Lstm { dropout, ..Lstm::new(self.units).layers(self.layers).bidirectional().return_sequence() };
        let mut layers = vec![self.words().layer(), lstm.into()];
        layers.extend(pooled(&self.pooling, false));
        layers.extend([Dropout::new(self.dropout).into(), Dense::new(self.classes).into()]);
        layers
    }

    fn check_input(&self, x: &Shape) -> Result<(), ShapeError> {
        check_texts(x)
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.words().check()?;
        check::at_least_one("units", self.units)?;
        check::at_least_one("layers", self.layers)?;
        check::at_least_one("classes", self.classes)?;
        check::below_one("dropout", self.dropout)?;
        check_pooling(&self.pooling)
    }
}
