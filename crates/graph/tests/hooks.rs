//! What layers can ask of a training step, and repeated building over the same parameters.

use gradus_graph::{Constant, Engine, Graph, GraphError, Node, Random, Request, Role, RunError, State};
use gradus_kernels::Pool;

fn weight(x: &Node) -> Node {
    x.param("weight", [3, 2], Constant(0.5), Role::Weight)
}

#[test]
fn repeated_passes_share_variables_and_draw_anew() {
    let g = Graph::new();
    let x = g.input("x", [3]);
    let ys = g.repeat(3, |_| {
        x.scope("block", |x| {
            let x = x * x.random(Random::Bernoulli(0.5));
            x.scope("dense", |x| x.matmul(&weight(x)))
        })
    });
    let outside = x.scope("block", |x| x.matmul(&weight(x)));
    let model = g.model(&[("a", &ys[0]), ("b", &ys[1]), ("c", &ys[2]), ("d", &outside)]).unwrap();
    let paths: Vec<&str> = model.variables().iter().map(|v| v.path.as_str()).collect();
    assert_eq!(
        paths,
        ["block/dense/weight", "block_1/weight"],
        "one weight for all passes, and names go on after them"
    );
    let streams: Vec<u32> = model
        .nodes()
        .iter()
        .filter_map(|n| if let gradus_graph::Op::Random(r) = &n.op { Some(r.stream) } else { None })
        .collect();
    assert_eq!(streams.len(), 3);
    assert!(streams[0] != streams[1] && streams[1] != streams[2] && streams[0] != streams[2]);
}

#[test]
fn nested_passes_share_too() {
    let g = Graph::new();
    let x = g.input("x", [3]);
    g.repeat(2, |_| {
        x.scope("outer", |x| {
            let inner = g.repeat(2, |_| x.scope("inner", |x| x.matmul(&weight(x))));
            &inner[0] + &inner[1]
        })
    });
    assert_eq!(g.variables().len(), 1);
}

#[test]
fn only_what_agrees_is_shared() {
    let g = Graph::new();
    let x = g.input("x", [3]);
    g.repeat(2, |pass| x.param("w", [2 + pass], Constant(0.0), Role::Weight));
    let error = g.model(&[("x", &x)]).unwrap_err();
    assert_eq!(error, GraphError::Duplicate { what: "variable", name: "w".into() });

    // A variable from before the passes is not theirs.
    let g = Graph::new();
    let x = g.input("x", [3]);
    x.param("w", [2], Constant(0.0), Role::Weight);
    g.repeat(2, |pass| if pass == 1 { x.param("w", [2], Constant(0.0), Role::Weight) } else { x.clone() });
    assert!(matches!(g.model(&[("x", &x)]).unwrap_err(), GraphError::Duplicate { .. }));
}

#[test]
fn a_second_update_of_a_variable_is_refused() {
    let g = Graph::new();
    let w = g.scope("norm", || g.variable("mean", [2], Constant(0.0), Role::Running));
    g.update(&w, &(&w + 1.0));
    g.update(&w, &(&w + 2.0));
    let error = g.model(&[("w", &w)]).unwrap_err();
    assert!(error.to_string().starts_with("`norm/mean` is updated twice in one step"), "{error}");

    // Also where one update is that of a flat vector with the variable in it.
    let g = Graph::new();
    let w = g.variable("w", [2], Constant(0.0), Role::Weight);
    let flat = g.flat(&[0]);
    g.update(&flat, &(&flat * 0.5));
    g.update(&w, &(&w + 1.0));
    assert_eq!(g.model(&[("w", &w)]).unwrap_err(), GraphError::Twice { variable: "w".into() });
}

#[test]
fn penalties_go_with_the_model() {
    let g = Graph::new();
    let x = g.input("x", [3]);
    g.scope("layer", || g.penalize("l1", &x.abs().mean_all()));
    g.share_of_penalties(0.5, || g.penalize("half", &x.square().mean_all()));
    g.share_of_penalties(0.0, || g.penalize("none", &x.mean_all()));
    let model = g.model(&[("x", &x)]).unwrap();
    let names: Vec<String> = model.extend().0.penalties().into_iter().map(|p| p.0).collect();
    assert_eq!(names, ["layer/l1", "half"]);
    g.penalize("rows", &x);
    let error = g.model(&[("x", &x)]).unwrap_err().to_string();
    assert!(error.contains("expected: a single number, []") && error.contains("received: [B, 3]"), "{error}");
}

#[test]
fn alternatives_belong_to_an_output_and_have_its_shape() {
    let g = Graph::new();
    let x = g.input("x", [3]);
    let y = x.scope("head", |x| x.tanh());
    let z = y.exp();
    g.alternatives(&y, &[y.clone(), y.square()]);
    assert_eq!(g.alternatives_of(&y).len(), 2);
    assert!(g.alternatives_of(&z).is_empty());
    assert_eq!(g.check_alternatives(&[z.clone(), y.clone()]), Ok(()));
    let error = g.check_alternatives(&[z]).unwrap_err();
    assert!(error.to_string().starts_with("`head` gives several values to take the loss of"), "{error}");
    let (graph, _) = g.model(&[("y", &y)]).unwrap().extend();
    assert_eq!(graph.check_alternatives(&[]), Err(GraphError::Alternatives { path: "head".into() }));

    g.alternatives(&y, &[x.sum(-1)]);
    assert!(g.model(&[("y", &y)]).unwrap_err().to_string().contains("received: [B, 1]"));
}

#[test]
fn a_batch_too_small_is_refused_in_training_only() {
    let g = Graph::new();
    let x = g.input("x", [3]);
    g.scope("norm", || g.least_batch(2));
    g.scope("other", || g.least_batch(1));
    let model = g.model(&[("y", &x.square())]).unwrap();
    let need = model.least_batch().unwrap();
    assert_eq!((need.path.as_str(), need.samples), ("norm", 2));
    let mut state = State::<f32>::new(&model, 0);
    let mut run = |request: Request, batch: usize| {
        let mut engine = Engine::new(&model, request).unwrap();
        engine.run(&mut state, &[&vec![1.0; 3 * batch]], batch, 1, &Pool::new(1))
    };
    let training = || Request { mode: gradus_graph::Mode::Train, ..Request::predicting(&["y"]) };
    let refused = run(training(), 1).unwrap_err();
    assert_eq!(refused, RunError::Graph(GraphError::Batch { path: "norm".into(), least: 2, batch: 1 }));
    assert_eq!(run(training(), 2), Ok(()));
    assert_eq!(run(Request::predicting(&["y"]), 1), Ok(()));
}

#[test]
fn some_variables_start_anew_in_each_epoch() {
    let g = Graph::new();
    let count = g.variable("count", [1], Constant(0.0), Role::Running);
    let total = g.variable("total", [1], Constant(0.0), Role::Running);
    g.update(&count, &(&count + 1.0));
    g.update(&total, &(&total + 1.0));
    g.restart_each_epoch(&count);
    let model = g.model(&[("count", &count)]).unwrap();
    let mut state = State::<f32>::new(&model, 0);
    let mut engine = Engine::new(&model, Request::training(&[])).unwrap();
    for _epoch in 0..2 {
        state.begin_epoch();
        engine.run(&mut state, &[], 1, 3, &Pool::new(1)).unwrap();
    }
    assert_eq!((state.variable("count").unwrap()[0], state.variable("total").unwrap()[0]), (3.0, 6.0));
}
