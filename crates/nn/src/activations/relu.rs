//! Rectifier, `y = max(x, 0)`, with derivative 0 at 0. Nair & Hinton 2010.

use super::Activate;
use gradus_graph::Node;

plain! {
    /// Rectifier, `y = max(x, 0)`, with derivative 0 at 0. Nair & Hinton 2010.
    pub struct Relu;
}

impl Activate for Relu {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x.relu()
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(0.0)
    }
}
