//! The rule that suits the layer.

use super::{Draw, Fans, Initialize, Xavier};

plain! {
    /// [`Msra`](super::Msra) uniform where an activation like ReLU follows in the same layer, else [`Xavier`] uniform: what the
    /// derivations of the two rules assume. PyTorch starts all its linear layers with [`FanIn`](super::FanIn) uniform, Keras with
    /// [`Xavier`] uniform.
    pub struct Auto;
}

impl Initialize for Auto {
    /// Where no activation is known, as [`Xavier`].
    fn draw(&self, fans: Fans) -> Draw {
        Xavier::default().draw(fans)
    }
}
