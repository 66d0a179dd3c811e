//! Layers: what turns one node into another, with parameters of its own.
//!
//! A layer is one configuration struct. Applied with [`LayerExt::layer`] it works in a scope named after it, so its parameters are
//! `dense/weight`, `dense_1/weight` and so on. It takes its input's size from the node: nobody types it.
//!
//! Sequences are `[B, T, D]`; those that are shorter than T carry a mask, see [`Node::with_mask`]. Applying a layer hands its input's mask on
//! to its output as long as the time axis stays. What works on sequences takes further leading axes as part of the batch.
//!
//! In a recipe: `layers = [ "flatten", { dense = { units = 128, activation = "relu" } }, { dense = { units = 10 } } ]`.

pub(crate) mod axes;
mod held;
mod pooled;
mod recurrent;
mod sequence;
mod sequential;
pub(crate) mod spatial;
mod window;

pub use attention::scaled_dot_product;
pub use dropout::Per;
pub use held::Held;
pub use parallel::Merge;
pub use pooled::Over;
pub use sequential::Sequential;
pub use simple_rnn::Nonlinearity;
pub use time_pooling::TimeMethod;
pub use upsample::UpsampleMode;
pub use window::{Padding, PaddingRule, PerAxis, Sight};

use crate::AnyInit;
use gradus_graph::{Node, ShapeError};

/// Something that turns a node into another. A closure or function `Fn(&Node) -> Node` is one too.
///
/// ```
/// use gradus_graph::{Constant, Graph, Node, Role};
/// use gradus_nn::{Layer, LayerExt};
///
/// /// Scales `x: [.., d]` by its root mean square. Zhang & Sennrich 2019, arXiv:1910.07467.
/// struct RmsNorm;
///
/// impl Layer for RmsNorm {
///     fn build(&self, x: &Node) -> Node {
///         x * x.square().mean(-1).rsqrt() * x.param("gain", [x.units()], Constant(1.0), Role::Norm)
///     }
/// }
///
/// let g = Graph::new();
/// let y = g.input("x", [8]).layer(RmsNorm);
/// assert_eq!(g.variables()[0].path, "rms_norm/gain");
/// ```
pub trait Layer {
    /// The name of its scope. By default the type's name in small letters: `rms_norm` for `RmsNorm`; `lambda` for a closure.
    fn name(&self) -> String {
        scope_name(std::any::type_name::<Self>())
    }

    /// The layer's formula. It is called in the layer's scope.
    fn build(&self, x: &Node) -> Node;

    /// The layers that take this one's place, for a chain that wants no scope of its own.
    fn parts(&self) -> Option<&[Box<dyn Layer>]> {
        None
    }

    /// Replaces an initialisation of weights that was left open ([`init::Auto`](crate::init::Auto)).
    fn set_default_init(&mut self, _init: &AnyInit) {}

    /// The layers that it holds, in the order in which they are built: what a walk over all layers of a network goes through.
    fn held(&self) -> Vec<Held<'_>> {
        vec![]
    }

    /// What an element of the output sees along each axis of space or time, for inputs of these sizes along them, if that is more or other
    /// than its own place: of this the receptive field is counted.
    fn sees(&self, _sizes: &[usize]) -> Option<Vec<Sight>> {
        None
    }

    /// What is wrong with its settings, as far as that can be said without an input.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

impl<F: Fn(&Node) -> Node> Layer for F {
    fn build(&self, x: &Node) -> Node {
        self(x)
    }
}

impl Layer for Box<dyn Layer> {
    fn name(&self) -> String {
        (**self).name()
    }

    fn build(&self, x: &Node) -> Node {
        (**self).build(x)
    }

    fn parts(&self) -> Option<&[Box<dyn Layer>]> {
        (**self).parts()
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        (**self).set_default_init(init);
    }

    fn held(&self) -> Vec<Held<'_>> {
        (**self).held()
    }

    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        (**self).sees(sizes)
    }

    fn check(&self) -> Result<(), ShapeError> {
        (**self).check()
    }
}

/// Applying layers to nodes.
pub trait LayerExt {
    /// The layer's output for this input, built in a scope named after the layer. Errors name the caller's line.
    ///
    /// ```
    /// use gradus_graph::Graph;
    /// use gradus_nn::{LayerExt, layers::Dense};
    /// let y = Graph::new().input("x", [8]).layer(Dense::new(16).relu()).layer(Dense::new(3));
    /// assert_eq!(y.shape().to_string(), "[B, 3]");
    /// ```
    #[track_caller]
    fn layer(&self, layer: impl Layer) -> Node;
}

impl LayerExt for Node {
    #[track_caller]
    fn layer(&self, layer: impl Layer) -> Node {
        apply(self, &layer)
    }
}

table! {
    /// Any layer that a recipe can name.
    pub enum AnyLayer: Layer, "a layer" {
        dense::Dense, conv::Conv, conv_transpose::ConvTranspose, separable_conv::SeparableConv, flatten::Flatten, activation::Activation, maxout::Maxout, dropout::Dropout,
        multi_sample_dropout::MultiSampleDropout, batch_norm::BatchNorm, layer_norm::LayerNorm, rms_norm::RmsNorm,
        group_norm::GroupNorm, instance_norm::InstanceNorm, activity_penalty::ActivityPenalty,
        residual::Residual, parallel::Parallel, concat::Concat, repeat::Repeat, shared::Shared, reshape::Reshape,
        permute::Permute, zero_pad::ZeroPad, upsample::Upsample, network::Network,
        max_pool::MaxPool, avg_pool::AvgPool, lp_pool::LpPool, global_pool::GlobalPool, adaptive_pool::AdaptivePool,
        deform_conv::DeformConv,
        embedding::Embedding, masking::Masking, simple_rnn::SimpleRnn, lstm::Lstm, gru::Gru,
        sinusoidal_positions::SinusoidalPositions, learned_positions::LearnedPositions, attention::Attention,
        transformer_encoder::TransformerEncoder, time_pooling::TimePooling, self_attention_pooling::SelfAttentionPooling,
        attention_pooling::AttentionPooling, capsule_pooling::CapsulePooling,
    }
}

impl Layer for AnyLayer {
    fn name(&self) -> String {
        self.key().into()
    }

    fn build(&self, x: &Node) -> Node {
        (**self).build(x)
    }

    fn set_default_init(&mut self, init: &AnyInit) {
        (**self).set_default_init(init);
    }

    fn held(&self) -> Vec<Held<'_>> {
        (**self).held()
    }

    fn sees(&self, sizes: &[usize]) -> Option<Vec<Sight>> {
        (**self).sees(sizes)
    }

    fn check(&self) -> Result<(), ShapeError> {
        (**self).check()
    }
}

/// Applies a layer in its scope, or its parts each in theirs.
#[track_caller]
pub(crate) fn apply(x: &Node, layer: &dyn Layer) -> Node {
    let Some(parts) = layer.parts() else {
        let build = |x: &Node| match layer.check() {
            _ if x.is_poisoned() => x.clone(),
            Ok(()) => {
                let y = layer.build(x);
                y.inherit_mask(x);
                y
            }
            Err(error) => x.graph().refuse("layer", error),
        };
        return x.scope(&layer.name(), build);
    };
    if parts.is_empty() {
        let error = ShapeError::new("at least one layer", "none", "name the layers of the network in order");
        return x.graph().refuse("layers", error);
    }
    let mut y = x.clone();
    for part in parts {
        y = apply(&y, part);
    }
    y
}

/// `a::b::BatchNorm<T>` -> `batch_norm`
fn scope_name(type_name: &str) -> String {
    let path = type_name.split('<').next().unwrap_or_default();
    let last = path.rsplit("::").next().unwrap_or_default();
    if last.starts_with('{') {
        return "lambda".into();
    }
    let mut name = String::new();
    for c in last.trim_start_matches('&').chars() {
        if c.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.extend(c.to_lowercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scope_names() {
        assert_eq!(scope_name("my::net::Conv2d"), "conv2d");
        assert_eq!(scope_name("my::Wrapper<other::Dense>"), "wrapper");
        assert_eq!(scope_name("my::main::{{closure}}"), "lambda");
        assert_eq!(scope_name("my::residual"), "residual");
    }
}
