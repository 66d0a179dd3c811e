//! A convolutional network for sentences. Kim 2014, arXiv:1408.5882.

use super::Build;
use super::words::{Words, check_texts, pooled, time_pooling};
use crate::activations::Relu;
use crate::layers::{Conv, Dense, Dropout, Padding, Parallel, TimeMethod};
use crate::table::Config;
use crate::{AnyActivation, AnyLayer, check};
use gradus_graph::ShapeError;
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// TextCNN for texts `[B, T]` of ids: an embedding, convolutions of several sizes side by side, the maximum of each filter over time,
/// dropout, and a dense layer of `classes` outputs.
///
/// Padding is id 0; filters see zeros there, and what they find there never wins, so a text gives the same however far it is padded.
/// A filter stands once over each word, with zeros around the text, so that texts shorter than a filter work, too (the paper's own
/// program pads so that windows may reach further out). `trainable = false` with a file of `vectors` is the paper's CNN-static,
/// `vectors` alone CNN-non-static, none of them CNN-rand. The paper also limits the norm of the last layer's weights:
/// `train.max_norm = 3`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TextCnn {
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
    /// The sizes of the filters, in words.
    pub sizes: Vec<usize>,
    /// How many filters there are of each size.
    pub filters: usize,
    /// The function behind each filter.
    pub activation: AnyActivation,
    /// The probability to drop before the last layer.
    pub dropout: f64,
    /// The number of outputs.
    pub classes: usize,
}

impl Default for TextCnn {
    fn default() -> TextCnn {
        TextCnn {
            vocabulary: None,
            embedding: 300,
            vectors: None,
            trainable: true,
            sizes: vec![3, 4, 5],
            filters: 100,
            activation: Relu.into(),
            dropout: 0.5,
            classes: 2,
        }
    }
}

impl Config for TextCnn {
    fn examples() -> Vec<TextCnn> {
        let small = TextCnn { embedding: 4, filters: 3, sizes: vec![2, 3], ..TextCnn::default() };
        vec![TextCnn::default(), TextCnn { vocabulary: Some(9), dropout: 0.0, trainable: false, classes: 3, ..small }]
    }
}

impl TextCnn {
    fn words(&self) -> Words<'_> {
        let TextCnn { vocabulary, embedding, trainable, .. } = *self;
        Words { vocabulary, embedding, vectors: &self.vectors, trainable }
    }
}

impl Build for TextCnn {
    fn layers(&self) -> Vec<AnyLayer> {
        let branch = |&size: &usize| {
            let conv = Conv::new(self.filters, size).padding(Padding::SAME).activation(self.activation.clone());
            [vec![conv.into()], pooled(&time_pooling(TimeMethod::Max), false)].concat()
        };
        vec![
            self.words().layer(),
            Parallel::new(self.sizes.iter().map(branch)).into(),
            Dropout::new(self.dropout).into(),
            Dense::new(self.classes).into(),
        ]
    }

    fn check_input(&self, x: &Shape) -> Result<(), ShapeError> {
        check_texts(x)
    }

    fn check(&self) -> Result<(), ShapeError> {
        self.words().check()?;
        check::at_least_one("filters", self.filters)?;
        check::at_least_one("classes", self.classes)?;
        check::below_one("dropout", self.dropout)?;
        if self.sizes.is_empty() || self.sizes.contains(&0) {
            let help = "the paper has sizes = [3, 4, 5]";
            return Err(ShapeError::new("`sizes` of at least one word each", format!("{:?}", self.sizes), help));
        }
        self.activation.check()
    }
}
