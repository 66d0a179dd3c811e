//! The Transformer's encoder block: attention and a small dense net, each beside a shortcut. Vaswani et al. 2017, arXiv:1706.03762;
//! normalised first: Xiong et al. 2020, arXiv:2002.04745.

use super::{Attention, Dense, Dropout, Layer, LayerNorm, apply};
use crate::activations::Relu;
use crate::table::Config;
use crate::{AnyActivation, AnyInit, check};
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Blocks of the Transformer's encoder, `x: [B, T, D] -> [B, T, D]`: `x = norm(x + attention(x))`, `x = norm(x + dense(f(dense(x))))`.
///
/// With `pre_norm` the norm comes first, `x = x + attention(norm(x))` and so on, which trains without a warm-up of the learning rate; put a
/// `layer_norm` behind the last block then. Dropout acts on the weights of attention, behind f, and on what is added. As PyTorch's
/// `TransformerEncoderLayer`, whose dense net is 2048 wide at first. Parameters: `attention/…`, `layer_norm/…`, `dense/…`, `dense_1/…` and
/// `layer_norm_1/…`, in a path `layer0/` and so on where there are several blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TransformerEncoder {
    /// The number of heads; a divisor of D.
    pub heads: usize,
    /// How many blocks stand on each other.
    #[serde(default = "one")]
    pub layers: usize,
    /// The width of the dense net; 4·D where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed_forward: Option<usize>,
    /// f.
    #[serde(default = "relu")]
    pub activation: AnyActivation,
    /// The probability to drop.
    #[serde(default = "tenth")]
    pub dropout: f64,
    /// Normalise before attention and dense net instead of behind the sums.
    #[serde(default)]
    pub pre_norm: bool,
    /// No step sees a later one.
    #[serde(default)]
    pub causal: bool,
    /// Added to the variances in the norms.
    #[serde(default = "eps")]
    pub eps: f64,
    /// How the weights start.
    #[serde(default)]
    pub weight_init: AnyInit,
}

fn one() -> usize {
    1
}

fn relu() -> AnyActivation {
    Relu.into()
}

fn tenth() -> f64 {
    0.1
}

fn eps() -> f64 {
    1e-5
}

impl TransformerEncoder {
    /// One block with so many heads.
    pub fn new(heads: usize) -> TransformerEncoder {
        TransformerEncoder {
            heads,
            layers: 1,
            feed_forward: None,
            activation: relu(),
            dropout: tenth(),
            pre_norm: false,
            causal: false,
            eps: eps(),
            weight_init: AnyInit::default(),
        }
    }

    /// `f(x) + x` with dropout and norm, where the paper has the norm or before.
    fn beside(&self, x: &Node, f: impl Fn(&Node) -> Node) -> Node {
        let norm = LayerNorm { eps: self.eps, ..LayerNorm::default() };
        let inner = if self.pre_norm { f(&apply(x, &norm)) } else { f(x) };
        let sum = x + apply(&inner, &Dropout::new(self.dropout));
        sum.inherit_mask(x);
        if self.pre_norm { sum } else { apply(&sum, &norm) }
    }

    fn block(&self, x: &Node) -> Node {
        let weight_init = self.weight_init.clone();
        let attention = Attention {
            heads: self.heads,
            causal: self.causal,
            dropout: self.dropout,
            weight_init: weight_init.clone(),
            ..Attention::default()
        };
        let width = self.feed_forward.unwrap_or(4 * x.units());
        let wide = Dense::new(width).activation(self.activation.clone()).weight_init(weight_init.clone());
        let narrow = Dense::new(x.units()).weight_init(weight_init);
        let x = self.beside(x, |x| apply(x, &attention));
        self.beside(&x, |x| apply(&apply(&apply(x, &wide), &Dropout::new(self.dropout)), &narrow))
    }
}

impl Config for TransformerEncoder {
    fn examples() -> Vec<TransformerEncoder> {
        use crate::activations::Gelu;
        let deep = TransformerEncoder { layers: 2, feed_forward: Some(3), ..TransformerEncoder::new(2) };
        vec![
            TransformerEncoder::new(2),
            TransformerEncoder {
                pre_norm: true,
                causal: true,
                dropout: 0.0,
                activation: Gelu::default().into(),
                ..deep
            },
        ]
    }
}

impl Layer for TransformerEncoder {
    fn build(&self, x: &Node) -> Node {
        if self.layers == 1 {
            return self.block(x);
        }
        (0..self.layers).fold(x.clone(), |x, layer| {
            let y = x.scope(&format!("layer{layer}"), |x| self.block(x));
            y.inherit_mask(&x);
            y
        })
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        if matches!(self.weight_init, AnyInit::Auto(_)) {
            self.weight_init = init.clone();
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::at_least_one("heads", self.heads)?;
        check::at_least_one("layers", self.layers)?;
        check::at_least_one("feed_forward", self.feed_forward.unwrap_or(1))?;
        check::below_one("dropout", self.dropout)?;
        check::positive("eps", self.eps)?;
        self.activation.check()?;
        self.weight_init.check()
    }
}
