//! The hyperbolic tangent.

use super::Activate;
use gradus_graph::Node;

plain! {
    /// The hyperbolic tangent.
    pub struct Tanh;
}

impl Activate for Tanh {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x.tanh()
    }
}
