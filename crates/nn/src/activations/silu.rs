//! Sigmoid-weighted linear unit (Swish), `y = x·σ(x)`. Elfwing et al. 2018, arXiv:1702.03118.

use super::Activate;
use gradus_graph::Node;

plain! {
    /// Sigmoid-weighted linear unit, `y = x·σ(x)`; Keras and ONNX call it Swish too. Elfwing et al. 2018, arXiv:1702.03118.
    pub struct Silu;
}

impl Activate for Silu {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x * x.sigmoid()
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(0.0)
    }
}
