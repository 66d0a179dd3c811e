//! Mish, `y = x·tanh(softplus(x))`. Misra 2020, arXiv:1908.08681.

use super::Activate;
use gradus_graph::Node;

plain! {
    /// Mish, `y = x·tanh(ln(1 + eˣ))`. Misra 2020, arXiv:1908.08681.
    pub struct Mish;
}

impl Activate for Mish {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x * x.softplus().tanh()
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(0.0)
    }
}
