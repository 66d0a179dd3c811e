//! How large a network's weights are: what penalties and regularisers are judged by.

use gradus_graph::{Role, State};
use serde::{Deserialize, Serialize};

/// Sums, counts of small values and norms of all weights: matrices, kernels and embeddings, without biases, scales and shifts.
///
/// ```
/// use gradus_graph::{Constant, Graph, Role, State};
/// use gradus_train::WeightSummary;
/// let g = Graph::new();
/// let w = g.variable("dense/weight", [2, 2], Constant(-0.5), Role::Weight);
/// let state = State::<f32>::new(&g.model(&[("w", &w)])?, 0);
/// let summary = WeightSummary::of(&state);
/// assert_eq!((summary.weights, summary.absolute, summary.below), (4, 2.0, [0, 0, 0]));
/// assert_eq!((summary.layers[0].l1, summary.layers[0].l2), (2.0, 1.0));
/// # Ok::<(), gradus_graph::GraphError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WeightSummary {
    /// How many there are.
    pub weights: u64,
    /// The sum of their absolute values.
    pub absolute: f64,
    /// How many are nearer to 0 than each of [`WeightSummary::BOUNDS`].
    pub below: [u64; 3],
    /// Each layer's, in the order of the network.
    pub layers: Vec<LayerWeights>,
}

/// The weights of one variable.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerWeights {
    /// Its path, such as `dense_1/weight`.
    pub path: String,
    /// How many there are.
    pub weights: u64,
    /// `Σ|w|`.
    pub l1: f64,
    /// `√Σw²`.
    pub l2: f64,
}

impl WeightSummary {
    /// The bounds under which weights are counted.
    pub const BOUNDS: [f64; 3] = [1e-2, 1e-4, 1e-5];

    /// Of all weights of a state.
    pub fn of(state: &State<f32>) -> WeightSummary {
        let mut summary = WeightSummary::default();
        for (variable, values) in state.variables().filter(|(variable, _)| variable.role == Role::Weight) {
            let absolute = || values.iter().map(|&w| f64::from(w).abs());
            let l1: f64 = absolute().sum();
            let l2 = absolute().map(|w| w * w).sum::<f64>().sqrt();
            for (count, bound) in summary.below.iter_mut().zip(WeightSummary::BOUNDS) {
                *count += absolute().filter(|&w| w < bound).count() as u64;
            }
            summary.weights += values.len() as u64;
            summary.absolute += l1;
            summary.layers.push(LayerWeights { path: variable.path.clone(), weights: values.len() as u64, l1, l2 });
        }
        summary
    }
}
