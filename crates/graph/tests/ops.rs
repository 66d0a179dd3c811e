//! Every op of the table: its gradient against central differences in `f64`, its optimised against its naive form, and the same
//! bits for any number of threads.

mod support;

use gradus_graph::op::{Case, Draw};
use gradus_graph::{Graph, GraphError, Kind, Mode, Model, Node, Op, Request};
use gradus_tensor::{Rng, Shape};
use support::record::record;
use support::{difference, normal, run, values};

/// A case as a model: the op's value, a random projection of it as loss, and the loss's gradients where there are any.
struct Check {
    model: Model,
    /// Inputs with a gradient.
    real: Vec<usize>,
    outputs: Vec<String>,
}

fn inputs(g: &Graph, case: &Case) -> Vec<Node> {
    case.shapes
        .iter()
        .zip(&case.draws)
        .enumerate()
        .map(|(i, (shape, draw))| {
            let kind = if matches!(draw, Draw::Below(_)) { Kind::Index } else { Kind::Real };
            g.add_input(&format!("x{i}"), shape.clone(), kind)
        })
        .collect()
}

fn first_order(case: &Case) -> Check {
    let g = Graph::new();
    let x = inputs(&g, case);
    let y = g.apply(case.op.clone(), &x.iter().collect::<Vec<_>>());
    let r = g.add_input("projection", y.shape(), Kind::Real);
    let loss = (&y * &r).sum_all();
    finish(&g, &x, vec![("y".into(), y)], &loss)
}

fn second_order(case: &Case) -> Check {
    let g = Graph::new();
    let x = inputs(&g, case);
    let y = g.apply(case.op.clone(), &x.iter().collect::<Vec<_>>());
    let r = g.add_input("projection", y.shape(), Kind::Real);
    let first = (&y * &r).sum_all();
    let mut loss = g.scalar(0.0);
    for (i, x) in x.iter().enumerate().filter(|(_, x)| x.kind() == Kind::Real) {
        let q = g.add_input(&format!("projection{i}"), x.shape(), Kind::Real);
        match g.gradients(&first, &[x]) {
            Ok(mut dx) => loss = loss + (dx.remove(0) * q).sum_all(),
            Err(GraphError::NoGradient { cut, .. }) if cut.contains("piecewise constant") => {}
            Err(other) => panic!("{other}"),
        }
    }
    finish(&g, &x, vec![], &loss)
}

fn finish(g: &Graph, x: &[Node], mut named: Vec<(String, Node)>, loss: &Node) -> Check {
    named.push(("loss".into(), loss.clone()));
    let mut real = vec![];
    for (i, x) in x.iter().enumerate().filter(|(_, x)| x.kind() == Kind::Real) {
        match g.gradients(loss, &[x]) {
            Ok(mut dx) => {
                real.push(i);
                named.push((format!("d{i}"), dx.remove(0)));
            }
            Err(GraphError::NoGradient { cut, .. }) => {
                let stopped = cut.contains("constant") || cut.contains("on request") || cut.contains("does not depend");
                assert!(stopped, "an unexpected reason for no gradient: {cut}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    let outputs: Vec<(&str, &Node)> = named.iter().map(|(n, x)| (n.as_str(), x)).collect();
    Check { model: g.model(&outputs).unwrap(), real, outputs: named.iter().map(|n| n.0.clone()).collect() }
}

impl Check {
    fn request(&self) -> Request {
        let names: Vec<&str> = self.outputs.iter().map(String::as_str).collect();
        Request { mode: Mode::Train, ..Request::predicting(&names) }
    }

    fn values(&self, case: &Case, batch: usize) -> Vec<Vec<f64>> {
        let mut rng = Rng::new(3, 1, 0);
        let mut x = values(case, batch, &mut rng);
        x.extend(self.model.inputs()[x.len()..].iter().map(|i| normal(i.shape.len_at(batch), &mut rng)));
        x
    }

    /// Compiled gradients against central differences.
    fn gradients(&self, case: &Case, batch: usize, order: &str) {
        let x = self.values(case, batch);
        let results = run::<f64>(&self.model, self.request(), &x, batch);
        let loss = |x: &[Vec<f64>]| {
            run::<f64>(&self.model, Request { mode: Mode::Train, ..Request::predicting(&["loss"]) }, x, batch)[0][0]
        };
        for i in (0..case.shapes.len()).filter(|&i| matches!(case.draws[i], Draw::Within(..))) {
            let numeric: Vec<f64> = (0..x[i].len())
                .map(|j| {
                    let step = 1e-6 * x[i][j].abs().max(1.0);
                    let mut moved = x.clone();
                    moved[i][j] = x[i][j] + step;
                    let up = loss(&moved);
                    moved[i][j] = x[i][j] - step;
                    (up - loss(&moved)) / (2.0 * step)
                })
                .collect();
            let analytic = match self.outputs.iter().position(|n| *n == format!("d{i}")) {
                Some(place) => results[place].clone(),
                None => vec![0.0; numeric.len()],
            };
            let error = difference(&analytic, &numeric);
            record(&format!("{order} gradient"), case.op.name(), &format!("{:?} {batch} {i}", case.op), error);
            assert!(
                error < 1e-7,
                "{order} gradient of {:?} with respect to input {i} at batch {batch}: error {error:.1e}\nanalytic {analytic:?}\nnumeric  {numeric:?}",
                case.op
            );
        }
    }
}

#[test]
fn gradients_agree_with_central_differences() {
    // A stopped gradient differs from the true one on purpose.
    for case in Op::cases().into_iter().filter(|c| !matches!(c.op, Op::StopGradient(_))) {
        for batch in [1, 3] {
            first_order(&case).gradients(&case, batch, "first");
        }
    }
}

#[test]
fn second_gradients_agree_with_central_differences() {
    let mut checked = 0;
    for case in Op::cases().iter().filter(|c| c.second && !c.shapes.is_empty()) {
        second_order(case).gradients(case, 2, "second");
        checked += 1;
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn every_op_has_cases() {
    let cases = Op::cases();
    for name in Op::names() {
        assert!(cases.iter().any(|c| c.op.name() == *name), "`{name}` has no case");
    }
}

#[test]
fn optimised_and_naive_programs_agree() {
    for case in Op::cases() {
        let check = first_order(&case);
        for batch in [1, 3, 17] {
            let x = check.values(&case, batch);
            let fast = run::<f64>(&check.model, check.request(), &x, batch);
            let naive = run::<f64>(&check.model, Request { optimize: false, ..check.request() }, &x, batch);
            for ((name, fast), naive) in check.outputs.iter().zip(&fast).zip(&naive) {
                let error = difference(fast, naive);
                assert!(error < 1e-12, "{name} of {:?} at batch {batch}: {error:.1e}\n{fast:?}\n{naive:?}", case.op);
            }
            let single = run::<f32>(&check.model, check.request(), &x, batch);
            for ((name, single), naive) in check.outputs.iter().zip(&single).zip(&naive) {
                let error = difference(single, naive);
                assert!(error < 1e-5, "{name} of {:?} in f32 at batch {batch}: {error:.1e}", case.op);
            }
        }
        assert!(check.real.len() <= case.shapes.len());
    }
}

#[test]
fn threads_do_not_change_a_bit() {
    for case in Op::cases() {
        let check = first_order(&case);
        let batch = 501;
        let x = check.values(&case, batch);
        let one = run::<f32>(&check.model, check.request(), &x, batch);
        for threads in [2, 3] {
            let many = run::<f32>(&check.model, Request { threads, ..check.request() }, &x, batch);
            let bits = |v: &[Vec<f64>]| v.iter().flatten().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&one), bits(&many), "{:?} with {threads} threads", case.op);
        }
    }
}

#[test]
fn shapes_that_do_not_fit_are_refused_with_the_line() {
    let g = Graph::new();
    let x = g.input("x", [3]);
    let w = g.add_input("w", Shape::fixed(&[4, 2]), Kind::Real);
    let y = g.scope("dense", || x.matmul(&w));
    let z = (&y + 1.0).relu();
    let error = g.model(&[("z", &z)]).unwrap_err().to_string();
    assert!(error.contains("`matmul` in `dense`"), "{error}");
    assert!(error.contains("tests/ops.rs:"), "{error}");
    assert!(error.contains("[B, 3] × [4, 2]"), "{error}");
    assert!(error.contains("help:"), "{error}");
}

#[test]
fn a_cut_gradient_is_an_error_that_says_where() {
    use gradus_graph::{Constant, Role};
    let g = Graph::new();
    let w = g.variable("w", [2], Constant(1.0), Role::Weight);
    let loss = w.gt(0.5).sum_all();
    let error = g.gradients(&loss, &[&w]).unwrap_err().to_string();
    assert!(error.contains("`w`") && error.contains("piecewise constant"), "{error}");
    let other = g.input("x", [1]).mean_all();
    let error = g.gradients(&other, &[&w]).unwrap_err().to_string();
    assert!(error.contains("does not depend"), "{error}");
}

#[test]
fn a_variable_beyond_all_memory_is_refused() {
    use gradus_graph::{Constant, Role};
    for size in [1 << 40, usize::MAX] {
        let g = Graph::new();
        let x = g.input("x", [3]);
        let y = g.scope("dense", || x.matmul(&g.variable("weight", [3, size], Constant(0.0), Role::Weight)));
        let error = g.model(&[("y", &y.relu())]).unwrap_err().to_string();
        assert!(error.contains("`variable` in `dense`") && error.contains("at most 2³² values"), "{error}");
    }
}
