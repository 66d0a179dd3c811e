//! All axes but the first as one.

use super::Layer;
use gradus_graph::Node;

plain! {
    /// All axes but the first as one, `x: [B, …] -> [B, F]`: from an image to a row of features.
    pub struct Flatten;
}

impl Layer for Flatten {
    fn build(&self, x: &Node) -> Node {
        x.flatten()
    }
}
