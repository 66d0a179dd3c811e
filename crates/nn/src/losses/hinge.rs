//! Hinge loss of support vector machines, `max(0, 1 - t·y)`. Cortes & Vapnik 1995.

use super::{Loss, Reduction, Target, Task, binary_cross_entropy, yes_no};
use crate::check::Check;
use crate::table::Config;
use gradus_graph::{Kind, Node, ShapeError};
use gradus_tensor::Shape;
use serde::{Deserialize, Serialize};

/// Hinge loss for yes/no answers, `max(0, 1 - t·y)` with t = 1 for yes and -1 for no: 0 once the score y has the right sign and is at least
/// 1 in size. Its derivative at the corner is 0. Cortes & Vapnik 1995.
///
/// `y: [B]` or `[B, 1]` with class numbers 0 and 1; or any shape with targets of the same shape ([`Target::Soft`]), each of them -1
/// or 0 for no, 1 for yes. The network ends without an activation. A score above 0 says yes; it is no probability.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hinge {
    /// The square of it: smooth at the corner, and harder on large mistakes. Off; Keras has both as losses of their own, scikit-learn's
    /// `LinearSVC` squares unless told otherwise.
    pub squared: bool,
    /// `mean` or `sum`, over batch and outputs.
    pub reduction: Reduction,
}

impl Config for Hinge {
    fn examples() -> Vec<Hinge> {
        let default = Hinge::default();
        vec![default, Hinge { squared: true, ..default }, Hinge { reduction: Reduction::Sum, ..default }]
    }
}

impl Loss for Hinge {
    fn name(&self) -> &'static str {
        "hinge"
    }

    fn target(&self, y: &Shape, form: Target) -> Result<(Shape, Kind), ShapeError> {
        binary_cross_entropy::yes_no_target(y, form)
    }

    fn values(&self, y: &Node, target: &Node) -> Node {
        let side = target.reshape(y.shape()).gt(0.0) * 2.0 - 1.0;
        let short = (1.0 - side * y).relu();
        if self.squared { short.square() } else { short }
    }

    fn task(&self, _y: &Shape) -> Task {
        Task::Sign
    }

    fn check_target(&self, numbers: &[f32]) -> Check {
        match numbers.iter().find(|t| ![-1.0, 0.0, 1.0].contains(*t)) {
            None => Ok(()),
            Some(t) => Err(ShapeError::new("-1 or 0 for no, 1 for yes", t.to_string(), "correct the target column")),
        }
    }

    fn reduction(&self) -> Reduction {
        self.reduction
    }

    /// A score above 0 says yes.
    fn metrics(&self, y: &Node, target: &Node) -> Vec<(&'static str, Node)> {
        yes_no(&y.gt(0.0), target)
    }
}
