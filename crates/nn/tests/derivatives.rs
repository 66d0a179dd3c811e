//! First and second derivatives of the layers and of the poolings of regions against central differences in `f64`.

mod common;

use common::record::record;
use gradus_graph::{Engine, Graph, Kind, Mode, Model, Node, Request, State};
use gradus_kernels::Pool;
use gradus_nn::regions::{DeformRoiPool, RoiAlign, RoiPool};
use gradus_nn::{AnyLayer, LayerExt};
use gradus_tensor::{Rng, Shape};
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

/// Over images [4, 5, 6], and over sequences where their settings are for one axis.
const WINDOWS: [&str; 9] = [
    "conv",
    "conv_transpose",
    "separable_conv",
    "deform_conv",
    "max_pool",
    "avg_pool",
    "lp_pool",
    "global_pool",
    "adaptive_pool",
];

/// Over rows [6], or over sequences or images where they want those.
const OTHERS: [&str; 17] = [
    "dense",
    "flatten",
    "activation",
    "maxout",
    "dropout",
    "multi_sample_dropout",
    "activity_penalty",
    "residual",
    "parallel",
    "concat",
    "repeat",
    "shared",
    "reshape",
    "permute",
    "zero_pad",
    "upsample",
    "masking",
];

/// Over ids, which have no gradient; networks are made of the layers above.
const ELSEWHERE: [&str; 2] = ["embedding", "network"];

/// The error allowed, `|a - n| / max(1, |n|)`.
const TOLERANCE: f64 = 1e-7;

fn noise(seed: u64, len: usize) -> Vec<f64> {
    let mut rng = Rng::new(seed, 0, 0);
    (0..len).map(|_| rng.normal()).collect()
}

/// A function of `x`, and everything that is to be differentiated.
struct Checked {
    model: Model,
    batch: usize,
    /// Weights of the sums, mask and all: the inputs behind x.
    inputs: Vec<Vec<f64>>,
    /// The trainable parameters; x is checked, too.
    parameters: Vec<String>,
}

impl Checked {
    /// A layer over `x: [B, 6, 4]`, with or without padding.
    fn new(layer: &AnyLayer, batch: usize, masked: bool) -> Checked {
        Checked::of(&[6, 4], batch, |x, inputs| {
            let there = (0..batch).flat_map(|i| (0..6).map(move |t| f64::from(u8::from(t < 6 - i % 4)))).collect();
            let given = match masked {
                true => {
                    inputs.push(there);
                    x.with_mask(&x.graph().input("there", [6]))
                }
                false => x.clone(),
            };
            given.layer(layer.clone())
        })
    }

    /// Any function of `x: [B, ..shape]`, which may add inputs of its own with their values.
    fn of(shape: &[usize], batch: usize, f: impl Fn(&Node, &mut Vec<Vec<f64>>) -> Node) -> Checked {
        let g = Graph::new();
        let mut inputs = vec![noise(1, batch * shape.iter().product::<usize>())];
        let x = g.input("x", shape);
        let y = f(&x, &mut inputs);
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
            check(layer.key(), &format!("{i}, batch {batch}, masked {masked}"), &checked);
        }
        seen.insert(layer.key());
    }
    assert_eq!(seen.len(), LAYERS.len());
}

/// First and second derivatives, checked and recorded.
fn check(subject: &str, case: &str, checked: &Checked) {
    for (what, sum, gradient) in [("first gradient", "first", "slope"), ("second gradient", "second", "curve")] {
        let error = checked.error(sum, gradient);
        assert!(error < TOLERANCE, "{what} of {subject}, {case}: {error}");
        record(what, subject, case, error);
    }
}

#[test]
fn rows_and_what_holds_layers() {
    let mut seen = BTreeSet::new();
    for (i, layer) in AnyLayer::examples().iter().filter(|layer| OTHERS.contains(&layer.key())).enumerate() {
        let fits = |shape: &&[usize]| !Graph::new().input("x", *shape).layer(layer.clone()).is_poisoned();
        let shapes: [&[usize]; 6] = [&[6], &[4], &[3], &[6, 4], &[2, 3], &[2, 3, 4]];
        let shape = shapes.into_iter().find(fits).unwrap_or_else(|| panic!("no input for {layer:?}"));
        let batch = 1 + i % 3;
        let checked = Checked::of(shape, batch, |x, _| x.layer(layer.clone()));
        check(layer.key(), &format!("{i}, {shape:?}, batch {batch}"), &checked);
        seen.insert(layer.key());
    }
    assert_eq!(seen.len(), OTHERS.len());
}

#[test]
fn no_layer_is_left_out() {
    let known = [&LAYERS[..], &WINDOWS, &OTHERS, &ELSEWHERE].concat();
    let left: Vec<_> = AnyLayer::KEYS.iter().filter(|key| !known.contains(key)).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn windows_over_images_and_sequences() {
    let mut seen = BTreeSet::new();
    for (i, layer) in AnyLayer::examples().iter().filter(|layer| WINDOWS.contains(&layer.key())).enumerate() {
        let fits = |shape: &[usize]| !Graph::new().input("x", shape).layer(layer.clone()).is_poisoned();
        let shape: &[usize] = if fits(&[4, 5, 6]) { &[4, 5, 6] } else { &[6, 4] };
        let batch = 1 + i % 2;
        let mut checked = Checked::of(shape, batch, |x, _| x.layer(layer.clone()));
        // Powers of |x| bend without bound at 0.
        checked.inputs[0].iter_mut().for_each(|x| *x += 0.3f64.copysign(*x));
        check(layer.key(), &format!("{i}, {shape:?}, batch {batch}"), &checked);
        seen.insert(layer.key());
    }
    assert_eq!(seen.len(), WINDOWS.len());
}

#[test]
fn regions_of_images() {
    // Inside, over an edge, thin, and larger than the image.
    let rows = [
        0.0, 1.27, 0.73, 4.41, 5.13, 1.0, 3.07, 2.11, 5.29, 9.37, 0.0, 2.3, 1.1, 2.43, 4.21, 1.0, -2.17, -1.3, 12.1,
        9.9,
    ];
    let boxes = |x: &Node, inputs: &mut Vec<Vec<f64>>| {
        inputs.push(rows.to_vec());
        x.graph().add_input("boxes", Shape::fixed(&[4, 5]), Kind::Real)
    };
    for (output, scale) in [([2, 2], 1.0), ([3, 1], 0.5), ([1, 2], 0.75)] {
        let case = format!("{output:?}, scale {scale}");
        let pool = |x: &Node, inputs: &mut Vec<Vec<f64>>| RoiPool::new(output, scale).apply(x, &boxes(x, inputs));
        check("roi_pool", &case, &Checked::of(&[2, 6, 7], 2, pool));
        let align = |x: &Node, inputs: &mut Vec<Vec<f64>>| RoiAlign::new(output, scale).apply(x, &boxes(x, inputs));
        check("roi_align", &case, &Checked::of(&[2, 6, 7], 2, align));
        let deform =
            |x: &Node, inputs: &mut Vec<Vec<f64>>| DeformRoiPool::new(output, scale).apply(x, &boxes(x, inputs));
        check("deform_roi_pool", &case, &Checked::of(&[2, 6, 7], 2, deform));
    }
}
