//! What networks for texts share: the embedding, and pooling over time.

use crate::layers::{AttentionPooling, Embedding, Flatten, Reshape, TimeMethod, TimePooling};
use crate::{AnyLayer, check};
use gradus_graph::ShapeError;
use gradus_tensor::Shape;

/// The settings of an embedding whose padding is id 0.
pub(super) struct Words<'a> {
    pub(super) vocabulary: Option<usize>,
    pub(super) embedding: usize,
    pub(super) vectors: &'a Option<String>,
    pub(super) trainable: bool,
}

impl Words<'_> {
    pub(super) fn layer(&self) -> AnyLayer {
        let mut layer = Embedding::of_input(self.embedding).padding(0);
        (layer.vocabulary, layer.vectors, layer.trainable) = (self.vocabulary, self.vectors.clone(), self.trainable);
        layer.into()
    }

    pub(super) fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("vocabulary", self.vocabulary.unwrap_or(1))?;
        check::at_least_one("embedding", self.embedding)
    }
}

/// The input is texts.
pub(super) fn check_texts(x: &Shape) -> Result<(), ShapeError> {
    let help = "leave `sentences` out where texts are read, or take the network `han`";
    if x.rank() == 2 { Ok(()) } else { Err(ShapeError::new("texts of ids, [B, T]", x.to_string(), help)) }
}

/// The input is documents.
pub(super) fn check_documents(x: &Shape) -> Result<(), ShapeError> {
    let help =
        "say how many `sentences` a text has where texts are read, as in { path = \"texts.csv\", sentences = 10 }";
    if x.rank() == 3 {
        return Ok(());
    }
    Err(ShapeError::new("documents of sentences of ids, [B, S, T]", x.to_string(), help))
}

/// The poolings over time.
const POOLINGS: [&str; 4] = ["time_pooling", "attention_pooling", "self_attention_pooling", "capsule_pooling"];

pub(super) fn time_pooling(method: TimeMethod) -> Box<AnyLayer> {
    Box::new(TimePooling::new(method).into())
}

pub(super) fn attention_pooling() -> Box<AnyLayer> {
    Box::new(AttentionPooling::default().into())
}

/// The setting `pooling` holds a pooling over time, and that is in order.
pub(super) fn check_pooling(pooling: &AnyLayer) -> Result<(), ShapeError> {
    if !POOLINGS.contains(&pooling.key()) {
        let expected = format!("`pooling` of one of {}", POOLINGS.map(|key| format!("`{key}`")).join(", "));
        return Err(ShapeError::new(expected, pooling.key().to_string(), "name one of these, with its settings"));
    }
    pooling.check().map_err(|error| match error.expected.strip_prefix('`') {
        Some(setting) => {
            let expected = format!("`pooling.{}.{setting}", pooling.key());
            ShapeError { expected, ..error }
        }
        None => error,
    })
}

/// A pooling and what makes its result one vector: of the whole, or of each sentence.
pub(super) fn pooled(pooling: &AnyLayer, of_sentences: bool) -> Vec<AnyLayer> {
    let several = match pooling {
        AnyLayer::TimePooling(pooling) => {
            matches!(pooling.method, TimeMethod::KMax | TimeMethod::ChunkMax | TimeMethod::ChunkAverage)
        }
        other => other.key() != "attention_pooling",
    };
    let flat: AnyLayer = if of_sentences { Reshape::new([-1]).keep(1).into() } else { Flatten.into() };
    std::iter::once(pooling.clone()).chain(several.then_some(flat)).collect()
}
