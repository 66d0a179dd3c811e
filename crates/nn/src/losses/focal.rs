//! Focal loss, `-(1-p)^γ·ln p` of the true answer. Lin et al. 2017, arXiv:1708.02002.

use super::{Loss, Reduction, Target, Task, binary_cross_entropy, classes, constants, yes_no};
use crate::check::{self, Check};
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Focal loss from logits, `-α·(1-p)^γ·ln p` with p the probability of the true answer: a cross-entropy in which answers that are right
/// already count for little. Lin et al. 2017, arXiv:1708.02002.
///
/// Softmax form: `y: [B, .., K]` with class numbers `[B, ..]` or rows `[B, .., K]` that sum to 1, one value for each row. Binary form, for one
/// output or with `multi_label`: as [`BinaryCrossEntropy`](super::BinaryCrossEntropy), one value for each output. Soft targets weigh the
/// values of both, or of all, answers. The network ends without an activation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Focal {
    /// γ, at least 0: the larger, the less right answers count; 0 is the plain cross-entropy. 2, as in the paper, torchvision and Keras.
    pub gamma: f64,
    /// α, which balances classes: none. One number: in the binary form the weight of yes, in (0, 1), and 1 - α that of no (0.25 in the
    /// paper and in torchvision); in the softmax form the weight of all classes, as in Keras. A list: one such number for each output.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<Alpha>,
    /// Each output is a yes/no answer of its own, σ(y), instead of one class out of several, softmax(y): off. A single output always is.
    pub multi_label: bool,
    /// `mean` or `sum`, over batch and outputs.
    pub reduction: Reduction,
}

/// The balance of classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Alpha {
    /// For all outputs.
    All(f64),
    /// For each output.
    Each(Vec<f64>),
}

/// 1 - p is at least this under a root, whose slope at 0 is infinite.
const CLIP: f64 = 1e-7;

impl Default for Focal {
    fn default() -> Focal {
        Focal { gamma: 2.0, alpha: None, multi_label: false, reduction: Reduction::Mean }
    }
}

impl Config for Focal {
    fn examples() -> Vec<Focal> {
        let default = Focal::default;
        vec![
            default(),
            Focal { gamma: 0.5, alpha: Some(Alpha::All(0.25)), ..default() },
            Focal { alpha: Some(Alpha::Each(vec![0.25, 0.5, 0.75])), multi_label: true, ..default() },
            Focal { reduction: Reduction::Sum, ..default() },
        ]
    }
}

impl Focal {
    fn is_binary(&self, y: &Shape) -> bool {
        self.multi_label || classes::classes(y).is_err()
    }

    /// α for each output.
    fn alpha(&self, y: &Node) -> Option<Node> {
        match &self.alpha {
            None => None,
            Some(Alpha::All(alpha)) => Some(y.graph().scalar(*alpha)),
            Some(Alpha::Each(list)) => Some(constants(y, "alpha", list)),
        }
    }

    /// `(1-p)^γ`
    fn focus(&self, rest: Node) -> Node {
        match self.gamma {
            0.0 => rest.graph().fill(1.0, rest.shape()),
            1.0 => rest,
            2.0 => rest.square(),
            gamma if gamma > 1.0 => rest.pow(gamma),
            gamma => rest.clamp(CLIP, 1.0).pow(gamma),
        }
    }
}

impl Loss for Focal {
    fn name(&self) -> &'static str {
        "focal"
    }

    fn target(&self, y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError> {
        if let Some(Alpha::Each(list)) = &self.alpha {
            let outputs = y.dims().last().filter(|_| y.rank() > 1).and_then(|d| d.fixed()).unwrap_or(1);
            if list.len() != outputs {
                let expected = format!("`alpha` with one number for each of {outputs} outputs");
                return Err(ShapeError::new(
                    expected,
                    format!("{} numbers", list.len()),
                    "correct the setting `alpha`",
                ));
            }
        }
        if self.is_binary(y) { binary_cross_entropy::yes_no_target(y, form) } else { Ok(classes::target(y, form)) }
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        let alpha = self.alpha(y);
        if !self.is_binary(&y.shape()) {
            let q = classes::rows(y, target);
            let log_p = y.log_softmax();
            let rows = -(q * self.focus(1.0 - log_p.exp()) * log_p);
            return alpha.map_or(rows.clone(), |alpha| rows * alpha).sum(-1).squeeze(-1);
        }
        let t = &target.reshape(y.shape());
        // 1 - p of yes is σ(-y), of no σ(y): exact however near to 0.
        let (yes, no) = ((-y).softplus(), y.softplus());
        let focused = |loss: &Node, other: &Node| loss * (other * -self.gamma).exp();
        let (mut positive, mut negative) = (t * focused(&yes, &no), (1.0 - t) * focused(&no, &yes));
        if let Some(alpha) = alpha {
            positive = positive * &alpha;
            negative = negative * (1.0 - alpha);
        }
        positive + negative
    }

    fn task(&self, y: &Shape) -> Task {
        if self.is_binary(y) { Task::Binary } else { Task::Classes }
    }

    fn check_target(&self, numbers: &[f32]) -> Check {
        let binary = self.multi_label || numbers.len() == 1;
        if binary { binary_cross_entropy::check_shares(numbers) } else { classes::check_distribution(numbers) }
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    fn predictions(&self, y: &Node) -> Vec<(&'static str, Node)> {
        vec![("probabilities", if self.is_binary(&y.shape()) { y.sigmoid() } else { y.softmax() })]
    }

    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        if self.is_binary(&y.shape()) { yes_no(&y.gt(0.0), target) } else { classes::right(y, target, None) }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::not_negative("gamma", self.gamma)?;
        let share = |alpha: f64| check::within("alpha", alpha, 0.0..=1.0, "in [0, 1]");
        match &self.alpha {
            None => Ok(()),
            Some(Alpha::All(alpha)) => share(*alpha),
            Some(Alpha::Each(list)) => list.iter().try_for_each(|&alpha| share(alpha)),
        }
    }
}
