//! Normalisations with running statistics cost nothing when predicting.

mod common;

use common::assert_close;
use gradus_graph::{Engine, Graph, Model, Request, State, fold};
use gradus_kernels::{Pool, Real};
use gradus_nn::activations::Relu;
use gradus_nn::layers::{Activation, BatchNorm, Conv, ConvTranspose, Dense, Dropout, Flatten};
use gradus_nn::{LayerExt, Sequential, seq};

fn network(layers: Sequential, shape: &[usize]) -> Model {
    let g = Graph::new();
    let y = g.input("x", shape).layer(layers);
    g.model(&[("y", &y)]).unwrap()
}

fn noise(stream: u32, len: usize) -> Vec<f64> {
    let mut rng = gradus_tensor::Rng::new(1, stream, 0);
    (0..len).map(|_| rng.uniform() * 2.0 - 1.0).collect()
}

/// A state whose running statistics, scales and shifts are not those of the start.
fn lived_in<T: Real>(model: &Model) -> State<T> {
    let mut state = State::<T>::new(model, 3);
    for (i, variable) in model.variables().iter().enumerate() {
        let values = state.variable_mut(&variable.path).unwrap();
        for (x, change) in values.iter_mut().zip(noise(i as u32, variable.len())) {
            *x = T::from_f64(x.to_f64() + 0.4 * change);
        }
    }
    state
}

fn predict<T: Real>(model: &Model, state: &State<T>, x: &[f64], batch: usize) -> Vec<T> {
    let mut engine = Engine::new(model, Request::predicting(&["y"])).unwrap();
    let x: Vec<T> = x.iter().map(|&x| T::from_f64(x)).collect();
    engine.run(&mut state.clone(), &[&x], batch, 1, &Pool::new(1)).unwrap();
    engine.output("y").unwrap().to_vec()
}

/// The compiled steps without the layers' names.
fn plan(model: &Model, batch: usize) -> String {
    let text = Engine::<f32>::new(model, Request::predicting(&["y"])).unwrap().describe(batch).unwrap();
    text.lines().map(|line| line.split("  //").next().unwrap_or_default().trim_end()).collect::<Vec<_>>().join("\n")
}

fn networks() -> Vec<(Sequential, Vec<usize>, Option<Sequential>)> {
    let relu = || Activation::new(Relu);
    let norm = BatchNorm::default();
    let plain = || Some(seq![Dense::new(16).relu(), Dense::new(3)]);
    vec![
        (seq![Dense::new(16), norm, relu(), Dense::new(3)], vec![8], plain()),
        (seq![Dense::new(16).no_bias(), norm, relu(), Dense::new(3).no_bias(), norm], vec![8], plain()),
        (seq![Dense::new(16), Dropout::new(0.2), norm, relu(), Dense::new(3)], vec![8], plain()),
        (seq![Dense::new(16), Dropout::new(0.2).classic(), norm, relu(), Dense::new(3)], vec![8], plain()),
        (seq![norm, Dense::new(16).relu(), norm, Dense::new(3)], vec![8], plain()),
        (seq![Dense::new(16), BatchNorm { affine: false, ..norm }, relu(), Dense::new(3)], vec![8], plain()),
        // Sequences: the columns of a product are the channels.
        (seq![Dense::new(16), norm, relu(), Dense::new(3)], vec![5, 8], plain()),
        // Images: the filters of a convolution are the channels.
        (
            seq![Conv::new(4, 3).no_bias(), norm, relu(), Flatten, Dense::new(3)],
            vec![2, 6, 5],
            Some(seq![Conv::new(4, 3).relu(), Flatten, Dense::new(3)]),
        ),
        (
            seq![ConvTranspose::new(4, 2), norm, relu(), Conv::new(4, 3).groups(2), Dropout::new(0.1), norm],
            vec![2, 3, 5],
            Some(seq![
                ConvTranspose { activation: Relu.into(), ..ConvTranspose::new(4, 2) },
                Conv::new(4, 3).groups(2)
            ]),
        ),
        (
            seq![Conv::new(4, 3).no_bias(), norm, relu(), Conv::new(3, 1)],
            vec![6, 2],
            Some(seq![Conv::new(4, 3).relu(), Conv::new(3, 1)]),
        ),
        // Where no product is near, the arithmetic stays.
        (seq![relu(), norm, relu()], vec![8], None),
        (seq![BatchNorm { axis: Some(1), ..norm }, Dense::new(3)], vec![5, 8], None),
    ]
}

#[test]
fn folded_networks_predict_the_same_as_fast_as_plain_ones() {
    for (i, (layers, shape, plain)) in networks().into_iter().enumerate() {
        let model = network(layers, &shape);
        let x = noise(99, 7 * shape.iter().product::<usize>());
        let state = lived_in::<f64>(&model);
        let (folded, own) = fold(&model, &state).unwrap();
        let whole = predict(&model, &state, &x, 7);
        assert_close(&format!("network {i}"), &predict(&folded, &own, &x, 7), &whole, (1e-12, 1e-12));
        let single = lived_in::<f32>(&model);
        let (folded, own) = fold(&model, &single).unwrap();
        let less = predict(&folded, &own, &x, 7);
        assert_close(&format!("network {i} in f32"), &less, &whole, (1e-6, 2e-6));
        if let Some(plain) = plain {
            assert_eq!(plan(&folded, 64), plan(&network(plain, &shape), 64), "network {i}");
            assert_ne!(plan(&model, 64), plan(&folded, 64), "network {i} had something to fold");
            assert!(folded.variables().iter().all(|v| !v.path.contains("norm")), "network {i}: {folded}");
        }
    }
}
