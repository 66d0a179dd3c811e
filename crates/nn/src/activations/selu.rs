//! Scaled exponential linear unit, `y = λ·x` where x > 0, else `λα(eˣ - 1)`. Klambauer et al. 2017, arXiv:1706.02515.

use super::Activate;
use crate::AnyInit;
use crate::init::{Distribution, Lecun};
use gradus_graph::Node;

plain! {
    /// Scaled exponential linear unit, `y = λ·x` where x > 0, else `λα(eˣ - 1)`, with λ 1.0507… and α 1.6733…, for which mean 0 and
    /// variance 1 are a stable fixed point from layer to layer. Its derivative at 0 is λα. Klambauer et al. 2017, arXiv:1706.02515.
    ///
    /// Weights before it start [`Lecun`] normal unless told otherwise, as the paper's derivation asks; PyTorch and Keras leave that to
    /// the user.
    pub struct Selu;
}

/// The scale λ.
const SCALE: f64 = 1.050_700_987_355_480_5;
/// α: the limit on the negative side is `-λα`.
const ALPHA: f64 = 1.673_263_242_354_377_2;

impl Activate for Selu {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x.elu(ALPHA) * SCALE
    }

    fn weight_init(&self) -> AnyInit {
        Lecun { distribution: Distribution::Normal, ..Lecun::default() }.into()
    }
}
