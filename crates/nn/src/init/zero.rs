//! All zero.

use super::{Draw, Fans, Initialize};

plain! {
    /// All zero: right for biases. Weights that all start at zero stay equal to each other in a net of several layers.
    pub struct Zero;
}

impl Initialize for Zero {
    fn draw(&self, _fans: Fans) -> Draw {
        Draw::Constant(0.0)
    }
}
