//! Shared by the tests: random values and runs of small graphs.
#![allow(dead_code)]

use gradus_graph::op::{Case, Draw};
use gradus_graph::{Engine, Model, Request, State};
use gradus_kernels::{Pool, Real};
use gradus_tensor::Rng;

pub mod record;

/// Values for every input of a case at a batch size.
pub fn values(case: &Case, batch: usize, rng: &mut Rng) -> Vec<Vec<f64>> {
    case.shapes
        .iter()
        .zip(&case.draws)
        .map(|(shape, draw)| (0..shape.len_at(batch)).map(|_| value(*draw, &case.avoid, rng)).collect())
        .collect()
}

fn value(draw: Draw, avoid: &[f64], rng: &mut Rng) -> f64 {
    loop {
        let x = match draw {
            Draw::Within(low, high) => low + (high - low) * rng.uniform(),
            Draw::Below(n) => return f64::from(rng.below(n as u32)),
        };
        if avoid.iter().all(|a| (x - a).abs() > 0.05) {
            return x;
        }
    }
}

pub fn normal(len: usize, rng: &mut Rng) -> Vec<f64> {
    (0..len).map(|_| rng.normal()).collect()
}

/// Runs a model once and returns the named outputs.
pub fn run<T: Real>(model: &Model, request: Request, inputs: &[Vec<f64>], batch: usize) -> Vec<Vec<f64>> {
    let mut state = State::<T>::new(model, 1);
    run_with(model, request, &mut state, inputs, batch)
}

pub fn run_with<T: Real>(
    model: &Model,
    request: Request,
    state: &mut State<T>,
    inputs: &[Vec<f64>],
    batch: usize,
) -> Vec<Vec<f64>> {
    let inputs: Vec<Vec<T>> = inputs.iter().map(|x| x.iter().map(|&v| T::from_f64(v)).collect()).collect();
    let slices: Vec<&[T]> = inputs.iter().map(Vec::as_slice).collect();
    let (names, threads) = (request.outputs.clone(), request.threads);
    let mut engine = Engine::new(model, request).unwrap();
    engine.run(state, &slices, batch, 1, &Pool::new(threads)).unwrap();
    names.iter().map(|n| engine.output(n).unwrap().iter().map(|v| v.to_f64()).collect()).collect()
}

pub fn norm(x: &[f64]) -> f64 {
    x.iter().map(|v| v * v).sum::<f64>().sqrt()
}

/// `‖a - b‖ / (‖a‖ + ‖b‖)`, 0 if both are almost 0.
pub fn difference(a: &[f64], b: &[f64]) -> f64 {
    let distance = norm(&a.iter().zip(b).map(|(x, y)| x - y).collect::<Vec<_>>());
    let size = norm(a) + norm(b);
    if size < 1e-7 { 0.0 } else { distance / size }
}
