//! Rectifier limited to 6, `y = min(max(x, 0), 6)`. Krizhevsky 2010.

use super::Activate;
use gradus_graph::Node;

plain! {
    /// Rectifier limited to 6, `y = min(max(x, 0), 6)`, with derivative 0 at 0 and at 6. Krizhevsky 2010, "Convolutional deep belief
    /// networks on CIFAR-10"; MobileNets use it.
    pub struct Relu6;
}

impl Activate for Relu6 {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x.clamp(0.0, 6.0)
    }

    fn rectifier_slope(&self) -> Option<f64> {
        Some(0.0)
    }
}
