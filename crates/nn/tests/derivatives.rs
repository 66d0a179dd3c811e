//! First and second derivatives of the layers on sequences and of the normalisations against central differences in `f64`.

mod common;

use common::record::record;
use gradus_graph::{Engine, Graph, Kind, Mode, Model, Node, Request, State};
use gradus_kernels::Pool;
use gradus_nn::{AnyLayer, LayerExt};
use gradus_tensor::Rng;
use std::collections::BTreeSet;

const LAYERS: [&str; 16] = [
    "simple_rnn",
    "lstm",
    "gru",
    "attention",
    "transformer_encoder",
    "sinusoidal_positions",
    "learned_positions",
    "time_pooling",
    "self_attention_pooling",
    "attention_pooling",
    "capsule_pooling",
    "batch_norm",
    "layer_norm",
    "rms_norm",
    "instance_norm",
    "group_norm",
];

/// The error allowed, `|a - n| / max(1, |n|)`.
const TOLERANCE: f64 = 1e-7;

fn noise(seed: u64, len: usize) -> Vec<f64> {
    let mut rng = Rng::new(seed, 0, 0);
    (0..len).map(|_| rng.normal()).collect()
}

/// A layer over `x: [B, 6, 4]`, with or without padding, and everything that is to be differentiated.
struct Checked {
    model: Model,
    batch: usize,
    /// Weights of the sums, mask and all: the inputs behind x.
    inputs: Vec<Vec<f64>>,
    /// The trainable parameters; x is checked, too.
    parameters: Vec<String>,
}

impl Checked {
    fn new(layer: &AnyLayer, batch: usize, masked: bool) -> Checked {
        let g = Graph::new();
        let mut inputs = vec![noise(1, batch * 24)];
        let x = g.input("x", [6, 4]);
        let given = match masked {
            true => {
                inputs.push((0..batch).flat_map(|i| (0..6).map(move |t| f64::from(u8::from(t < 6 - i % 4)))).collect());
                x.with_mask(&g.input("there", [6]))
            }
            false => x.clone(),
        };
        let y = given.layer(layer.clone());
        let mut weighted = |node: &Node, name: String| {
            let shape = node.shape();
            inputs.push(noise(10 + inputs.len() as u64, shape.len_at(batch)));
            (node * g.add_input(&name, shape, Kind::Real)).sum_all()
        };
        // A square, so that linear layers have second derivatives, too.
        let penalty = g.penalties().into_iter().map(|p| p.1).reduce(|a, b| a + b).unwrap_or_else(|| g.scalar(0.0));
        let first = weighted(&y.square(), "dy".into()) + penalty;
        let parameters: Vec<String> =
            g.variables().into_iter().filter(|v| v.role.trainable()).map(|v| v.path).collect();
        let mut targets = vec![x];
        for (i, variable) in g.variables().into_iter().enumerate() {
            if variable.role.trainable() {
                targets.push(g.variable_node(i));
            }
        }
        let slopes = g.gradients(&first, &targets.iter().collect::<Vec<_>>()).unwrap();
        let second =
            slopes.iter().enumerate().map(|(i, slope)| weighted(slope, format!("v{i}"))).reduce(|a, b| a + b).unwrap();
        let curves = g.gradients(&second, &targets.iter().collect::<Vec<_>>()).unwrap();
        let mut outputs = vec![("first".to_string(), first), ("second".to_string(), second)];
        for (kind, nodes) in [("slope", slopes), ("curve", curves)] {
            outputs.extend(nodes.into_iter().enumerate().map(|(i, node)| (format!("{kind}{i}"), node)));
        }
        let model = g.model(&outputs.iter().map(|(name, node)| (name.as_str(), node)).collect::<Vec<_>>()).unwrap();
        Checked { model, batch, inputs, parameters }
    }

    /// The largest error of the gradients of a sum.
    fn error(&self, sum: &str, gradient: &str) -> f64 {
        let request = |outputs: &[&str]| Request { mode: Mode::Train, ..Request::predicting(outputs) };
        let names: Vec<String> = (0..=self.parameters.len()).map(|i| format!("{gradient}{i}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut gradients = Engine::new(&self.model, request(&names)).unwrap();
        let mut sums = Engine::new(&self.model, request(&[sum])).unwrap();
        let mut state = State::<f64>::new(&self.model, 3);
        // Away from the kinks at 0 that zero biases put padding on.
        for (i, path) in self.parameters.iter().enumerate() {
            let values = state.variable_mut(path).unwrap();
            let off = noise(100 + i as u64, values.len());
            values.iter_mut().zip(off).for_each(|(value, off)| *value += 0.2 * off);
        }
        let pool = Pool::new(1);
        let mut inputs = self.inputs.clone();
        let batch = self.batch;
        gradients.run(&mut state, &inputs.iter().map(Vec::as_slice).collect::<Vec<_>>(), batch, 1, &pool).unwrap();
        let mut largest: f64 = 0.0;
        for (n, name) in names.iter().enumerate() {
            for (i, &analytic) in gradients.output(name).unwrap().iter().enumerate() {
                let path = n.checked_sub(1).map(|n| self.parameters[n].as_str());
                let value = path.map_or_else(|| inputs[0][i], |path| state.variable(path).unwrap()[i]);
                let mut at = |x: f64| {
                    match path {
                        None => inputs[0][i] = x,
                        Some(path) => state.variable_mut(path).unwrap()[i] = x,
                    }
                    let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
                    sums.run(&mut state, &inputs, batch, 1, &pool).unwrap();
                    sums.output(sum).unwrap()[0]
                };
                // Five points: the error is of order h⁴. Wide differences round less, narrow ones meet no kink: the nearest counts.
                let mut off = |h: f64| {
                    let h = h * value.abs().max(1.0);
                    let (near, far) = (at(value + h) - at(value - h), at(value + 2.0 * h) - at(value - 2.0 * h));
                    let numeric = (8.0 * near - far) / (12.0 * h);
                    (analytic - numeric).abs() / numeric.abs().max(1.0)
                };
                let error = [2e-4, 2e-5, 2e-6].map(&mut off).into_iter().fold(f64::INFINITY, f64::min);
                at(value);
                largest = largest.max(error);
            }
        }
        largest
    }
}

#[test]
fn first_and_second_derivatives_are_those_of_differences() {
    let mut seen = BTreeSet::new();
    for (i, layer) in AnyLayer::examples().iter().filter(|layer| LAYERS.contains(&layer.key())).enumerate() {
        for (batch, masked) in [(3, false), (1, false), (4, true)] {
            let checked = Checked::new(layer, batch, masked);
            for (what, sum, gradient) in [("first gradient", "first", "slope"), ("second gradient", "second", "curve")]
            {
                let error = checked.error(sum, gradient);
                assert!(error < TOLERANCE, "{what} of {layer:?}, batch {batch}, masked {masked}: {error}");
                record(what, layer.key(), &format!("{i}, batch {batch}, masked {masked}"), error);
            }
        }
        seen.insert(layer.key());
    }
    assert_eq!(seen.len(), LAYERS.len());
}
