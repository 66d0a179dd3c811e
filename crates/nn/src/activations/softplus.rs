//! Softplus, `y = ln(1 + e^(βx))/β`. Dugas et al. 2001.

use super::Activate;
use crate::check;
use crate::table::Config;
use gradus_graph::{Node, ShapeError};
use serde::{Deserialize, Serialize};

/// Softplus, `y = ln(1 + e^(βx))/β`: a smooth rectifier, positive everywhere. Dugas et al. 2001.
///
/// It is exact for numbers of any size; PyTorch's is the identity from βx = 20 on, which is the same in `f32`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Softplus {
    /// β, above 0: the larger, the closer to [`Relu`](super::Relu). 1, as in PyTorch; Keras has no other.
    pub beta: f64,
}

impl Default for Softplus {
    fn default() -> Softplus {
        Softplus { beta: 1.0 }
    }
}

impl Config for Softplus {
    fn examples() -> Vec<Softplus> {
        vec![Softplus::default(), Softplus { beta: 2.0 }]
    }
}

impl Activate for Softplus {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        if self.beta == 1.0 { x.softplus() } else { (x * self.beta).softplus() * (1.0 / self.beta) }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("beta", self.beta)
    }
}
