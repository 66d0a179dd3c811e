//! Folded models predict the same, and hold no more than they need.

mod support;

use gradus_graph::{Constant, Graph, Model, Node, Random, Request, Role, State, Values, fold};
use gradus_tensor::{Rng, Shape};
use support::{difference, normal, run_with};

struct Made {
    g: Graph,
    rng: Rng,
    count: usize,
}

impl Made {
    fn variable(&mut self, shape: &[usize]) -> Node {
        self.count += 1;
        let values = normal(shape.iter().product(), &mut self.rng).iter().map(|v| 1.0 + 0.3 * v).collect();
        self.g.variable(&format!("v{}", self.count), shape, Values(values), Role::Weight)
    }

    /// One number, one per column, or a value computed from such, of some rank.
    fn columns(&mut self, width: usize) -> Node {
        match self.rng.below(5) {
            0 => self.variable(&[width]),
            1 => self.variable(&[1, width]),
            2 => self.variable(&[1]),
            3 => self.g.scalar(1.5),
            _ => (self.variable(&[width]).square() + 1e-3).rsqrt(),
        }
    }

    fn step(&mut self, x: &Node) -> Node {
        let (shape, width) = (x.shape(), x.units());
        match self.rng.below(13) {
            0 | 1 => {
                let out = 1 + self.rng.below(5) as usize;
                let w = self.variable(&[width, out]);
                x.matmul(&w)
            }
            2 => {
                let w = self.variable(&[3, width]);
                x.matmul(&w.transpose())
            }
            3 => x + self.columns(width),
            4 => self.columns(width) - x,
            5 => x - self.columns(width),
            6 => x * self.columns(width),
            7 => x / (self.columns(width).square() + 0.5),
            8 => -x,
            9 => (x * x.random(Random::Bernoulli(0.5))).when_training(&(x * 0.5)),
            10 => x.tanh(),
            11 if shape.rank() == 3 => x.flatten(),
            _ => x.relu() + x * 0.1,
        }
    }
}

fn random_model(seed: u64) -> Model {
    let g = Graph::new();
    let mut made = Made { g: g.clone(), rng: Rng::new(seed, 4, 0), count: 0 };
    let mut y = if seed.is_multiple_of(2) { g.input("x", [4]) } else { g.input("x", [2, 2]) };
    let mut kept = vec![];
    for i in 0..12 {
        y = g.scope(&format!("layer{i}"), || made.step(&y));
        if made.rng.below(6) == 0 {
            kept.push(y.clone());
        }
    }
    let mut outputs: Vec<(String, Node)> = kept.into_iter().enumerate().map(|(i, y)| (format!("y{i}"), y)).collect();
    outputs.push(("last".into(), y));
    g.model(&outputs.iter().map(|(name, y)| (name.as_str(), y)).collect::<Vec<_>>()).unwrap()
}

#[test]
fn random_models_predict_the_same() {
    let (mut before, mut after) = (0, 0);
    for seed in 0..150 {
        let model = random_model(seed);
        let names: Vec<&str> = model.outputs().iter().map(|o| o.0.as_str()).collect();
        let x = vec![normal(5 * 4, &mut Rng::new(seed, 1, 0))];
        let state = State::<f64>::new(&model, 1);
        let (folded, own) = fold(&model, &state).unwrap();
        assert_eq!((folded.inputs(), names.len()), (model.inputs(), folded.outputs().len()));
        let whole = run_with(&model, Request::predicting(&names), &mut state.clone(), &x, 5);
        let less = run_with(&folded, Request::predicting(&names), &mut own.clone(), &x, 5);
        for ((name, a), b) in names.iter().zip(&whole).zip(&less) {
            assert!(difference(a, b) < 1e-12, "seed {seed}, {name}: {}\n{model}\n{folded}", difference(a, b));
        }
        let single = State::<f32>::new(&model, 1);
        let (folded, own) = fold(&model, &single).unwrap();
        let less = run_with(&folded, Request::predicting(&names), &mut own.clone(), &x, 5);
        for ((name, a), b) in names.iter().zip(&whole).zip(&less) {
            assert!(difference(a, b) < 1e-5, "seed {seed}, {name} in f32: {}", difference(a, b));
        }
        before += model.nodes().len();
        after += folded.nodes().len();
    }
    assert!(after < before * 2 / 3, "{before} nodes, {after} after folding");
}

/// `(x·W + b)` normalised with running statistics.
fn normalized(y: &Node, width: usize) -> Node {
    let running = |name: &str| y.param(name, [width], Constant(0.7), Role::Running);
    let norm = |name: &str| y.param(name, [width], Constant(1.3), Role::Norm);
    (y - running("mean")) * ((running("variance") + 1e-5).rsqrt() * norm("gamma")) + norm("beta")
}

#[test]
fn a_normalisation_behind_a_product_leaves_the_product_alone() {
    let g = Graph::new();
    let x = g.input("x", [3]);
    let y = x.scope("dense", |x| {
        let w = x.param("weight", [3, 2], Constant(0.5), Role::Weight);
        x.matmul(&w) + x.param("bias", [2], Constant(0.25), Role::Bias)
    });
    let y = y.scope("norm", |y| normalized(y, 2)).scope("activation", Node::relu);
    let model = g.model(&[("y", &y)]).unwrap();
    let (folded, state) = fold(&model, &State::<f64>::new(&model, 0)).unwrap();
    let expected = "%0 [B, 3] = input \"x\"
%1 [2] = variable \"dense/bias\"  // norm
%2 [3, 2] = variable \"dense/weight\"  // norm
%3 [B, 2] = matmul{transpose_a: false, transpose_b: false}(%0, %2)  // norm
%4 [B, 2] = add(%3, %1)  // norm
%5 [B, 2] = relu(%4)  // activation
output y = %5
";
    assert_eq!(folded.to_string(), expected);
    let scale = 1.3 / (0.7f64 + 1e-5).sqrt();
    assert!((state.variable("dense/weight").unwrap()[0] - 0.5 * scale).abs() < 1e-15);
    assert!((state.variable("dense/bias").unwrap()[0] - ((0.25 - 0.7) * scale + 1.3)).abs() < 1e-15);
}

#[test]
fn a_normalisation_before_a_product_goes_into_it() {
    let g = Graph::new();
    let y = g.input("x", [3]).scope("norm", |x| normalized(x, 3));
    let y = y.scope("dense", |x| x.matmul(&x.param("weight", [3, 2], Constant(0.5), Role::Weight)));
    let model = g.model(&[("y", &y)]).unwrap();
    let (folded, _) = fold(&model, &State::<f64>::new(&model, 0)).unwrap();
    let paths: Vec<&str> = folded.variables().iter().map(|v| v.path.as_str()).collect();
    assert_eq!(paths, ["dense/bias", "dense/weight"]);
    assert_eq!(folded.nodes().len(), 5);
}

#[test]
fn what_others_read_keeps_its_value() {
    // The product is an output too, and its weight is used twice.
    let g = Graph::new();
    let x = g.input("x", [3]);
    let w = g.variable("weight", [3, 3], Constant(0.5), Role::Weight);
    let h = x.matmul(&w);
    let y = (&h * g.variable("scale", [3], Constant(2.0), Role::Norm)).matmul(&w) * 3.0;
    let model = g.model(&[("h", &h), ("y", &y)]).unwrap();
    let (folded, state) = fold(&model, &State::<f64>::new(&model, 0)).unwrap();
    let paths: Vec<&str> = folded.variables().iter().map(|v| v.path.as_str()).collect();
    assert_eq!(paths, ["weight", "weight_1"]);
    assert_eq!((state.variable("weight").unwrap()[0], state.variable("weight_1").unwrap()[0]), (0.5, 3.0));
}

#[test]
fn outputs_may_be_constant_and_draws_stay() {
    let g = Graph::new();
    let w = g.variable("w", [2], Constant(3.0), Role::Weight);
    let noise = g.random(Random::Uniform, Shape::fixed(&[2])) * &w;
    let x = g.input("x", [2]);
    let model = g.model(&[("square", &w.square()), ("noise", &noise), ("sum", &(x + &w + g.step()))]).unwrap();
    let mut state = State::<f64>::new(&model, 9);
    state.step = 4;
    let (folded, mut own) = fold(&model, &state).unwrap();
    let names = ["square", "noise", "sum"];
    let x = vec![vec![1.0, 2.0]];
    let whole = run_with(&model, Request::predicting(&names), &mut state, &x, 1);
    assert_eq!(whole, run_with(&folded, Request::predicting(&names), &mut own, &x, 1));
    assert_eq!(whole[0], [9.0, 9.0]);
    assert_eq!(whole[2], [8.0, 9.0]);
}

#[test]
fn models_with_flat_vectors_stay_as_they_are() {
    let g = Graph::new();
    g.variable("w", [2], Constant(3.0), Role::Weight);
    let model = g.model(&[("norm", &g.flat(&[0]).square().sum_all())]).unwrap();
    let (folded, _) = fold(&model, &State::<f32>::new(&model, 0)).unwrap();
    assert_eq!(folded.to_string(), model.to_string());
}

#[test]
fn small_differences_of_large_numbers_stay_exact() {
    let centred = |center: f64| {
        let g = Graph::new();
        let w = g.variable("w", [1, 2], Values(vec![0.7, -0.3]), Role::Weight);
        let center = g.variable("center", [1], Constant(center), Role::Running);
        let scale = g.variable("scale", [1], Constant(1.25), Role::Norm);
        let y = ((g.input("x", [1]) - &center) * &scale).matmul(&w);
        let model = g.model(&[("y", &y)]).unwrap();
        let folded = fold(&model, &State::<f32>::new(&model, 0)).unwrap().0;
        folded.variables().iter().map(|v| v.path.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(centred(20.0), ["bias", "w"].map(String::from).into(), "scale and shift are in the product");
    assert_eq!(centred(2021.0), ["center", "scale", "w"].map(String::from).into(), "years stay differences of years");
}
