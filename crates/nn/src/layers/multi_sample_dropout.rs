//! Multi-sample dropout: the mean loss over several masks of the same features. Inoue 2019, arXiv:1905.09788.

use super::held::{self, Held};
use super::{AnyLayer, Dropout, Layer, apply};
use crate::table::Config;
use crate::{AnyInit, Sequential, check};
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Multi-sample dropout at the end of a network, `x: [B, ..] -> y` as its `layers` make it: in training, `samples` dropout masks of
/// the same features each go through the same head (`layers`, with one set of parameters), and the loss is the mean of their losses.
///
/// The features are computed once and every mask gives a gradient of its own, so training needs fewer steps. When predicting nothing
/// is dropped and the head is computed once. The output in training, of which the counted answers are taken, is the mean over masks.
/// It must be the last layer: the loss is taken of its output. `samples = 1` is a dropout layer before the head.
///
/// ```toml
/// { multi_sample_dropout = { rate = 0.5, samples = 8, layers = [ { dense = { units = 10 } } ] } }
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MultiSampleDropout {
    /// The probability to drop, at least 0 and below 1.
    #[serde(default = "half")]
    pub rate: f64,
    /// The number of masks.
    #[serde(default = "eight")]
    pub samples: usize,
    /// The head that all masks share.
    pub layers: Vec<AnyLayer>,
}

fn half() -> f64 {
    0.5
}

fn eight() -> usize {
    8
}

impl MultiSampleDropout {
    /// So many masks before one head.
    pub fn new(rate: f64, samples: usize, head: impl Into<AnyLayer>) -> MultiSampleDropout {
        MultiSampleDropout { rate, samples, layers: vec![head.into()] }
    }
}

impl Config for MultiSampleDropout {
    fn examples() -> Vec<MultiSampleDropout> {
        use super::Dense;
        let deep = vec![Dense::new(3).relu().into(), Dense::new(2).into()];
        vec![MultiSampleDropout::new(0.5, 2, Dense::new(3)), MultiSampleDropout { rate: 0.2, samples: 3, layers: deep }]
    }
}

impl Layer for MultiSampleDropout {
    fn build(&self, x: &Node) -> Node {
        let graph = x.graph();
        let head: Sequential = self.layers.iter().cloned().collect();
        let dropout = Dropout::new(self.rate);
        let share = 1.0 / self.samples as f64;
        // The last pass is the one that predicts: nothing dropped, and no penalties, since training does not compute it.
        let mut ys = graph.repeat(self.samples + 1, |pass| match pass < self.samples {
            true => graph.share_of_penalties(share, || apply(&x.scope("mask", |x| dropout.build(x)), &head)),
            false => graph.share_of_penalties(0.0, || apply(x, &head)),
        });
        let Some(predicted) = ys.pop() else { return x.clone() };
        let Some(sum) = ys.iter().cloned().reduce(|a, b| a + b) else { return predicted };
        let y = (sum * share).when_training(&predicted);
        graph.alternatives(&y, &ys);
        y
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        held::set_default_init(&mut self.layers, init);
    }

    fn held(&self) -> Vec<Held<'_>> {
        vec![Held::plain(&self.layers)]
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::below_one("rate", self.rate)?;
        check::at_least_one("samples", self.samples)?;
        if self.layers.is_empty() {
            let help = "name the layers behind the masks, `layers = [ { dense = { units = 10 } } ]`";
            return Err(ShapeError::new("`layers` of at least one layer", "none", help));
        }
        self.layers.iter().try_for_each(Layer::check)
    }
}
