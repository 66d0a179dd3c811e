//! Batch normalisation, `y = γ·(x - μ)/√(σ² + ε) + β` with the batch's mean and variance. Ioffe & Szegedy 2015, arXiv:1502.03167.

use super::Layer;
use super::axes::{Moments, along, channel_axis, others};
use crate::check;
use crate::table::Config;
use gradus_graph::{Constant, Node, Role, ShapeError, ops};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Batch normalisation, `x: [B, C] -> [B, C]`, also `[B, C, H, W]` and `[B, T, C]`: `y = γ·(x - μ)/√(σ² + ε) + β` for each channel.
///
/// When training, μ and σ² are the batch's mean and *biased* variance over all axes but the channels'. When predicting, they are the
/// running ones, which start at 0 and 1 and follow the batches: `running = (1 - momentum)·running + momentum·batch`. `momentum` is the
/// weight of the *new* value, as in PyTorch; Keras and the paper's followers name the old value's weight (0.99 there is 0.01 here).
/// The running variance takes the batch's *unbiased* variance, `n/(n-1)·σ²`, as in PyTorch; the biased one with `biased` (Keras,
/// ONNX from 14 on). With `cumulative` the running values are the plain mean over all batches of the last epoch.
///
/// Padding (a mask) does not count in mean and variance, as in Keras; PyTorch knows no masks.
///
/// A predictor folds the whole layer into the dense layer before or behind it, so that it costs nothing there. A bias right before it
/// has no effect: leave it out (`bias = false`). The channels are axis 1 of `[B, C]` and `[B, C, H, W]`, the last axis of `[B, T, C]`,
/// or what `axis` says. A batch of one sample has no variance: over `[B, C]` it is an error before training starts.
///
/// Parameters `gamma` and `beta`, running values `mean` and `variance`, each `[C]`; `batches`, the number counted, with `cumulative`.
/// Keras' defaults: `batch_norm = { momentum = 0.01, eps = 1e-3, biased = true }`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchNorm {
    /// The new value's weight in the running statistics, above 0 and at most 1.
    pub momentum: f64,
    /// Added to the variance.
    pub eps: f64,
    /// Scale and shift by γ and β.
    pub affine: bool,
    /// Keep the running variance biased.
    pub biased: bool,
    /// Running statistics are the mean over the batches of the last epoch.
    pub cumulative: bool,
    /// The axis of the channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub axis: Option<isize>,
}

impl Default for BatchNorm {
    /// PyTorch's.
    fn default() -> BatchNorm {
        BatchNorm { momentum: 0.1, eps: 1e-5, affine: true, biased: false, cumulative: false, axis: None }
    }
}

impl Config for BatchNorm {
    fn examples() -> Vec<BatchNorm> {
        let default = BatchNorm::default();
        vec![
            default,
            BatchNorm { momentum: 0.01, eps: 1e-3, biased: true, ..default },
            BatchNorm { affine: false, ..default },
            BatchNorm { cumulative: true, axis: Some(1), ..default },
        ]
    }
}

impl Layer for BatchNorm {
    fn build(&self, x: &Node) -> Node {
        let (axis, channels) = match channel_axis(x, self.axis) {
            Ok(found) => found,
            Err(refused) => return refused,
        };
        let (axes, rows_alone) = others(x, axis);
        if rows_alone {
            x.graph().least_batch(2);
        }
        let batch = Moments::of(x, &axes, x.mask().as_ref());
        let running = self.follow(x, &axes, channels, &batch);
        let Moments { centred, variance, .. } = batch;
        let (gamma, beta) = match self.affine {
            true => (
                x.param("gamma", [channels], Constant(1.0), Role::Norm),
                x.param("beta", [channels], Constant(0.0), Role::Norm),
            ),
            false => (x.graph().scalar(1.0), x.graph().scalar(0.0)),
        };
        let [gamma, beta, mean, scale] =
            [&gamma, &beta, &running.0, &(&running.1 + self.eps).rsqrt()].map(|values| match values.shape().rank() {
                0 => values.clone(),
                _ => along(values, x, axis),
            });
        // One factor for each channel, so that forward and backward pass touch the batch as seldom as they can.
        let trained = centred * ((variance + self.eps).rsqrt() * &gamma) + &beta;
        let predicted = (x - mean) * (scale * gamma) + beta;
        trained.when_training(&predicted)
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::within("momentum", self.momentum, f64::MIN_POSITIVE..=1.0, "above 0 and at most 1")?;
        check::positive("eps", self.eps)
    }
}

impl BatchNorm {
    /// The running mean and variance, `[C]` each, with their updates.
    fn follow(&self, x: &Node, axes: &[isize], channels: usize, batch: &Moments) -> (Node, Node) {
        let graph = x.graph();
        let mean = x.param("mean", [channels], Constant(0.0), Role::Running);
        let running = x.param("variance", [channels], Constant(1.0), Role::Running);
        let weight = if self.cumulative {
            let batches = x.param("batches", [1], Constant(0.0), Role::Running);
            graph.restart_each_epoch(&batches);
            let count = &batches + 1.0;
            graph.update(&batches, &count);
            count.recip()
        } else {
            graph.scalar(self.momentum)
        };
        let mut variance = batch.variance.reshape([channels]);
        if !self.biased {
            let unbiased = match &batch.count {
                Some(n) => (n / (n - 1.0).maximum(1.0)).reshape([channels]),
                None => {
                    let dims = x.shape();
                    let of = Shape::new(axes.iter().map(|&axis| dims.dims()[axis as usize]).collect::<Vec<_>>());
                    let n = graph.apply(ops::Count { of }, &[]);
                    &n / (&n - 1.0)
                }
            };
            variance = variance * unbiased;
        }
        for (old, new) in [(&mean, batch.mean.reshape([channels])), (&running, variance)] {
            graph.update(old, &(old + (new - old) * &weight));
        }
        (mean, running)
    }
}
