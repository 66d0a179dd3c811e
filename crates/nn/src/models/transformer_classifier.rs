//! A small Transformer for texts. Vaswani et al. 2017, arXiv:1706.03762; normalised first: Xiong et al. 2020, arXiv:2002.04745.

use super::Build;
use super::words::{Words, check_pooling, check_texts, pooled, time_pooling};
use crate::layers::{Dense, Dropout, LayerNorm, LearnedPositions, SinusoidalPositions, TimeMethod, TransformerEncoder};
use crate::table::Config;
use crate::{AnyLayer, check};
use gradus_graph::ShapeError;
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// A Transformer encoder for texts `[B, T]` of ids: an embedding, positions, `layers` blocks of attention and a small dense net, pooling
/// over time, and a dense layer of `classes` outputs.
///
/// With `pre_norm`, the default, blocks normalise first, and a last norm stands behind them: it trains without a warm-up of the learning
/// rate. `pooling = { time_pooling = "first" }` takes the first word's vector, as BERT does with its class token; the default is
/// the mean over the words, and any other pooling over time will do. Padding is id 0 and changes nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TransformerClassifier {
    /// How many ids there are; without it, as many as the texts have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<usize>,
    /// The length of each word's vector, and of all that follow; a multiple of `heads`.
    pub embedding: usize,
    /// A file of word vectors to start from, as that of an `embedding`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vectors: Option<String>,
    /// Whether the words' vectors are trained.
    pub trainable: bool,
    /// How words know their place.
    pub positions: Positions,
    /// The heads of attention.
    pub heads: usize,
    /// How many blocks stand on each other.
    pub layers: usize,
    /// The width of the dense nets; four times `embedding` where none is named.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub feed_forward: Option<usize>,
    /// Normalise before attention and dense net instead of behind the sums.
    pub pre_norm: bool,
    /// What makes one vector of the steps.
    pub pooling: Box<AnyLayer>,
    /// The probability to drop.
    pub dropout: f64,
    /// The number of outputs.
    pub classes: usize,
}

/// How words know their place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Sines and cosines are added.
    #[default]
    Sinusoidal,
    /// Learned vectors are added.
    Learned,
    /// They do not: a bag of words.
    None,
}

impl Default for TransformerClassifier {
    fn default() -> TransformerClassifier {
        TransformerClassifier {
            vocabulary: None,
            embedding: 128,
            vectors: None,
            trainable: true,
            positions: Positions::Sinusoidal,
            heads: 4,
            layers: 2,
            feed_forward: None,
            pre_norm: true,
            pooling: time_pooling(TimeMethod::Average),
            dropout: 0.1,
            classes: 2,
        }
    }
}

impl Config for TransformerClassifier {
    fn examples() -> Vec<TransformerClassifier> {
        let default = TransformerClassifier::default;
        let small = TransformerClassifier {
            vocabulary: Some(9),
            embedding: 4,
            trainable: false,
            positions: Positions::Learned,
            heads: 2,
            layers: 1,
            feed_forward: Some(5),
            classes: 3,
            ..default()
        };
        let first = TransformerClassifier {
            pre_norm: false,
            pooling: time_pooling(TimeMethod::First),
            dropout: 0.0,
            positions: Positions::None,
            ..small.clone()
        };
        vec![default(), small, first]
    }
}

impl TransformerClassifier {
    fn words(&self) -> Words<'_> {
        let TransformerClassifier { vocabulary, embedding, trainable, .. } = *self;
        Words { vocabulary, embedding, vectors: &self.vectors, trainable }
    }
}

impl Build for TransformerClassifier {
    fn layers(&self) -> Vec<AnyLayer> {
        let mut layers = vec![self.words().layer()];
        match self.positions {
            Positions::Sinusoidal => layers.push(SinusoidalPositions::default().into()),
            Positions::Learned => layers.push(LearnedPositions::default().into()),
            Positions::None => {}
        }
        let encoder = TransformerEncoder {
            layers: self.layers,
            feed_forward: self.feed_forward,
            dropout: self.dropout,
            pre_norm: self.pre_norm,
            ..TransformerEncoder::new(self.heads)
        };
        layers.extend([Dropout::new(self.dropout).into(), encoder.into()]);
        if self.pre_norm {
            layers.push(LayerNorm::default().into());
        }
        layers.extend(pooled(&self.pooling, false));
        layers.push(Dense::new(self.classes).into());
        layers
    }

    fn check_input(&self, x: &Shape) -> Result<(), ShapeError> {
        check_texts(x)
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.words().check()?;
        check::at_least_one("heads", self.heads)?;
        check::at_least_one("layers", self.layers)?;
        check::at_least_one("feed_forward", self.feed_forward.unwrap_or(1))?;
        check::at_least_one("classes", self.classes)?;
        check::below_one("dropout", self.dropout)?;
        if !self.embedding.is_multiple_of(self.heads) {
            let expected = format!("`heads` of a divisor of the embedding's {} numbers", self.embedding);
            return Err(ShapeError::new(
                expected,
                self.heads.to_string(),
                "choose such a number, or another `embedding`",
            ));
        }
        check_pooling(&self.pooling)
    }
}
