//! Embedding: a vector for each id. Bengio et al. 2003.

use super::Layer;
use crate::init::{Fans, Normal};
use crate::table::Config;
use crate::{AnyInit, check};
use gradus_graph::{Init, Node, Role, ShapeError, Values};
use gradus_tensor::Rng;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// An embedding, ids `x: [B, T] -> [B, T, units]` (also `[B]` and `[B, S, T]`): the row of `weight: [vocabulary, units]` that each id names.
///
/// `padding` is the id that stands for nothing: its vector is 0 and never trained, and all other positions are the mask that the layers
/// after it heed (PyTorch's `padding_idx` and Keras' `mask_zero` in one). Of texts it is 0. Rows start normally distributed with
/// standard deviation 1, as in PyTorch (Keras: uniform in ±0.05), or from given vectors: those of a file in the format of GloVe,
/// word2vec or fastText (`vectors`), whose words are looked up in the vocabulary of the texts; words that it does not have get
/// random vectors of the same mean and spread. In Rust, [`Embedding::starting_from`] gives numbers. An id outside the vocabulary is
/// not a number, and stops training.
///
/// ```toml
/// { embedding = { vectors = "glove.6B.100d.txt", units = 100, padding = 0, trainable = false } }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Embedding {
    /// How many ids there are, padding and the unknown word included; without it, as many as the texts have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vocabulary: Option<usize>,
    /// The length of each vector.
    pub units: usize,
    /// The id of padding; none where all ids are words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<usize>,
    /// A file with a line `word v₁ … v_units` for each word, plain or compressed: first values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<String>,
    /// Whether the vectors are trained; where not, they keep their first values.
    #[serde(default = "yes")]
    pub trainable: bool,
    /// How the vectors start: normally distributed with standard deviation 1.
    #[serde(default)]
    pub weight_init: AnyInit,
    /// First values, row after row; where there are none, `weight_init` draws them.
    #[serde(skip)]
    values: Option<Arc<Vec<f64>>>,
}

fn yes() -> bool {
    true
}

impl Embedding {
    /// Trained vectors for so many ids, none of which is padding.
    pub fn new(vocabulary: usize, units: usize) -> Embedding {
        Embedding { vocabulary: Some(vocabulary), ..Embedding::of_input(units) }
    }

    /// Trained vectors for as many ids as the input is known to have ([`Node::with_ids`]), none of which is padding.
    ///
    /// ```
    /// use gradus_graph::Graph;
    /// use gradus_nn::{LayerExt, layers::Embedding};
    /// let g = Graph::new();
    /// g.index_input("words", [7]).with_ids(5000).layer(Embedding::of_input(100));
    /// assert_eq!(g.variables()[0].shape, [5000, 100]);
    /// ```
    pub fn of_input(units: usize) -> Embedding {
        Embedding {
            vocabulary: None,
            units,
            padding: None,
            vectors: None,
            trainable: true,
            weight_init: AnyInit::default(),
            values: None,
        }
    }

    /// With an id that stands for nothing.
    pub fn padding(mut self, id: usize) -> Embedding {
        self.padding = Some(id);
        self
    }

    /// With vectors that keep their first values.
    pub fn frozen(mut self) -> Embedding {
        self.trainable = false;
        self
    }

    /// Starting from these vectors, `[vocabulary, units]` row after row: those of a file of word vectors, for example.
    ///
    /// ```
    /// use gradus_graph::Graph;
    /// use gradus_nn::{LayerExt, layers::Embedding};
    /// let words = Embedding::new(3, 2).padding(0).starting_from(vec![0.0, 0.0, 0.5, -0.5, 1.0, 2.0]).frozen();
    /// let x = Graph::new().index_input("words", [7]).layer(words);
    /// assert_eq!((x.shape().to_string(), x.mask().is_some()), ("[B, 7, 2]".into(), true));
    /// ```
    pub fn starting_from(mut self, values: impl Into<Vec<f64>>) -> Embedding {
        self.values = Some(Arc::new(values.into()));
        self
    }

    /// How many ids there are, by the setting or the input.
    fn count(&self, x: &Node) -> Result<usize, ShapeError> {
        let vocabulary = match (self.vocabulary, x.ids()) {
            (Some(vocabulary), Some(ids)) if vocabulary < ids => {
                let expected = format!("`vocabulary` of at least {ids}, as many ids as the input has");
                let help = "leave it out: it is then taken from the data; the data's own `vocabulary` keeps the most frequent words";
                return Err(ShapeError::new(expected, vocabulary.to_string(), help));
            }
            (Some(vocabulary), _) => vocabulary,
            (None, Some(ids)) => ids,
            (None, None) => {
                let help = "name it, or let the embedding be the first layer over texts, whose vocabulary is known";
                return Err(ShapeError::new(
                    "a `vocabulary`, since the input does not say how many ids there are",
                    "none",
                    help,
                ));
            }
        };
        self.fit(vocabulary)?;
        Ok(vocabulary)
    }

    /// Whether the other settings suit so many ids.
    fn fit(&self, vocabulary: usize) -> Result<(), ShapeError> {
        if let Some(id) = self.padding.filter(|&id| id >= vocabulary) {
            let expected = format!("`padding` below the vocabulary of {vocabulary}");
            return Err(ShapeError::new(
                expected,
                id.to_string(),
                "name the id that fills up short sequences, often 0",
            ));
        }
        let needed = vocabulary.saturating_mul(self.units);
        if let Some(values) = self.values.as_ref().filter(|values| values.len() != needed) {
            let expected = format!("{needed} first values, {} for each of {vocabulary} ids", self.units);
            return Err(ShapeError::new(expected, values.len().to_string(), "give one vector for each id"));
        }
        Ok(())
    }

    fn start(&self, vocabulary: usize) -> Rows {
        let init = match &self.weight_init {
            AnyInit::Auto(_) => AnyInit::from(Normal { mean: 0.0, std: 1.0 }),
            other => other.clone(),
        };
        let fans = Fans { inputs: vocabulary, outputs: self.units };
        let rows: Box<dyn Init> = match &self.values {
            Some(values) => Box::new(Values(values.to_vec())),
            None => Box::new(init.with(fans)),
        };
        Rows { rows, padding: self.padding }
    }
}

/// The first values of all rows, with padding at zero.
#[derive(Debug)]
struct Rows {
    rows: Box<dyn Init>,
    padding: Option<usize>,
}

impl Init for Rows {
    fn values(&self, shape: &[usize], rng: &mut Rng) -> Vec<f64> {
        let mut values = self.rows.values(shape, rng);
        if let (Some(id), &[_, units]) = (self.padding, shape) {
            values.iter_mut().skip(id * units).take(units).for_each(|x| *x = 0.0);
        }
        values
    }
}

impl Config for Embedding {
    fn examples() -> Vec<Embedding> {
        use crate::init::Uniform;
        vec![
            Embedding::of_input(3),
            Embedding { weight_init: Uniform::default().into(), ..Embedding::new(7, 2).padding(0) },
            Embedding::new(4, 2).padding(3).frozen(),
            Embedding { vectors: Some("vectors.txt".into()), ..Embedding::new(6, 2).padding(0) },
        ]
    }
}

impl Layer for Embedding {
    fn build(&self, x: &Node) -> Node {
        let vocabulary = match self.count(x) {
            Ok(vocabulary) => vocabulary,
            Err(error) => return x.graph().refuse("embedding", error),
        };
        let role = if self.trainable { Role::Weight } else { Role::Frozen };
        let table = x.param("weight", [vocabulary, self.units], self.start(vocabulary), role);
        if let (Some(file), None) = (&self.vectors, &self.values) {
            x.graph().start_from_file(&table, file);
        }
        let vectors = table.gather(0, x);
        let Some(padding) = self.padding else { return vectors };
        let mask = x.ne(padding as f64);
        let vectors = mask.unsqueeze(mask.shape().rank()).select(vectors, 0.0);
        if mask.shape().rank() > 1 { vectors.with_mask(&mask) } else { vectors }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("vocabulary", self.vocabulary.unwrap_or(1))?;
        check::at_least_one("units", self.units)?;
        if let Some(vocabulary) = self.vocabulary {
            self.fit(vocabulary)?;
        }
        self.weight_init.check()
    }
}
