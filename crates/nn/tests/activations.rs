//! Every activation: values, slopes and second derivatives against PyTorch (see `fixtures/README.md`), against differences, and
//! how it is computed.

mod common;

use common::{assert_close, cast, numbers};
use gradus_graph::{Engine, Graph, Mode, Model, Node, Request, Role, State};
use gradus_kernels::{Pool, Real};
use gradus_nn::activations::{Activate, AnyActivation, Prelu, Rrelu};
use gradus_nn::{LayerExt, layers::Dense};
use serde_json::{Value, json};

fn cases() -> Vec<Value> {
    serde_json::from_str(include_str!("fixtures/activations.json")).unwrap()
}

fn activation(case: &Value) -> AnyActivation {
    serde_json::from_value(json!({ case["key"].as_str().unwrap(): case["settings"] })).unwrap()
}

/// What a model's outputs are for these inputs of rows.
fn run<T: Real>(
    model: &Model,
    outputs: &[&str],
    optimize: bool,
    mode: Mode,
    inputs: &[&[f64]],
    rows: usize,
) -> Vec<Vec<T>> {
    let request = Request { optimize, mode, ..Request::predicting(outputs) };
    let mut engine = Engine::<T>::new(model, request).unwrap();
    let inputs: Vec<Vec<T>> = inputs.iter().map(|x| cast(x)).collect();
    let inputs: Vec<&[T]> = inputs.iter().map(Vec::as_slice).collect();
    engine.run(&mut State::new(model, 1), &inputs, rows, 1, &Pool::new(1)).unwrap();
    outputs.iter().map(|name| engine.output(name).unwrap().to_vec()).collect()
}

/// y, dy/dx and d²y/dx² of an elementwise function.
fn derivatives(activation: &AnyActivation) -> Model {
    let g = Graph::new();
    let x = g.input("x", [1]);
    let y = activation.activate(&x);
    let slope = g.gradients(&y.sum_all(), &[&x]).unwrap().remove(0);
    // A function of straight lines has a slope that no gradient can go through.
    let second = g.gradients(&(slope.sum_all() + x.sum_all()), &[&x]).unwrap().remove(0) - 1.0;
    g.model(&[("y", &y), ("slope", &slope), ("second", &second)]).unwrap()
}

fn is_elementwise(activation: &AnyActivation) -> bool {
    !activation.key().ends_with("softmax")
}

/// Whether a point lies where one straight line meets another.
fn near_corner(x: f64) -> bool {
    [0.0, 2.5, 3.0, 6.0].iter().any(|c| (x.abs() - c).abs() < 0.1)
}

#[test]
fn every_activation_has_a_case() {
    for key in AnyActivation::KEYS {
        assert!(cases().iter().any(|c| c["key"] == *key), "{key}");
    }
}

#[test]
fn values_and_derivatives() {
    for case in cases().iter().filter(|c| c["x"].is_array()) {
        let name = format!("{}{}", case["key"].as_str().unwrap(), case["settings"]);
        let model = derivatives(&activation(case));
        let (x, smooth) = (numbers(&case["x"]), numbers(&case["smooth"]));
        for optimize in [true, false] {
            // 1 + erf and 1 + tanh have no digits left far on the negative side, in any framework.
            let tolerance = (1e-12, 1e-14);
            let [y, slope] = &run::<f64>(&model, &["y", "slope"], optimize, Mode::Predict, &[&x], x.len())[..] else {
                panic!()
            };
            assert_close(&format!("{name} value"), y, &numbers(&case["y"]), tolerance);
            assert_close(&format!("{name} slope"), slope, &numbers(&case["slope"]), tolerance);
            let second = run::<f64>(&model, &["second"], optimize, Mode::Predict, &[&smooth], smooth.len());
            assert_close(&format!("{name} second derivative"), &second[0], &numbers(&case["second"]), tolerance);
        }
        let [y, slope] = &run::<f32>(&model, &["y", "slope"], true, Mode::Predict, &[&x], x.len())[..] else {
            panic!()
        };
        // In `f32` some points next to a corner lie on it.
        let apart: Vec<usize> = (0..x.len()).filter(|&i| x[i] == 0.0 || x[i].abs() > 1e-9).collect();
        let at = |list: &[f64]| apart.iter().map(|&i| list[i]).collect::<Vec<f64>>();
        let near = |list: &[f32]| apart.iter().map(|&i| list[i]).collect::<Vec<f32>>();
        let tolerance = (1e-5, 2e-6);
        assert_close(&format!("{name} value in f32"), &near(y), &at(&numbers(&case["y"])), tolerance);
        assert_close(&format!("{name} slope in f32"), &near(slope), &at(&numbers(&case["slope"])), tolerance);
    }
}

#[test]
fn functions_of_rows() {
    let mut seen = 0;
    for case in cases().iter().filter(|c| c["rows"].is_array()) {
        let g = Graph::new();
        let (x, dy) = (g.input("x", [5]), g.input("dy", [5]));
        let y = activation(case).activate(&x);
        let dx = g.gradients(&(&y * &dy).sum_all(), &[&x]).unwrap().remove(0);
        let model = g.model(&[("y", &y), ("dx", &dx)]).unwrap();
        let inputs = [numbers(&case["rows"]), numbers(&case["dy"])];
        let inputs: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
        let [y, dx] = &run::<f64>(&model, &["y", "dx"], true, Mode::Train, &inputs, 3)[..] else { panic!() };
        assert_close("y", y, &numbers(&case["y"]), common::DOUBLE);
        assert_close("dx", dx, &numbers(&case["dx"]), (1e-12, 1e-14));
        seen += 1;
    }
    assert_eq!(seen, 4);
}

#[test]
fn slopes_are_the_limits_of_differences() {
    const STEP: f64 = 1e-6;
    for activation in AnyActivation::examples().iter().filter(|a| is_elementwise(a)) {
        let model = derivatives(activation);
        let x: Vec<f64> = (-900..900).map(|i| f64::from(i) / 97.0).filter(|&x| !near_corner(x)).collect();
        for mode in [Mode::Train, Mode::Predict] {
            let at = |shift: f64, output: &str| {
                let x: Vec<f64> = x.iter().map(|x| x + shift).collect();
                run::<f64>(&model, &[output], true, mode, &[&x], x.len()).remove(0)
            };
            for (output, derivative) in [("y", "slope"), ("slope", "second")] {
                let (high, low, exact) = (at(STEP, output), at(-STEP, output), at(0.0, derivative));
                for i in 0..x.len() {
                    let difference = (high[i] - low[i]) / (2.0 * STEP);
                    assert!(
                        (difference - exact[i]).abs() < 1e-8,
                        "{activation:?} at {}: {difference} {}",
                        x[i],
                        exact[i]
                    );
                }
            }
        }
    }
}

#[test]
fn numbers_of_any_size_stay_numbers() {
    let x = [1e18, -1e18, 1e10, -1e10, 88.0, -88.0, 104.0, -104.0, 1e-30, -1e-30];
    for activation in AnyActivation::examples().iter().filter(|a| is_elementwise(a)) {
        for mode in [Mode::Train, Mode::Predict] {
            let values = run::<f32>(&derivatives(activation), &["y", "slope", "second"], true, mode, &[&x], x.len());
            assert!(values[..2].iter().flatten().all(|v| v.is_finite()), "{activation:?}: {values:?}");
            // The first two are beyond what a second derivative can square.
            assert!(values[2][2..].iter().all(|v| v.is_finite()), "{activation:?}: {values:?}");
            assert!(values[1].iter().all(|v| v.abs() < 2.0), "{activation:?}: {values:?}");
        }
    }
}

#[test]
fn an_activation_is_one_kernel_or_part_of_the_product() {
    let kernels = |model: &Model, request: Request| {
        let text = Engine::<f32>::new(model, request).unwrap().describe(32).unwrap();
        (text.lines().filter(|l| l.starts_with(' ')).count(), text)
    };
    for activation in AnyActivation::examples().iter().filter(|a| is_elementwise(a)) {
        let g = Graph::new();
        let x = g.input("x", [64]);
        let y = x.layer(Dense::new(64).activation(activation.clone()));
        let model = g.model(&[("y", &y)]).unwrap();
        let (count, text) = kernels(&model, Request::predicting(&["y"]));
        assert!(count <= 2, "{activation:?}:\n{text}");
        let model = {
            let g = Graph::new();
            let (x, dy) = (g.input("x", [64]), g.input("dy", [64]));
            let y = activation.activate(&x);
            let dx = g.gradients(&(&y * &dy).sum_all(), &[&x]).unwrap().remove(0);
            g.model(&[("dx", &dx)]).unwrap()
        };
        let (count, text) = kernels(&model, Request { mode: Mode::Train, ..Request::predicting(&["dx"]) });
        assert_eq!(count, 1, "{activation:?}:\n{text}");
    }
}

#[test]
fn a_parametric_rectifier_learns_its_slopes() {
    let x = [1.0, -2.0, -3.0, -0.5, 4.0, 0.0];
    let dy = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    for (shared, expected) in [(false, vec![-2.0, -4.0, -9.0]), (true, vec![-15.0])] {
        let g = Graph::new();
        let (x_node, dy_node) = (g.input("x", [3]), g.input("dy", [3]));
        let layer = |x: &Node| Prelu { shared, ..Prelu::default() }.activate(x);
        let y = x_node.layer(layer);
        let slope = g.variable_node(0);
        let variable = &g.variables()[0];
        assert_eq!((variable.path.as_str(), variable.role), ("lambda/slope", Role::Norm));
        let gradient = g.gradients(&(&y * &dy_node).sum_all(), &[&slope]).unwrap().remove(0);
        let model = g.model(&[("y", &y), ("gradient", &gradient)]).unwrap();
        let found = run::<f64>(&model, &["y", "gradient"], true, Mode::Train, &[&x, &dy], 2);
        assert_eq!(found[0], [1.0, -0.5, -0.75, -0.125, 4.0, 0.0]);
        assert_eq!(found[1], expected);
    }
}

#[test]
fn a_randomised_rectifier_draws_slopes_when_training() {
    const ROWS: usize = 20_000;
    let (g, rule) = (Graph::new(), Rrelu::default());
    let x = g.input("x", [5]);
    let y = rule.activate(&x);
    let dx = g.gradients(&y.sum_all(), &[&x]).unwrap().remove(0);
    let model = g.model(&[("y", &y), ("dx", &dx)]).unwrap();
    let input = vec![-1.0; ROWS * 5];
    let trained = run::<f64>(&model, &["y", "dx"], true, Mode::Train, &[&input], ROWS);
    let slopes: Vec<f64> = trained[0].iter().map(|y| -y).collect();
    assert_eq!(trained[1], slopes, "the backward pass draws the same slopes");
    assert!(slopes.iter().all(|a| (rule.lower..=rule.upper).contains(a)));
    let mut sorted = slopes.clone();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let distance = sorted.iter().enumerate().fold(0f64, |d, (i, a)| {
        let share = (a - rule.lower) / (rule.upper - rule.lower);
        d.max((share - i as f64 / n).abs()).max(((i + 1) as f64 / n - share).abs())
    });
    assert!(distance * n.sqrt() < 1.95, "Kolmogorov–Smirnov {}", distance * n.sqrt());
    let mean = (1.0 / 8.0 + 1.0 / 3.0) / 2.0;
    let predicted = run::<f64>(&model, &["y", "dx"], true, Mode::Predict, &[&input], ROWS);
    assert!(
        predicted[0].iter().all(|y| (y + mean).abs() < 1e-15) && predicted[1].iter().all(|a| (a - mean).abs() < 1e-15)
    );
    let positive = vec![2.0; ROWS * 5];
    assert_eq!(run::<f64>(&model, &["y"], true, Mode::Train, &[&positive], ROWS)[0], positive);
}

#[test]
fn settings_out_of_range_are_refused() {
    use gradus_nn::activations::{Celu, HardSigmoid, LogSoftmax, Softplus};
    let refused = |a: &dyn Activate| a.check().unwrap_err().expected;
    assert_eq!(refused(&Celu { alpha: 0.0 }), "`alpha` above 0");
    assert_eq!(refused(&Softplus { beta: -1.0 }), "`beta` above 0");
    assert_eq!(refused(&HardSigmoid { alpha: 0.0, beta: 0.5 }), "`alpha` above 0");
    assert_eq!(refused(&LogSoftmax { temperature: f64::NAN }), "`temperature` above 0");
    assert_eq!(refused(&Rrelu { lower: 0.5, upper: 0.25 }), "`upper - lower` of at least 0");
    assert_eq!(refused(&Prelu { slope: f64::INFINITY, shared: false }), "`slope` that is finite");
}
