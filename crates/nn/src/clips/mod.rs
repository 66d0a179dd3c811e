//! Clipping: gradients that are too large are made smaller before the optimiser sees them.
//!
//! In a recipe: `clip = { global_norm = 1.0 }`. A penalty on weights ([`regularizers`](crate::regularizers)) is part of what is minimised, so its
//! gradient is clipped with the rest; an optimiser's own weight decay comes after.

use gradus_graph::{Node, ShapeError};

/// A way of clipping.
pub trait Clip {
    /// The clipped gradients. Each part is the gradient of one parameter, or of many in one vector.
    fn clip(&self, gradients: Vec<Node>) -> Vec<Node>;

    /// Whether it must see the gradient of each parameter by itself.
    fn by_parameter(&self) -> bool {
        false
    }

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

table! {
    /// Any way of clipping.
    pub enum AnyClip: Clip, "a way of clipping" {
        value::Value, norm::Norm, global_norm::GlobalNorm,
    }
}

/// `g·min(1, c/‖g‖)`, given the square of the norm. A gradient of norm 0 stays 0.
fn scaled(g: &Node, squared_norm: &Node, limit: f64) -> Node {
    g * (limit * squared_norm.rsqrt()).minimum(1.0)
}
