//! The identity, `y = x`.

use super::Activate;
use gradus_graph::Node;

plain! {
    /// The identity, `y = x`.
    pub struct Identity;
}

impl Activate for Identity {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x.clone()
    }
}
