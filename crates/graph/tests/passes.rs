//! Passes keep what a graph computes: random graphs, optimised and naive, on several batch sizes and thread counts.

mod support;

use gradus_graph::{Constant, Engine, Graph, Mode, Model, Node, Random, Request, Role, State, Window, ops};
use gradus_kernels::Pool;
use gradus_tensor::Rng;
use support::{difference, normal, run, run_with};

/// A random graph over an input `[B, 4, 3]` with gradients of some of its variables.
fn random_model(seed: u64) -> Model {
    let mut rng = Rng::new(seed, 9, 0);
    let g = Graph::new();
    let x = g.input("x", [4, 3]);
    let w = g.variable("w", [3, 5], gradus_graph::Values(normal(15, &mut rng)), Role::Weight);
    let b = g.variable("b", [5], gradus_graph::Values(normal(5, &mut rng)), Role::Bias);
    let image = x.reshape(gradus_tensor::Shape::batched(&[2, 2, 3])).permute([0, 3, 1, 2]);
    let rows = x.reshape(gradus_tensor::Shape::batched(&[12]));
    let mut pool: Vec<Node> = vec![x.clone(), x.matmul(&w) + &b, rows, image];
    for _ in 0..24 {
        let pick = |rng: &mut Rng| pool[rng.below(pool.len() as u32) as usize].clone();
        let (a, c) = (pick(&mut rng), pick(&mut rng));
        let last = a.shape().rank() as isize - 1;
        let y = match rng.below(20) {
            0 => a.tanh(),
            1 => a.sigmoid() * 2.0 + &a,
            2 => a.relu(),
            3 => a.square() * 0.1,
            4 if a.shape() == c.shape() => &a + &c,
            5 if a.shape() == c.shape() => a.maximum(&c) * &a * 0.5,
            6 => a.softmax(),
            7 => &a - a.mean(last as i32),
            8 => a.sum([0, last]) * 0.1,
            9 if a.shape().rank() == 3 => a.transpose() * 1.0,
            10 if a.units() > 2 => a.slice(last, 1..a.units()),
            11 => Node::concat(&[&a, &(&a * -1.0)], last),
            12 => a.max(last as i32).tanh(),
            13 => &a * a.random(Random::Bernoulli(0.5)) * 2.0,
            14 => a.gt(0.2).select(&a, &(&a * 0.3)),
            15 if a.shape().rank() == 3 => a.matmul(&a.transpose()).tanh(),
            16 => (&a * 0.5 + 0.0) / 2.0 * 1.0,
            17 if a.shape().rank() == 4 => a.permute([0, 2, 3, 1]) * 0.5,
            18 if a.shape().rank() == 4 => &a - a.mean([0, 2, 3]),
            _ => a.flatten(),
        };
        pool.push(y.tanh());
    }
    let mut loss = (&pool[1] * 0.1).mean_all();
    for node in &pool[4..] {
        loss = loss + node.mean_all();
    }
    let grads = g.gradients(&loss, &[&w, &b, &x]).unwrap();
    let last = pool.last().unwrap().clone();
    g.model(&[("loss", &loss), ("dw", &grads[0]), ("db", &grads[1]), ("dx", &grads[2]), ("last", &last)]).unwrap()
}

#[test]
fn random_graphs_compute_the_same_optimised_and_naive() {
    for seed in 0..60 {
        let model = random_model(seed);
        let request = Request { mode: Mode::Train, ..Request::predicting(&["loss", "dw", "db", "dx", "last"]) };
        for batch in [1, 6] {
            let x = vec![normal(batch * 12, &mut Rng::new(seed, 1, 0))];
            let naive = run::<f64>(&model, Request { optimize: false, ..request.clone() }, &x, batch);
            let fast = run::<f64>(&model, request.clone(), &x, batch);
            for (i, (fast, naive)) in fast.iter().zip(&naive).enumerate() {
                let error = difference(fast, naive);
                assert!(error < 1e-11, "seed {seed}, batch {batch}, {}: {error:.1e}", request.outputs[i]);
            }
            let one = run::<f32>(&model, request.clone(), &x, batch);
            let two = run::<f32>(&model, Request { threads: 2, ..request.clone() }, &x, batch);
            assert_eq!(one, two, "seed {seed}: threads change the result");
        }
    }
}

/// Normalisation over the batch, large enough to be worth fewer passes: values, gradients and how often the values are gone through.
#[test]
fn centred_values_are_gone_through_once() {
    let g = Graph::new();
    let x = g.input("x", [64, 8]);
    let scale = g.variable("scale", [8], gradus_graph::Values(normal(8, &mut Rng::new(1, 0, 0))), Role::Weight);
    let centred = &x - x.mean([0, 1]);
    let variance = centred.square().mean([0, 1]);
    let y = &centred * ((&variance + 1e-5).rsqrt() * &scale);
    let dy = g.input("dy", [64, 8]);
    let mut gradients = g.gradients(&(&y * dy).sum_all(), &[&x, &scale]).unwrap();
    let (dscale, dx) = (gradients.pop().unwrap(), gradients.pop().unwrap());
    let model = g.model(&[("variance", &variance), ("y", &y), ("dx", &dx), ("dscale", &dscale)]).unwrap();
    let request = Request { mode: Mode::Train, ..Request::predicting(&["variance", "y", "dx", "dscale"]) };
    let batch = 70;
    let mut rng = Rng::new(2, 0, 0);
    for (offset, error32) in [(0.0, 2e-6), (30.0, 2e-5)] {
        let far = |x: f64| x + offset;
        let x = vec![normal(batch * 512, &mut rng).into_iter().map(far).collect(), normal(batch * 512, &mut rng)];
        let naive = run::<f64>(&model, Request { optimize: false, ..request.clone() }, &x, batch);
        let fast = run::<f64>(&model, request.clone(), &x, batch);
        let single = run::<f32>(&model, request.clone(), &x, batch);
        for ((name, naive), (fast, single)) in request.outputs.iter().zip(&naive).zip(fast.iter().zip(&single)) {
            let (double, single) = (difference(fast, naive), difference(single, naive));
            assert!(double < 1e-12, "{name}, offset {offset}: {double:.1e}");
            assert!(single < error32, "{name} in f32, offset {offset}: {single:.1e}");
        }
    }
    let mut engine = Engine::<f32>::new(&model, Request { mode: Mode::Train, ..Request::predicting(&["dx"]) }).unwrap();
    let plan = engine.describe(batch).unwrap();
    assert_eq!(plan.matches("map [70, 64, 8]").count(), 3, "{plan}");
    assert!(!plan.contains("reduce reduce reduce"), "mean and variance take two sums: {plan}");
}

/// A convolution with bias and rectifier before windows' largest elements: both run on the pooled values, forward and back.
#[test]
fn rectifiers_run_behind_max_pooling() {
    let g = Graph::new();
    let x = g.input("x", [9, 9, 3]);
    let mut rng = Rng::new(3, 0, 0);
    let mut variable = |name: &str, sizes: &[usize]| {
        let values = normal(sizes.iter().product(), &mut rng);
        g.variable(name, sizes, gradus_graph::Values(values), Role::Weight)
    };
    let (w, b) = (variable("w", &[3, 3, 3, 8]), variable("b", &[8]));
    let conv = ops::Conv { windows: vec![Window::new(3); 2], groups: 1 };
    let above = (g.apply(conv, &[&x, &w]) + &b).relu();
    for (stride, size) in [(2, 2), (1, 3), (3, 2)] {
        let axis = Window::new(size).stride(stride).into();
        let y = above.max_pool(&[axis, axis]);
        let loss = y.square().sum_all();
        let gradients = g.gradients(&loss, &[&x, &w, &b]).unwrap();
        let model = g.model(&[("y", &y), ("dx", &gradients[0]), ("dw", &gradients[1]), ("db", &gradients[2])]).unwrap();
        let request = Request { mode: Mode::Train, ..Request::predicting(&["y", "dx", "dw", "db"]) };
        let x = vec![normal(4 * 243, &mut Rng::new(4, 0, 0))];
        let naive = run::<f64>(&model, Request { optimize: false, ..request.clone() }, &x, 4);
        let fast = run::<f64>(&model, request.clone(), &x, 4);
        assert_eq!(fast[0], naive[0], "values are the same to the bit");
        for (fast, naive) in fast.iter().zip(&naive) {
            assert!(difference(fast, naive) < 1e-12);
        }
        let plan = Engine::<f32>::new(&model, request).unwrap().describe(4).unwrap();
        assert!(!plan.contains("map [4, 7, 7, 8]"), "nothing but windows goes through all values: {plan}");
    }
}

/// A small classifier with Adam on a flat vector of all parameters: updates, slots, packs and step scalars together.
fn trained(units: usize) -> Model {
    let g = Graph::new();
    let (x, y) = (g.input("x", [6]), g.index_input("y", []));
    let mut rng = Rng::new(5, 0, 0);
    let mut dense = |x: &Node, units: usize, name: &str| {
        g.scope(name, || {
            let inputs = x.units();
            let w = g.variable(
                "weight",
                [inputs, units],
                gradus_graph::Values(normal(inputs * units, &mut rng)),
                Role::Weight,
            );
            let b = g.variable("bias", [units], Constant(0.0), Role::Bias);
            x.matmul(&w) + b
        })
    };
    let h = dense(&x, units, "a").relu();
    let h = (&h * h.random(Random::Bernoulli(0.8)) * 1.25).when_training(&h);
    let logits = dense(&h, 3, "b");
    let loss = -(logits.log_softmax() * y.one_hot(3)).sum(-1).mean_all();
    let correct = logits.argmax(-1).squeeze(-1).eq(&y).sum_all();
    let nodes: Vec<Node> = (0..4).map(|v| g.variable_node(v)).collect();
    let grads = g.gradients(&loss, &nodes.iter().collect::<Vec<_>>()).unwrap();
    let flat = g.flat(&[0, 1, 2, 3]);
    let grad = g.pack(&flat, &grads);
    let len = flat.shape().at(1);
    let (m, v) =
        (g.variable("m", &len[..], Constant(0.0), Role::Slot), g.variable("v", &len[..], Constant(0.0), Role::Slot));
    let t = g.step() + 1.0;
    let m1 = &m * 0.9 + &grad * 0.1;
    let v1 = &v * 0.999 + grad.square() * 0.001;
    let m_hat = &m1 / (1.0 - g.scalar(0.9).pow(&t));
    let v_hat = &v1 / (1.0 - g.scalar(0.999).pow(&t));
    g.update(&m, &m1);
    g.update(&v, &v1);
    g.update(&flat, &(&flat - m_hat / (v_hat.sqrt() + 1e-8) * 0.01));
    g.model(&[("loss", &loss), ("correct", &correct), ("logits", &logits)]).unwrap()
}

fn batches(steps: usize, batch: usize) -> Vec<Vec<f64>> {
    let mut rng = Rng::new(8, 0, 0);
    let x = normal(steps * batch * 6, &mut rng);
    let y = (0..steps * batch).map(|i| if x[i * 6] > 0.3 { 2.0 } else { f64::from(x[i * 6 + 1] > 0.0) }).collect();
    vec![x, y]
}

#[test]
fn updates_are_the_same_optimised_naive_and_threaded() {
    let model = trained(40);
    let inputs = batches(1, 32);
    let mut last: Vec<Vec<f64>> = vec![];
    for (optimize, threads) in [(false, 1), (true, 1), (true, 2), (true, 3)] {
        let request = Request { optimize, threads, ..Request::training(&["loss"]) };
        let mut state = State::<f64>::new(&model, 3);
        for _ in 0..5 {
            run_with(&model, request.clone(), &mut state, &inputs, 32);
        }
        assert_eq!(state.step, 5);
        let values: Vec<Vec<f64>> = state.variables().map(|(_, v)| v.to_vec()).collect();
        for (a, b) in values.iter().zip(&last) {
            assert!(difference(a, b) < 1e-12);
            assert!(threads == 1 || a == b, "threads change the result");
        }
        last = values;
    }
}

#[test]
fn many_steps_in_one_run_are_the_same_as_one_by_one() {
    let model = trained(8);
    let (steps, batch) = (7, 5);
    let inputs = batches(steps, batch);
    let single: Vec<Vec<f32>> = inputs.iter().map(|x| x.iter().map(|&v| v as f32).collect()).collect();
    let pool = Pool::new(1);
    let mut together = State::<f32>::new(&model, 3);
    let mut engine = Engine::new(&model, Request::training(&["loss", "correct"])).unwrap();
    engine.run(&mut together, &[&single[0], &single[1]], batch, steps, &pool).unwrap();
    let sums = engine.sums().to_vec();
    let mut apart = State::<f32>::new(&model, 3);
    let mut expected = vec![0.0; 2];
    for s in 0..steps {
        let x = &single[0][s * batch * 6..(s + 1) * batch * 6];
        engine.run(&mut apart, &[x, &single[1][s * batch..(s + 1) * batch]], batch, 1, &pool).unwrap();
        expected.iter_mut().zip(engine.sums()).for_each(|(e, s)| *e += s);
    }
    assert_eq!(sums, expected);
    for ((v, a), (_, b)) in together.variables().zip(apart.variables()) {
        assert_eq!(a, b, "{}", v.path);
    }
}

#[test]
fn a_training_step_allocates_nothing() {
    let model = trained(40);
    let inputs = batches(3, 32);
    let single: Vec<Vec<f32>> = inputs.iter().map(|x| x.iter().map(|&v| v as f32).collect()).collect();
    for threads in [1, 2] {
        let pool = Pool::new(threads);
        let mut state = State::<f32>::new(&model, 3);
        let mut engine = Engine::new(&model, Request { threads, ..Request::training(&["loss"]) }).unwrap();
        let x: [&[f32]; 2] = [&single[0], &single[1]];
        engine.run(&mut state, &x, 32, 3, &pool).unwrap();
        let info = allocation_counter::measure(|| {
            for _ in 0..10 {
                engine.run(&mut state, &x, 32, 3, &pool).unwrap();
            }
        });
        assert_eq!(info.count_total, 0, "{threads} threads");
    }
}

#[test]
fn a_guard_stops_before_anything_is_updated() {
    let model = trained(8);
    let mut state = State::<f32>::new(&model, 3);
    let before: Vec<f32> = state.variables().flat_map(|(_, v)| v.to_vec()).collect();
    let mut engine = Engine::new(&model, Request::training(&["loss"])).unwrap();
    let x = vec![f32::NAN; 6];
    let error = engine.run(&mut state, &[&x, &[0.0]], 1, 1, &Pool::new(1)).unwrap_err();
    assert_eq!(error.to_string(), "`loss` is NaN in step 0");
    assert_eq!(state.step, 0);
    assert_eq!(state.variables().flat_map(|(_, v)| v.to_vec()).collect::<Vec<f32>>(), before);
}

#[test]
fn a_step_is_a_short_list_of_kernels() {
    let model = trained(40);
    let mut engine = Engine::<f32>::new(&model, Request::training(&["loss"])).unwrap();
    let text = engine.describe(32).unwrap();
    let lines: Vec<&str> = text.lines().filter(|l| l.starts_with(' ')).collect();
    assert!(lines.iter().any(|l| l.contains("matmul [32, 40] k=6 then add")), "{text}");
    assert!(lines.len() <= 14, "{text}");
    assert!(!text.contains("update"), "updates are written in place: {text}");
    assert!(!text.contains("  gradient ["), "gradients are computed into the flat block: {text}");
}

#[test]
fn predicting_drops_what_training_needs() {
    let model = trained(8);
    let request = Request::predicting(&["logits"]);
    let mut engine = Engine::<f32>::new(&model, request).unwrap();
    let text = engine.describe(4).unwrap();
    assert_eq!(text.lines().filter(|l| l.starts_with(' ')).count(), 2, "{text}");
}

#[test]
fn the_gradient_of_the_other_mode_costs_nothing() {
    let g = Graph::new();
    let x = g.input("x", [3]);
    let w = g.variable("w", [3], Constant(2.0), Role::Weight);
    let m = g.variable("m", [3, 3], Constant(2.0), Role::Weight);
    let predicting = (x.exp() * &w).matmul(&m).tanh();
    let y = (&x * &w).when_training(&predicting);
    let dw = g.gradients(&y.square().sum_all(), &[&w]).unwrap().remove(0);
    let model = g.model(&[("dw", &dw)]).unwrap();
    let request = Request { mode: Mode::Train, ..Request::predicting(&["dw"]) };
    let plan = Engine::<f32>::new(&model, request).unwrap().describe(5).unwrap();
    assert!(!["exp", "tanh", "matmul"].iter().any(|op| plan.contains(op)), "{plan}");
    let plan = Engine::<f32>::new(&model, Request::predicting(&["dw"])).unwrap().describe(5).unwrap();
    assert!(["exp", "tanh", "matmul"].iter().all(|op| plan.contains(op)), "{plan}");
}

#[test]
fn gradients_belong_to_their_layer() {
    let g = Graph::new();
    let x = g.input("x", [3]);
    let w = g.scope("weights", || g.variable("w", [3, 3], Constant(0.1), Role::Weight));
    let y = x.scope("cell", |x| (0..4).fold(x.clone(), |h, _| h.matmul(&w).tanh()));
    let loss = y.square().mean_all();
    let dw = g.gradients(&loss, &[&w]).unwrap().remove(0);
    g.update(&w, &(&w - dw * 0.1));
    let model = g.model(&[("loss", &loss)]).unwrap();
    let mut engine = Engine::<f32>::new(&model, Request::training(&["loss"])).unwrap();
    let mut state = State::new(&model, 0);
    let profile = engine.profile(&mut state, &[&[0.5; 6]], 2, 1, &Pool::new(1)).unwrap();
    let products: Vec<(&str, &str)> = profile
        .kernels
        .iter()
        .filter(|kernel| kernel.label.starts_with("matmul"))
        .map(|kernel| (kernel.label.as_str(), kernel.path.as_str()))
        .collect();
    // Four forward, three back to earlier states, and one for the weights: the sum over all steps.
    let of = |path: &str| products.iter().filter(|product| product.1 == path).count();
    assert_eq!([of("cell"), of("cell/gradient"), of("weights/gradient")], [4, 3, 1], "{products:?}");
    assert!(profile.threads[0].len() >= profile.kernels.len());
}
