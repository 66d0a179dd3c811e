//! Penalties on weights: added to what is minimised, never to what is reported as a network's loss on data.
//!
//! They touch weights only (`Role::Weight`): never biases or the parameters of a normalisation. In a recipe:
//! `regularizer = { l2 = { lambda = 1e-4 } }`. `per_sample` divides a penalty by the batch size (the form `λ/(2m)`, `λ/m` of many courses
//! and of scikit-learn's MLP), `per_weight` by the number of weights that it covers. Keras' `l2(λ)` is `λ·Σw²`: twice ours.
//!
//! In training a penalty joins as its gradient, `g + λw`, inside the optimiser's sweep, which costs next to nothing; its value is
//! computed only where it is asked for.

mod tying;

pub use tying::Tying;

use gradus_graph::{Node, ShapeError, ops};
use gradus_tensor::Shape;

/// A penalty on weights.
///
/// ```
/// use gradus_graph::{Constant, Graph, Role};
/// use gradus_nn::regularizers::{L2, Regularizer};
/// let g = Graph::new();
/// let w = g.variable("w", [3, 2], Constant(1.0), Role::Weight);
/// assert_eq!(L2::new(0.1).penalty(&w, 6).shape().rank(), 0);
/// assert_eq!(L2::new(0.1).gradient(&w, 6).shape(), w.shape());
/// ```
pub trait Regularizer {
    /// Its value for one weight, a single number; `count` is the number of weights that the penalty covers in all.
    fn penalty(&self, w: &Node, count: usize) -> Node;

    /// The gradient of its value, of the weight's shape. It holds for a part of the weights or for all in one vector.
    fn gradient(&self, w: &Node, count: usize) -> Node;

    /// What is wrong with its settings.
    fn check(&self) -> Result<(), ShapeError> {
        Ok(())
    }
}

table! {
    /// Any penalty.
    pub enum AnyRegularizer: Regularizer, "a regularizer" {
        l1::L1, l2::L2, elastic::Elastic,
    }
}

impl Regularizer for AnyRegularizer {
    fn penalty(&self, w: &Node, count: usize) -> Node {
        (**self).penalty(w, count)
    }

    fn gradient(&self, w: &Node, count: usize) -> Node {
        (**self).gradient(w, count)
    }

    fn check(&self) -> Result<(), ShapeError> {
        (**self).check()
    }
}

/// λ as a node, divided by the batch size or the number of weights where that is wanted.
fn strength(w: &Node, lambda: f64, per_sample: bool, per_weight: bool, count: usize) -> Node {
    let lambda = w.graph().scalar(if per_weight { lambda / count.max(1) as f64 } else { lambda });
    if per_sample { lambda / w.graph().apply(ops::Count { of: Shape::batched(&[]) }, &[]) } else { lambda }
}
