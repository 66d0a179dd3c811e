//! Kullback and Leibler's divergence of predicted from true distributions, `Σ qₖ·(ln qₖ - yₖ)`, from log-probabilities.

use super::{Loss, Reduction, Target, Task, classes};
use crate::check::Check;
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Divergence of the network's distribution from the target's, `Σ qₖ·(ln qₖ - yₖ)` for each row, in nats, for a network that ends with
/// log-probabilities (activation `log_softmax`): `y: [B, .., K]` with rows q `[B, .., K]` that sum to 1 ([`Target::Soft`]), or with class
/// numbers `[B, ..]`. A share of 0 adds 0. Kullback & Leibler 1951.
///
/// It is the cross-entropy less the target's own entropy: the same gradient, and 0 where both are equal. The mean is over rows:
/// PyTorch's `batchmean`, and Keras'; PyTorch's plain `mean` divides by the number of classes too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KlDivergence {
    /// `mean` or `sum`, over rows.
    pub reduction: Reduction,
}

impl Config for KlDivergence {
    fn examples() -> Vec<KlDivergence> {
        vec![KlDivergence::default(), KlDivergence { reduction: Reduction::Sum }]
    }
}

impl Loss for KlDivergence {
    fn name(&self) -> &'static str {
        "kl_divergence"
    }

    fn target(&self, y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError> {
        classes::classes(y)?;
        Ok(classes::target(y, form))
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        let q = classes::rows(y, target);
        // 1 stands for 0 under the logarithm.
        let log_q = (&q + q.eq(0.0)).log();
        (&q * (log_q - y)).sum(-1).squeeze(-1)
    }

    fn task(&self, _y: &Shape) -> Task {
        Task::Classes
    }

    fn check_target(&self, numbers: &[f32]) -> Check {
        classes::check_distribution(numbers)
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn predictions(&self, y: &Node) -> Vec<(&'static str, Node)> {
        vec![("probabilities", y.exp())]
    }

    /// The class of the largest output is the answer.
    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        classes::right(y, target, None)
    }
}
