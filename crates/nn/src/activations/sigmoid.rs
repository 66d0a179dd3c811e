//! The logistic function, `y = 1/(1 + e⁻ˣ)`.

use super::Activate;
use gradus_graph::Node;

plain! {
    /// The logistic function, `y = 1/(1 + e⁻ˣ)`.
    pub struct Sigmoid;
}

impl Activate for Sigmoid {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x.sigmoid()
    }
}
