//! Layer normalisation, `y = γ·(x - μ)/√(σ² + ε) + β` with each sample's own mean and variance. Ba, Kiros & Hinton 2016,
//! arXiv:1607.06450.

use super::axes::standardize;
use super::{Layer, axes};
use crate::check;
use crate::table::Config;
use gradus_graph::{Constant, Node, Role, ShapeError};
use serde::{Deserialize, Serialize};

/// Layer normalisation, `x: [.., D] -> [.., D]`: each row is brought to mean 0 and variance 1, then scaled and shifted element by
/// element, `y = γ·(x - μ)/√(σ² + ε) + β` with the biased variance.
///
/// It does the same in training and when predicting, and does not look at other samples: the choice for sequences and for small
/// batches. `axes` are the normalised ones, the last by default; `gamma` and `beta` have their shape (PyTorch's `normalized_shape`).
/// ε is 1e-5 as in PyTorch; Keras has 1e-3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f64,
    /// Scale and shift by γ and β.
    pub affine: bool,
    /// The normalised axes, negative ones counted from the end; never the batch.
    pub axes: Vec<isize>,
}

impl Default for LayerNorm {
    fn default() -> LayerNorm {
        LayerNorm { eps: 1e-5, affine: true, axes: vec![-1] }
    }
}

impl Config for LayerNorm {
    fn examples() -> Vec<LayerNorm> {
        let default = LayerNorm::default();
        vec![
            default.clone(),
            LayerNorm { eps: 1e-3, affine: false, ..default.clone() },
            LayerNorm { axes: vec![-2, -1], ..default },
        ]
    }
}

impl Layer for LayerNorm {
    fn build(&self, x: &Node) -> Node {
        let sizes = match axes::sizes(x, &self.axes) {
            Ok(sizes) => sizes,
            Err(refused) => return refused,
        };
        let y = standardize(x, &self.axes, x.mask().as_ref(), self.eps);
        if !self.affine {
            return y;
        }
        let gamma = axes::over(&x.param("gamma", &sizes, Constant(1.0), Role::Norm), x, &self.axes);
        let beta = axes::over(&x.param("beta", &sizes, Constant(0.0), Role::Norm), x, &self.axes);
        y * gamma + beta
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("eps", self.eps)?;
        axes::check(&self.axes)
    }
}
