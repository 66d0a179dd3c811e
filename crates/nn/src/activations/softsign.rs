//! Softsign, `y = x/(1 + |x|)`. Glorot & Bengio 2010.

use super::Activate;
use gradus_graph::Node;

plain! {
    /// Softsign, `y = x/(1 + |x|)`: like the hyperbolic tangent, with slower limits. Its derivative at 0 is 1. Glorot & Bengio 2010.
    pub struct Softsign;
}

impl Activate for Softsign {
    #[track_caller]
    fn activate(&self, x: &Node) -> Node {
        x / (x.abs() + 1.0)
    }
}
