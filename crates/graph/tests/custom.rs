//! Ops of the user's own: one from a formula, one from a function on slices.

mod support;

use gradus_graph::op::HostOp;
use gradus_graph::{CustomOp, Grad, Grads, Graph, Kernel, Mode, Node, Request, ShapeError};
use gradus_kernels::Real;
use gradus_kernels::instr::HostKernel;
use gradus_tensor::{Rng, Shape};
use std::sync::Arc;
use support::{difference, normal, run};

/// `y = x³` by a formula.
#[derive(Debug)]
struct Cube;

impl CustomOp for Cube {
    fn name(&self) -> &'static str {
        "cube"
    }

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(dy * x[0].square() * 3.0)]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::map1(|x| x * x.square())
    }
}

/// Running sums along the last axis, by a loop.
#[derive(Debug)]
struct CumulativeSum {
    /// From the last element to the first.
    backwards: bool,
}

impl CustomOp for CumulativeSum {
    fn name(&self) -> &'static str {
        "cumulative_sum"
    }

    fn shape(&self, x: &[&Shape]) -> Result<Shape, ShapeError> {
        Ok(x[0].clone())
    }

    fn grad(&self, _x: &[Node], _y: &Node, dy: &Node) -> Grads {
        vec![Grad::Flow(Node::custom(CumulativeSum { backwards: !self.backwards }, &[dy]))]
    }

    fn kernel(&self, _x: &[Vec<usize>], _y: &[usize]) -> Kernel {
        Kernel::Host(Arc::new(Loop { backwards: self.backwards }))
    }
}

struct Loop {
    backwards: bool,
}

struct Sized {
    backwards: bool,
    columns: usize,
}

impl<T: Real> HostKernel<T> for Sized {
    fn run(&self, x: &[&[T]], y: &mut [T]) {
        for (x, y) in x[0].chunks(self.columns).zip(y.chunks_mut(self.columns)) {
            let mut sum = 0.0;
            for i in 0..x.len() {
                let i = if self.backwards { x.len() - 1 - i } else { i };
                sum += x[i].to_f64();
                y[i] = T::from_f64(sum);
            }
        }
    }
}

impl HostOp for Loop {
    fn single(&self, _x: &[Vec<usize>], y: &[usize]) -> Arc<dyn HostKernel<f32>> {
        Arc::new(Sized { backwards: self.backwards, columns: *y.last().unwrap_or(&1) })
    }

    fn double(&self, _x: &[Vec<usize>], y: &[usize]) -> Arc<dyn HostKernel<f64>> {
        Arc::new(Sized { backwards: self.backwards, columns: *y.last().unwrap_or(&1) })
    }
}

#[test]
fn custom_ops_compute_fuse_and_differentiate() {
    let g = Graph::new();
    let x = g.input("x", [4]);
    let cube = Node::custom(Cube, &[&x]);
    let sums = Node::custom(CumulativeSum { backwards: false }, &[&(&cube + 1.0)]);
    let loss = (sums.square() * 0.5).sum_all();
    let dx = g.gradients(&loss, &[&x]).unwrap().remove(0);
    let model = g.model(&[("sums", &sums), ("loss", &loss), ("dx", &dx)]).unwrap();
    let x = normal(12, &mut Rng::new(1, 0, 0));
    for optimize in [true, false] {
        let request = Request { mode: Mode::Train, optimize, ..Request::predicting(&["sums", "loss", "dx"]) };
        let results = run::<f64>(&model, request.clone(), std::slice::from_ref(&x), 3);
        let mut sum = 0.0;
        for i in 0..4 {
            sum += x[i].powi(3) + 1.0;
            assert!((results[0][i] - sum).abs() < 1e-12);
        }
        let numeric: Vec<f64> = (0..x.len())
            .map(|i| {
                let at = |d: f64| {
                    let mut moved = x.clone();
                    moved[i] += d;
                    run::<f64>(&model, request.clone(), &[moved], 3)[1][0]
                };
                (at(1e-6) - at(-1e-6)) / 2e-6
            })
            .collect();
        assert!(difference(&results[2], &numeric) < 1e-8);
    }
}
