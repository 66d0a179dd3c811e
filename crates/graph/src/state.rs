//! The values of a model: parameters, optimiser slots, running statistics, and the counters that make a run repeatable.

use crate::init::stream;
use crate::model::{Frozen, Model, Variable, padded};
use gradus_kernels::{Buffer, Real};
use gradus_tensor::Rng;
use std::sync::Arc;

/// Where each variable lies in the one block that holds them all. The variables of a flat vector lie side by side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) variables: Vec<usize>,
    pub(crate) flats: Vec<usize>,
    pub(crate) len: usize,
}

impl Layout {
    pub(crate) fn new(model: &Frozen) -> Layout {
        let mut next = 0;
        let mut variables = vec![usize::MAX; model.variables.len()];
        let mut place = |v: usize| {
            variables[v] = next;
            next += padded(model.variables[v].len());
            variables[v]
        };
        let mut flats = vec![];
        for flat in &model.flats {
            let starts: Vec<usize> = flat.iter().map(|&v| place(v)).collect();
            flats.push(starts.first().copied().unwrap_or(0));
        }
        for v in 0..model.variables.len() {
            if !model.flats.iter().any(|f| f.contains(&v)) {
                place(v);
            }
        }
        Layout { variables, flats, len: next }
    }
}

/// The values of a model's variables in one aligned block, with the seed and step of its random numbers. `T` is `f32` or `f64`.
///
/// ```
/// use gradus_graph::{Constant, Graph, Role, State};
/// let g = Graph::new();
/// let w = g.variable("w", [2], Constant(3.0), Role::Weight);
/// let model = g.model(&[("w", &w)]).unwrap();
/// let mut state = State::<f32>::new(&model, 0);
/// assert_eq!(state.variable("w"), Some(&[3.0, 3.0][..]));
/// state.variable_mut("w").unwrap()[0] = 1.0;
/// ```
#[derive(Clone)]
pub struct State<T: Real> {
    /// The seed of all random numbers.
    pub seed: u64,
    /// The number of training steps done.
    pub step: u64,
    pub(crate) values: Buffer<T>,
    pub(crate) layout: Arc<Layout>,
    model: Arc<Frozen>,
}

impl<T: Real> State<T> {
    /// First values by each variable's own rule and generator, keyed by the seed and the variable's path.
    pub fn new(model: &Model, seed: u64) -> State<T> {
        let layout = Layout::new(&model.inner);
        let mut values = Buffer::zeroed(layout.len);
        for (variable, &start) in model.inner.variables.iter().zip(&layout.variables) {
            begin(variable, seed, &mut values[start..start + variable.len()]);
        }
        State { seed, step: 0, values, layout: Arc::new(layout), model: model.inner.clone() }
    }

    /// Gives the variables that start anew in each epoch ([`Graph::restart_each_epoch`](crate::Graph::restart_each_epoch)) their
    /// initial values. A trainer calls it before the first step of an epoch.
    pub fn begin_epoch(&mut self) {
        for &v in &self.model.hooks.restarts {
            let (variable, start) = (&self.model.variables[v], self.layout.variables[v]);
            begin(variable, self.seed, &mut self.values[start..start + variable.len()]);
        }
    }

    /// The variables in the order they were made.
    pub fn variables(&self) -> impl Iterator<Item = (&Variable, &[T])> {
        self.model
            .variables
            .iter()
            .zip(&self.layout.variables)
            .map(|(v, &start)| (v, &self.values[start..start + v.len()]))
    }

    /// A variable's values, in row-major order.
    pub fn variable(&self, path: &str) -> Option<&[T]> {
        self.variables().find(|(v, _)| v.path == path).map(|(_, values)| values)
    }

    /// A variable's values, to change.
    pub fn variable_mut(&mut self, path: &str) -> Option<&mut [T]> {
        let index = self.model.variables.iter().position(|v| v.path == path)?;
        let start = self.layout.variables[index];
        Some(&mut self.values[start..start + self.model.variables[index].len()])
    }

    /// Takes over the values of all variables that have the same path and size in another state, of any precision, and says how
    /// many they were.
    pub fn copy_from<S: Real>(&mut self, other: &State<S>) -> usize {
        let mut copied = 0;
        for (variable, values) in other.variables() {
            if let Some(own) = self.variable_mut(&variable.path).filter(|own| own.len() == values.len()) {
                for (x, y) in own.iter_mut().zip(values) {
                    *x = T::from_f64(y.to_f64());
                }
                copied += 1;
            }
        }
        copied
    }
}

/// A variable's first values.
fn begin<T: Real>(variable: &Variable, seed: u64, values: &mut [T]) {
    let mut rng = Rng::new(seed, stream(&variable.path), u64::MAX);
    for (x, v) in values.iter_mut().zip(variable.init.values(&variable.shape, &mut rng)) {
        *x = T::from_f64(v);
    }
}
