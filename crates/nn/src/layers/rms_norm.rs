//! Normalisation by the root mean square, `y = γ·x/√(mean x² + ε)`. Zhang & Sennrich 2019, arXiv:1910.07467.

use super::{Layer, axes};
use crate::check;
use crate::table::Config;
use gradus_graph::{Constant, Node, Role, ShapeError};
use serde::{Deserialize, Serialize};

/// Normalisation by the root mean square, `x: [.., D] -> [.., D]`, `y = γ·x/√(mean x² + ε)`: a layer norm without mean and shift, which
/// does as well in many networks for less work.
///
/// PyTorch's ε is the spacing of its numbers at 1 (1.2e-7 in `f32`); Llama's networks use 1e-5 or 1e-6.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RmsNorm {
    /// Added to the mean square.
    pub eps: f64,
    /// Scale by γ.
    pub affine: bool,
    /// The normalised axes, negative ones counted from the end; never the batch.
    pub axes: Vec<isize>,
}

impl Default for RmsNorm {
    fn default() -> RmsNorm {
        RmsNorm { eps: 1e-6, affine: true, axes: vec![-1] }
    }
}

impl Config for RmsNorm {
    fn examples() -> Vec<RmsNorm> {
        vec![RmsNorm::default(), RmsNorm { eps: 1e-5, affine: false, axes: vec![1, 2] }]
    }
}

impl Layer for RmsNorm {
    fn build(&self, x: &Node) -> Node {
        let sizes = match axes::sizes(x, &self.axes) {
            Ok(sizes) => sizes,
            Err(refused) => return refused,
        };
        let y = x * (x.square().mean(&self.axes[..]) + self.eps).rsqrt();
        match self.affine {
            true => y * axes::over(&x.param("gamma", &sizes, Constant(1.0), Role::Norm), x, &self.axes),
            false => y,
        }
    }

    fn check(&self) -> Result<(), ShapeError> {
        check::positive("eps", self.eps)?;
        axes::check(&self.axes)
    }
}
