//! The hierarchical attention network. Yang, Yang, Dyer, He, Smola & Hovy 2016, Hierarchical attention networks for document
//! classification. With capsules in place of attention: Gong et al. 2018, arXiv:1806.01501.

use super::Build;
use super::words::{Words, attention_pooling, check_documents, check_pooling, pooled};
use crate::layers::{CapsulePooling, Dense, Dropout, Gru};
use crate::table::Config;
use crate::{AnyLayer, check};
use gradus_graph::ShapeError;
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// A hierarchical attention network for documents `[B, S, T]` of ids, S sentences of T words: an embedding, a bidirectional GRU over the
/// words of each sentence and attention over them, a bidirectional GRU over the sentences and attention over these, and a dense
/// layer of `classes` outputs.
///
/// Texts are read with `sentences` for that. Padding is id 0, and sentences of padding alone are padding of the document: neither changes
/// anything. Another `pooling` takes the place of attention at both levels; with `capsule_pooling` the network is that of Gong et
/// al. 2018, but for GRUs instead of LSTMs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Han {
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
    /// The units of each GRU in each direction.
    pub units: usize,
    /// What makes one vector of the words of a sentence, and of the sentences of a document.
    pub pooling: Box<AnyLayer>,
    /// The probability to drop before the last layer.
    pub dropout: f64,
    /// The number of outputs.
    pub classes: usize,
}

impl Default for Han {
    fn default() -> Han {
        Han {
            vocabulary: None,
            embedding: 200,
            vectors: None,
            trainable: true,
            units: 50,
            pooling: attention_pooling(),
            dropout: 0.0,
            classes: 2,
        }
    }
}

impl Config for Han {
    fn examples() -> Vec<Han> {
        let pooling: AnyLayer = CapsulePooling::new(2, 3).reversed().into();
        let small = Han { vocabulary: Some(9), embedding: 4, units: 3, ..Han::default() };
        vec![Han::default(), Han { pooling: Box::new(pooling), trainable: false, dropout: 0.5, classes: 3, ..small }]
    }
}

impl Han {
    fn words(&self) -> Words<'_> {
        let Han { vocabulary, embedding, trainable, .. } = *self;
        Words { vocabulary, embedding, vectors: &self.vectors, trainable }
    }
}

impl Build for Han {
    fn layers(&self) -> Vec<AnyLayer> {
        let gru = || AnyLayer::from(Gru::new(self.units).bidirectional().return_sequence());
        let mut layers = vec![self.words().layer(), gru()];
        layers.extend(pooled(&self.pooling, true));
        layers.push(gru());
        layers.extend(pooled(&self.pooling, false));
        if self.dropout > 0.0 {
            layers.push(Dropout::new(self.dropout).into());
        }
        layers.push(Dense::new(self.classes).into());
        layers
    }

    fn check_input(&self, x: &Shape) -> Result<(), ShapeError> {
        check_documents(x)
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.words().check()?;
        check::at_least_one("units", self.units)?;
        check::at_least_one("classes", self.classes)?;
        check::below_one("dropout", self.dropout)?;
        check_pooling(&self.pooling)
    }
}
